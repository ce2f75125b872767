//! Rules of domain configurations: under which host names devices come, with which TLS, and how they show who they are
//! (API reference, CreateDomainConfiguration; developer guide, "Domain configurations").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::certificate::UnknownWord;
use crate::host_name::{HostName, InvalidHostName};
use crate::limits;
use crate::name::DomainConfigurationName;
use crate::scope::{AccountId, Region, Scope};
use crate::time::Timestamp;

/// How long a managed domain must have been DISABLED before it is deleted, in milliseconds: seven days.
const MANAGED_REST_MS: i64 = 7 * 24 * 60 * 60 * 1000;

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $type { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)* }

        impl $type {
            /// The word of the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($word => Ok(Self::$variant),)* _ => Err(UnknownWord) }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What is served under a name.
    ServiceType {
        /// Messages.
        Data = "DATA",
        /// Credentials.
        CredentialProvider = "CREDENTIAL_PROVIDER",
        /// Jobs.
        Jobs = "JOBS",
    }
}

words! {
    /// How a device shows who it is.
    AuthenticationType {
        /// An authorizer, which sees the certificate.
        CustomAuthX509 = "CUSTOM_AUTH_X509",
        /// An authorizer.
        CustomAuth = "CUSTOM_AUTH",
        /// A certificate.
        AwsX509 = "AWS_X509",
        /// A signature.
        AwsSigv4 = "AWS_SIGV4",
        /// By port and ALPN.
        Default = "DEFAULT",
    }
}

words! {
    /// What a device speaks.
    ApplicationProtocol {
        /// MQTT.
        SecureMqtt = "SECURE_MQTT",
        /// MQTT over WebSocket.
        MqttWss = "MQTT_WSS",
        /// HTTP.
        Https = "HTTPS",
        /// By port and ALPN.
        Default = "DEFAULT",
    }
}

words! {
    /// Whether devices may come in.
    DomainConfigurationStatus {
        /// They may.
        Enabled = "ENABLED",
        /// They are refused.
        Disabled = "DISABLED",
    }
}

words! {
    /// Whose name it is.
    DomainType {
        /// An endpoint that every account has.
        Endpoint = "ENDPOINT",
        /// Made here.
        AwsManaged = "AWS_MANAGED",
        /// The customer's.
        CustomerManaged = "CUSTOMER_MANAGED",
    }
}

/// The ARN of a server certificate: `arn:<partition>:acm:<region>:<account>:certificate/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerCertificateArn {
    text: Arc<str>,
    scope: Scope,
}

/// Not the ARN of a server certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the ARN of a server certificate: arn:aws:acm:<region>:<account>:certificate/<id> is needed")]
pub struct InvalidServerCertificateArn;

impl ServerCertificateArn {
    /// The ARN as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for ServerCertificateArn {
    type Err = InvalidServerCertificateArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "acm", region, account, resource] = parts.as_slice() else {
            return Err(InvalidServerCertificateArn);
        };
        let region: Region = region.parse().map_err(|_| InvalidServerCertificateArn)?;
        let account: AccountId = account.parse().map_err(|_| InvalidServerCertificateArn)?;
        let id = resource.strip_prefix("certificate/").unwrap_or_default();
        let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-".contains(&b));
        if text.len() > 2048 || *partition != region.partition() || !is_id {
            return Err(InvalidServerCertificateArn);
        }
        Ok(Self { text: text.into(), scope: Scope::new(account, region) })
    }
}

