//! The closed list of reasons for turning a device away. Each becomes one log event, one metric label and one
//! answer; nothing else in the house says "no" to a device.

use std::fmt;

use crate::certificate::CertificateStatus;

/// Why a device was turned away or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The ClientHello carried no host name, and the `sni` setting asks for one.
    SniMissing,
    /// The ClientHello's host name is no endpoint of this deployment, and no single DEFAULT registration stands for it.
    SniUnknown,
    /// The certificate must be used with the full endpoint name (`SNI_ONLY`).
    SniOnly,
    /// The certificate is not registered in the endpoint's account and Region.
    NotRegistered,
    /// The certificate is registered, but not ACTIVE.
    Status(CertificateStatus),
    /// The certificate was PENDING_ACTIVATION and has just been provisioned: the next connection finds it so.
    JustProvisioned,
    /// The certificate is PENDING_ACTIVATION, because its CA's template could not be carried out.
    ProvisioningFailed,
    /// The certificate's notAfter has passed.
    Expired,
    /// The certificate's notBefore lies in the future.
    NotYetValid,
    /// The leaf is not a certificate that can be read.
    Unreadable,
    /// The endpoint type does not serve this protocol.
    WrongEndpoint,
    /// The host name's domain configuration is DISABLED.
    DomainDisabled,
    /// The TLS session was resumed at an endpoint other than the one it began at.
    ForeignSession,
    /// No policy allows the connection.
    PolicyDenied,
    /// The client id is against the rules.
    ClientId,
    /// The CONNECT asks for what MQTT or this server does not offer.
    ConnectRules,
    /// The account, or the client id, connects more often than it may, or has as many connections as it may.
    Throttled,
    /// The registry or its change log could not be read.
    RegistryUnavailable,
    /// The certificate left the registry while connected.
    Deleted,
    /// A request that needs an access key's signature has none.
    NotSigned,
    /// The signature of an access key is not acceptable.
    Signature,
    /// The access key is unknown, was deleted, or has expired.
    AccessKey,
    /// The endpoint belongs to another account or Region than the access key's signature.
    ForeignEndpoint,
}

impl Refusal {
    /// The metric label and log field: kebab-case, stable.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::SniMissing => "sni-missing",
            Self::SniUnknown => "sni-unknown",
            Self::SniOnly => "sni-only",
            Self::NotRegistered => "not-registered",
            Self::Status(CertificateStatus::Inactive) => "inactive",
            Self::Status(CertificateStatus::Revoked) => "revoked",
            Self::Status(CertificateStatus::PendingTransfer) => "pending-transfer",
            Self::Status(CertificateStatus::PendingActivation) => "pending-activation",
            Self::Status(CertificateStatus::RegisterInactive) => "register-inactive",
            // Never refused for being ACTIVE; kept total so that no reason lacks a label.
            Self::Status(CertificateStatus::Active) => "active",
            Self::JustProvisioned => "just-provisioned",
            Self::ProvisioningFailed => "provisioning-failed",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::Unreadable => "unreadable",
            Self::WrongEndpoint => "wrong-endpoint",
            Self::DomainDisabled => "domain-disabled",
            Self::ForeignSession => "foreign-session",
            Self::PolicyDenied => "policy-denied",
            Self::ClientId => "client-id",
            Self::ConnectRules => "connect-rules",
            Self::Throttled => "throttled",
            Self::RegistryUnavailable => "registry-unavailable",
            Self::Deleted => "deleted",
            Self::NotSigned => "not-signed",
            Self::Signature => "signature",
            Self::AccessKey => "access-key",
            Self::ForeignEndpoint => "foreign-endpoint",
        }
    }

    /// The reason code of AWS's `Connection.AuthNError` event; codes that AWS does not have are named in
    /// `docs/divergences.md`.
    #[must_use]
    pub const fn aws_reason(self) -> &'static str {
        match self {
            Self::SniMissing | Self::SniUnknown | Self::SniOnly | Self::ForeignSession | Self::ForeignEndpoint => {
                "SNI_MISUSED"
            }
            Self::NotRegistered | Self::Deleted => "DEVICE_CERTIFICATE_NOT_REGISTERED",
            Self::Status(CertificateStatus::Revoked) => "DEVICE_CERTIFICATE_REVOKED",
            Self::Status(_) | Self::JustProvisioned | Self::ProvisioningFailed => "DEVICE_CERTIFICATE_INACTIVE",
            Self::Expired => "DEVICE_CERTIFICATE_EXPIRED",
            Self::NotYetValid => "DEVICE_CERTIFICATE_NOT_YET_VALID",
            Self::Unreadable | Self::NotSigned | Self::Signature | Self::AccessKey => "NOT_AUTHENTICATED",
            Self::WrongEndpoint => "DOMAIN_CONFIGURATION_INVALID",
            Self::DomainDisabled => "DOMAIN_CONFIGURATION_DISABLED",
            Self::PolicyDenied | Self::ClientId => "AUTHORIZATION_FAILURE",
            Self::ConnectRules => "CLIENT_ERROR",
            Self::Throttled => "THROTTLED",
            Self::RegistryUnavailable => "INTERNAL_SERVER_ERROR",
        }
    }
}

impl Refusal {
    /// The event of AWS's log that tells this refusal: who the device is could not be established, or what it may do
    /// forbade the connection.
    #[must_use]
    pub const fn aws_event(self) -> &'static str {
        match self {
            Self::PolicyDenied | Self::ClientId | Self::ConnectRules | Self::Throttled => "Connect",
            _ => "Connection.AuthNError",
        }
    }
}

impl fmt::Display for Refusal {
    /// The sentence a client may see (MQTT 5 reason string): what is wrong, and what mends it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::SniMissing => "the TLS ClientHello names no host (SNI): connect by the endpoint's host name",
            Self::SniUnknown => {
                "the host name in the TLS ClientHello is no endpoint of this server: use the address DescribeEndpoint \
                 returns"
            }
            Self::SniOnly => {
                "the certificate is registered as SNI_ONLY: use the full address DescribeEndpoint returns as host name"
            }
            Self::NotRegistered => "the certificate is not registered in the account and Region of this endpoint",
            Self::Status(CertificateStatus::Inactive) => {
                "the certificate is INACTIVE: UpdateCertificate --new-status ACTIVE switches it on"
            }
            Self::Status(CertificateStatus::Revoked) => "the certificate is REVOKED for good: a new one is needed",
            Self::Status(CertificateStatus::PendingTransfer) => {
                "the certificate is PENDING_TRANSFER: its transfer must be accepted, rejected or cancelled first"
            }
            Self::Status(CertificateStatus::PendingActivation) => {
                "the certificate is PENDING_ACTIVATION: UpdateCertificate --new-status ACTIVE switches it on"
            }
            Self::Status(status) => return write!(f, "the certificate is {status}"),
            Self::JustProvisioned => "the certificate has just been registered and provisioned: connect again",
            Self::ProvisioningFailed => {
                "the certificate is registered, and could not be provisioned: gatehouse explain tells why; connect again to \
                 try again"
            }
            Self::Expired => "the certificate has expired",
            Self::NotYetValid => "the certificate is not valid yet",
            Self::Unreadable => "the certificate presented cannot be read as X.509",
            Self::WrongEndpoint => "this endpoint does not serve MQTT: use the iot:Data-ATS address",
            Self::DomainDisabled => {
                "the domain configuration of this host name is DISABLED: UpdateDomainConfiguration \
                 --domain-configuration-status ENABLED switches it on"
            }
            Self::ForeignSession => "the TLS session began at another endpoint: connect with a full handshake",
            Self::PolicyDenied => "no policy allows iot:Connect for this client id",
            Self::ClientId => "the client id is not acceptable: at most 128 bytes, not beginning with $",
            Self::ConnectRules => "the CONNECT asks for what is not offered here",
            Self::Throttled => {
                "too many connections, or too many a second, of this client id or account: wait and try again"
            }
            Self::RegistryUnavailable => "the registry cannot be read at the moment: try again",
            Self::Deleted => "the certificate was deleted from the registry",
            Self::NotSigned => "the request is not signed: sign it with AWS Signature Version 4",
            Self::Signature => "the signature of the request is not acceptable",
            Self::AccessKey => "the access key is unknown, was deleted or has expired",
            Self::ForeignEndpoint => {
                "the endpoint belongs to another account or Region than the access key and Region that signed"
            }
        };
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_differ_and_are_kebab_case() {
        let mut all = vec![
            Refusal::SniMissing,
            Refusal::SniUnknown,
            Refusal::SniOnly,
            Refusal::NotRegistered,
            Refusal::JustProvisioned,
            Refusal::ProvisioningFailed,
            Refusal::Expired,
            Refusal::NotYetValid,
            Refusal::Unreadable,
            Refusal::WrongEndpoint,
            Refusal::DomainDisabled,
            Refusal::ForeignSession,
            Refusal::PolicyDenied,
            Refusal::ClientId,
            Refusal::ConnectRules,
            Refusal::Throttled,
            Refusal::RegistryUnavailable,
            Refusal::Deleted,
            Refusal::NotSigned,
            Refusal::Signature,
            Refusal::AccessKey,
            Refusal::ForeignEndpoint,
        ];
        all.extend(CertificateStatus::ALL.map(Refusal::Status));
        let labels: std::collections::BTreeSet<_> = all.iter().map(|r| r.label()).collect();
        assert_eq!(labels.len(), all.len());
        assert!(labels.iter().all(|l| l.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }
}