impl TryFrom<String> for ServerCertificateArn {
    type Error = InvalidServerCertificateArn;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServerCertificateArn> for String {
    fn from(arn: ServerCertificateArn) -> Self {
        arn.as_str().to_owned()
    }
}

impl fmt::Display for ServerCertificateArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a domain configuration is not made, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainConfigurationRefusal {
    /// The name is an endpoint's.
    #[error("names that begin with iot: are those of the account's endpoints: use another")]
    ReservedName,
    /// The two do not go together.
    #[error("authenticationType {0} and applicationProtocol {1} do not go together")]
    Combination(AuthenticationType, ApplicationProtocol),
    /// The API has it, and this server does not.
    #[error("{0} is not implemented by Gatehouse yet")]
    NotImplemented(&'static str),
    /// Only DATA can be chosen.
    #[error("serviceType {0} is not supported: use DATA")]
    ServiceType(ServiceType),
    /// The domain name is none.
    #[error("domainName: {0}")]
    DomainName(#[from] InvalidHostName),
    /// The name is under the domain that the house gives names in.
    #[error("domainName: {0} lies under this deployment's own domain: use a name of yours")]
    OwnDomain(HostName),
    /// It serves another configuration, of whatever tenant.
    #[error("domainName: {0} is in use by another domain configuration: a name serves one at a time")]
    DomainTaken(HostName),
    /// The certificate's ARN is none.
    #[error("serverCertificateArns: {0}")]
    CertificateArn(#[from] InvalidServerCertificateArn),
    /// A domain of the customer's needs a certificate.
    #[error("serverCertificateArns: a domainName needs the server certificate that is shown under it")]
    CertificateMissing,
    /// A managed domain has its own.
    #[error("serverCertificateArns: a server certificate is for a domainName, and none is given")]
    CertificateWithoutDomain,
    /// The certificate is another tenant's.
    #[error("serverCertificateArns: {0} is not a certificate of this account and Region")]
    ForeignCertificate(ServerCertificateArn),
    /// The scope has all it may have.
    #[error(
        "the account has the maximum number of domain configurations ({}) in this Region: delete one first",
        limits::DOMAIN_CONFIGURATIONS
    )]
    TooMany,
    /// Of an endpoint, only the security policy can be changed.
    #[error("of the endpoint {0} only tlsConfig can be changed")]
    EndpointUpdate(DomainConfigurationName),
    /// It is in use.
    #[error("the domain configuration is ENABLED: set domainConfigurationStatus to DISABLED first")]
    Enabled,
    /// A managed domain was disabled a short while ago.
    #[error(
        "a domain configuration with a managed domain can be deleted when it has been DISABLED for seven days, at {0}"
    )]
    DisabledTooShort(Timestamp),
}

/// CreateDomainConfiguration: is the name free to be taken?
///
/// # Errors
/// [`DomainConfigurationRefusal::ReservedName`].
pub fn check_name(name: &DomainConfigurationName) -> Result<(), DomainConfigurationRefusal> {
    let is_reserved = name.as_str().get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("iot:"));
    if is_reserved { Err(DomainConfigurationRefusal::ReservedName) } else { Ok(()) }
}

/// CreateDomainConfiguration: may a scope with `count` of them get another?
///
/// # Errors
/// [`DomainConfigurationRefusal::TooMany`] at ten.
pub const fn may_create(count: u32) -> Result<(), DomainConfigurationRefusal> {
    if count < limits::DOMAIN_CONFIGURATIONS { Ok(()) } else { Err(DomainConfigurationRefusal::TooMany) }
}

/// Only DATA can be chosen; it is what is meant when nothing is said.
///
/// # Errors
/// [`DomainConfigurationRefusal::ServiceType`].
pub fn check_service_type(service_type: Option<ServiceType>) -> Result<(), DomainConfigurationRefusal> {
    match service_type {
        None | Some(ServiceType::Data) => Ok(()),
        Some(other) => Err(DomainConfigurationRefusal::ServiceType(other)),
    }
}

/// The ways in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// MQTT, with a certificate.
    Mqtt,
    /// HTTPS, with a certificate.
    Https,
    /// MQTT over WebSocket, whose opening is signed.
    SignedMqttWss,
    /// HTTPS, whose requests are signed.
    SignedHttps,
}

/// How devices come in under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// How they show who they are.
    pub authentication: AuthenticationType,
    /// What they speak.
    pub protocol: ApplicationProtocol,
}

impl Default for Access {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Access {
    /// By port and ALPN.
    pub const DEFAULT: Self =
        Self { authentication: AuthenticationType::Default, protocol: ApplicationProtocol::Default };

    /// Whether a device may come in this way. `DEFAULT` leaves it to port and ALPN.
    #[must_use]
    pub const fn lets_in(self, entrance: Entrance) -> bool {
        match (self.authentication, self.protocol) {
            (AuthenticationType::Default, _) => true,
            (AuthenticationType::AwsX509, ApplicationProtocol::SecureMqtt) => matches!(entrance, Entrance::Mqtt),
            (AuthenticationType::AwsX509, ApplicationProtocol::Https) => matches!(entrance, Entrance::Https),
            (AuthenticationType::AwsSigv4, ApplicationProtocol::MqttWss) => matches!(entrance, Entrance::SignedMqttWss),
            (AuthenticationType::AwsSigv4, ApplicationProtocol::Https) => matches!(entrance, Entrance::SignedHttps),
            _ => false,
        }
    }

    /// Both together, if they go together and are served here.
    ///
    /// # Errors
    /// [`DomainConfigurationRefusal::Combination`] or [`DomainConfigurationRefusal::NotImplemented`].
    pub const fn new(
        authentication: AuthenticationType,
        protocol: ApplicationProtocol,
    ) -> Result<Self, DomainConfigurationRefusal> {
        use ApplicationProtocol::{Default as ByPort, Https, MqttWss, SecureMqtt};
        use AuthenticationType::{AwsSigv4, AwsX509, CustomAuth, CustomAuthX509, Default as ByAlpn};
        match (authentication, protocol) {
            (ByAlpn, ByPort) | (AwsX509, SecureMqtt | Https) | (AwsSigv4, MqttWss | Https) => {
                Ok(Self { authentication, protocol })
            }
            (CustomAuthX509, SecureMqtt | Https) => {
                Err(DomainConfigurationRefusal::NotImplemented("authenticationType CUSTOM_AUTH_X509"))
            }
            (CustomAuth, SecureMqtt | MqttWss | Https) => {
                Err(DomainConfigurationRefusal::NotImplemented("authenticationType CUSTOM_AUTH"))
            }
            _ => Err(DomainConfigurationRefusal::Combination(authentication, protocol)),
        }
    }
}

/// The name that a configuration is to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// One that is made for it.
    AwsManaged,
    /// The customer's, with the certificate that is shown under it.
    CustomerManaged(HostName, ServerCertificateArn),
}

/// CreateDomainConfiguration: which name is to be served, and with which certificate. `own` is the domain under which
/// this deployment gives names itself. That the account may use the name is proved by the certificate: whoever runs the
/// deployment has given it to this account.
///
/// # Errors
/// What is missing, too much, or not the account's.
pub fn domain(
    scope: Scope,
    domain_name: Option<&str>,
    certificate_arn: Option<&str>,
    own: &str,
) -> Result<Domain, DomainConfigurationRefusal> {
    let Some(domain_name) = domain_name else {
        return match certificate_arn {
            Some(_) => Err(DomainConfigurationRefusal::CertificateWithoutDomain),
            None => Ok(Domain::AwsManaged),
        };
    };
    let host: HostName = domain_name.parse()?;
    if host.is_within(own) || host.is_within("localhost") {
        return Err(DomainConfigurationRefusal::OwnDomain(host));
    }
    let certificate: ServerCertificateArn =
        certificate_arn.ok_or(DomainConfigurationRefusal::CertificateMissing)?.parse()?;
    if certificate.scope != scope {
        return Err(DomainConfigurationRefusal::ForeignCertificate(certificate));
    }
    Ok(Domain::CustomerManaged(host, certificate))
}

/// DeleteDomainConfiguration: may it go at `now`, when its status was changed last at `status_changed_at`?
///
/// # Errors
/// [`DomainConfigurationRefusal::Enabled`] or [`DomainConfigurationRefusal::DisabledTooShort`].
pub const fn may_delete(
    status: DomainConfigurationStatus,
    domain_type: DomainType,
    status_changed_at: Timestamp,
    now: Timestamp,
) -> Result<(), DomainConfigurationRefusal> {
    if matches!(status, DomainConfigurationStatus::Enabled) {
        return Err(DomainConfigurationRefusal::Enabled);
    }
    let free_at = status_changed_at.plus_millis(MANAGED_REST_MS);
    if matches!(domain_type, DomainType::AwsManaged) && now.as_millis() < free_at.as_millis() {
        return Err(DomainConfigurationRefusal::DisabledTooShort(free_at));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap())
    }

    #[test]
    fn authentication_and_protocol_go_together_as_the_guide_says() {
        use ApplicationProtocol::{Default as P, Https as H, MqttWss as W, SecureMqtt as M};
        use AuthenticationType::{AwsSigv4, AwsX509, CustomAuth, CustomAuthX509, Default as D};
        // By protocol DEFAULT, SECURE_MQTT, MQTT_WSS, HTTPS: y served, n not here yet, - never.
        for (authentication, outcomes) in
            [(D, "y---"), (AwsX509, "-y-y"), (CustomAuthX509, "-n-n"), (CustomAuth, "-nnn"), (AwsSigv4, "--yy")]
        {
            for (protocol, expected) in [P, M, W, H].into_iter().zip(outcomes.chars()) {
                let outcome = match Access::new(authentication, protocol) {
                    Ok(_) => 'y',
                    Err(DomainConfigurationRefusal::NotImplemented(_)) => 'n',
                    Err(_) => '-',
                };
                assert_eq!(outcome, expected, "{authentication} {protocol}");
            }
        }
    }

    #[test]
    fn a_fixed_protocol_is_the_only_way_in() {
        use ApplicationProtocol::{Default as P, Https, MqttWss, SecureMqtt};
        use AuthenticationType::{AwsSigv4, AwsX509, CustomAuth, Default as D};
        for (authentication, protocol, lets_in) in [
            (D, P, [true, true, true, true]),
            (AwsX509, SecureMqtt, [true, false, false, false]),
            (AwsX509, Https, [false, true, false, false]),
            (AwsSigv4, MqttWss, [false, false, true, false]),
            (AwsSigv4, Https, [false, false, false, true]),
            (CustomAuth, Https, [false, false, false, false]),
        ] {
            let access = Access { authentication, protocol };
            let all = [Entrance::Mqtt, Entrance::Https, Entrance::SignedMqttWss, Entrance::SignedHttps];
            assert_eq!(all.map(|entrance| access.lets_in(entrance)), lets_in, "{authentication} {protocol}");
        }
    }

    #[test]
    fn a_domain_of_the_customers_needs_a_certificate_of_the_account() {
        const OURS: &str = "arn:aws:acm:us-east-1:123456789012:certificate/a-1";
        fn domain(name: Option<&str>, arn: Option<&str>) -> Result<Domain, DomainConfigurationRefusal> {
            super::domain(scope(), name, arn, "iot.example.org")
        }
        assert_eq!(domain(None, None), Ok(Domain::AwsManaged));
        let host = "mqtt.example.com".parse().unwrap();
        assert_eq!(
            domain(Some("MQTT.example.com"), Some(OURS)),
            Ok(Domain::CustomerManaged(host, OURS.parse().unwrap()))
        );
        assert_eq!(domain(Some("mqtt.example.com"), None), Err(DomainConfigurationRefusal::CertificateMissing));
        assert_eq!(domain(None, Some(OURS)), Err(DomainConfigurationRefusal::CertificateWithoutDomain));
        for own in ["iot.example.org", "a.iot.example.org", "A.IOT.example.org", "a.localhost"] {
            let refused = domain(Some(own), Some(OURS));
            assert!(matches!(refused, Err(DomainConfigurationRefusal::OwnDomain(_))), "{own}");
        }
        for foreign in
            ["arn:aws:acm:us-east-1:210987654321:certificate/a-1", "arn:aws:acm:eu-west-1:123456789012:certificate/a-1"]
        {
            let refused = domain(Some("mqtt.example.com"), Some(foreign));
            assert!(matches!(refused, Err(DomainConfigurationRefusal::ForeignCertificate(_))), "{foreign}");
        }
        for bad in
            ["", "a", "arn:aws:iot:us-east-1:123456789012:certificate/a", &format!("{OURS}:x"), &format!("{OURS}*")]
        {
            assert!(domain(Some("mqtt.example.com"), Some(bad)).is_err(), "{bad}");
        }
        assert!(domain(Some("10.0.0.1"), Some(OURS)).is_err());
    }

    #[test]
    fn what_is_in_use_stays() {
        use DomainConfigurationStatus::{Disabled, Enabled};
        use DomainType::{AwsManaged, CustomerManaged};
        let changed = Timestamp::from_secs(1_000);
        let week = changed.plus_millis(MANAGED_REST_MS);
        for (status, domain_type, now, may) in [
            (Enabled, CustomerManaged, week, false),
            (Enabled, AwsManaged, week, false),
            (Disabled, CustomerManaged, changed, true),
            (Disabled, AwsManaged, changed, false),
            (Disabled, AwsManaged, week.plus_millis(-1), false),
            (Disabled, AwsManaged, week, true),
        ] {
            assert_eq!(may_delete(status, domain_type, changed, now).is_ok(), may, "{status} {domain_type} {now}");
        }
    }

    #[test]
    fn names_and_numbers_have_bounds() {
        for (name, is_free) in [("a.b-c_d", true), ("iota", true), ("iot:Data", false), ("IoT:x", false), ("a:b", true)]
        {
            assert_eq!(check_name(&name.parse().unwrap()).is_ok(), is_free, "{name}");
        }
        assert_eq!((may_create(9), may_create(10)), (Ok(()), Err(DomainConfigurationRefusal::TooMany)));
        assert!(check_service_type(None).is_ok() && check_service_type(Some(ServiceType::Data)).is_ok());
        assert!(check_service_type(Some(ServiceType::Jobs)).is_err());
    }
}
