//! Where the values of context keys come from: a device's connection, or a call of the control API.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::certificate_names::CertificateNames;
use super::key::{CertificateField, Key, Party, Selection};
use crate::certificate::CertificateId;
use crate::client_id::ClientId;
use crate::name::ThingName;
use crate::scope::Scope;
use crate::time::Timestamp;

/// How many values of one certificate field count; further ones are ignored (developer guide, "X.509 Certificate policy
/// variable limitations").
const VALUES_PER_CERTIFICATE_FIELD: usize = 5;

/// What a context knows about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextValue<'a> {
    /// The request has no such key.
    Absent,
    /// One value.
    One(Cow<'a, str>),
    /// A set of values, possibly empty. An empty set counts as a missing key in conditions, as in IAM.
    Many(Vec<Cow<'a, str>>),
}

impl<'a> ContextValue<'a> {
    fn of(value: Option<&'a str>) -> Self {
        value.map_or(Self::Absent, |value| Self::One(Cow::Borrowed(value)))
    }

    const fn yes_or_no(value: bool) -> Self {
        Self::One(Cow::Borrowed(if value { "true" } else { "false" }))
    }

    fn computed(value: &impl ToString) -> Self {
        Self::One(Cow::Owned(value.to_string()))
    }
}

/// A source of values for context keys.
pub trait Context {
    /// The value of `key` in this request.
    fn value(&self, key: &Key) -> ContextValue<'_>;
}

/// The context in which no key has a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoContext;

impl Context for NoContext {
    fn value(&self, _: &Key) -> ContextValue<'_> {
        ContextValue::Absent
    }
}

/// What holds for the whole of a device's connection, or until the registry changes.
#[derive(Clone, Debug, Default)]
pub struct ConnectionFacts {
    /// The client id. `None` over HTTPS, which has none.
    pub client_id: Option<ClientId>,
    /// The peer's address.
    pub source_ip: Option<IpAddr>,
    /// The host name in SNI.
    pub domain_name: Option<Arc<str>>,
    /// The id of the device's certificate.
    pub certificate_id: Option<CertificateId>,
    /// The names in the device's certificate.
    pub certificate_names: Option<Arc<CertificateNames>>,
    /// The thing that the connection stands for (see [`crate::thing::associated`]).
    pub thing: Option<Arc<ThingFacts>>,
}

/// What policies may ask about the thing of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThingFacts {
    /// Its name.
    pub name: ThingName,
    /// Its type.
    pub thing_type_name: Option<ThingName>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

/// What a CONNECT asks for beyond a clean session without will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectAttributes<'a> {
    /// The session shall outlive the connection: clean session 0, or a session expiry above 0.
    pub persistent: bool,
    /// The will's topic as ARN, when there is a will: `arn:aws:iot:<region>:<account>:topic/<topic>`.
    pub last_will_topic: Option<&'a str>,
}

/// The context of one operation of a device. Cheap to make per message.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionContext<'a> {
    /// What holds for the connection.
    pub facts: &'a ConnectionFacts,
    /// The present.
    pub now: Timestamp,
    /// For `iot:Connect`: what the CONNECT asks for.
    pub connect: Option<ConnectAttributes<'a>>,
    /// For `iot:SendDirectMessage`: the topic of the message.
    pub topic: Option<&'a str>,
    /// For `iot:GetConnection`: whether socket information is asked for.
    pub include_socket_information: Option<bool>,
}

impl<'a> ConnectionContext<'a> {
    /// The context of an operation that carries no keys of its own (publish, subscribe, receive …).
    #[must_use]
    pub const fn new(facts: &'a ConnectionFacts, now: Timestamp) -> Self {
        Self { facts, now, connect: None, topic: None, include_socket_information: None }
    }

    /// The context of `iot:Connect`.
    #[must_use]
    pub const fn connecting(facts: &'a ConnectionFacts, now: Timestamp, connect: ConnectAttributes<'a>) -> Self {
        Self { connect: Some(connect), ..Self::new(facts, now) }
    }

    fn thing(&self) -> Option<&'a ThingFacts> {
        self.facts.thing.as_deref()
    }

    /// Over HTTPS (no client id) nothing is known about things; over MQTT a connection without thing is "not attached".
    fn is_attached(&self) -> ContextValue<'a> {
        match (self.thing(), &self.facts.client_id) {
            (Some(_), _) => ContextValue::yes_or_no(true),
            (None, Some(_)) => ContextValue::yes_or_no(false),
            (None, None) => ContextValue::Absent,
        }
    }

    fn certificate_names(&self) -> Option<&'a CertificateNames> {
        self.facts.certificate_names.as_deref()
    }

    fn certificate(&self, field: CertificateField, selection: Selection) -> ContextValue<'a> {
        let Some(names) = self.certificate_names() else { return ContextValue::Absent };
        match selection {
            Selection::Nth(index) => ContextValue::of(names.field(field).nth(index)),
            Selection::List => {
                let values: Vec<_> = names.field(field).map(Cow::Borrowed).collect();
                if values.is_empty() { ContextValue::Absent } else { ContextValue::Many(values) }
            }
        }
    }

    fn available_keys(&self) -> ContextValue<'a> {
        let Some(names) = self.certificate_names() else { return ContextValue::Absent };
        let mut keys: Vec<Cow<'a, str>> = CertificateField::all()
            .filter(|field| names.field(*field).next().is_some())
            .map(|field| Cow::Owned(field.to_string()))
            .collect();
        if !names.serial_number.is_empty() {
            keys.push(Cow::Owned(Key::CertificateSerialNumber.to_string()));
        }
        ContextValue::Many(keys)
    }

    fn connect_attributes(&self) -> ContextValue<'a> {
        let Some(connect) = self.connect else { return ContextValue::Absent };
        let members = [
            connect.persistent.then_some("PersistentConnect"),
            connect.last_will_topic.is_some().then_some("LastWill"),
        ];
        ContextValue::Many(members.into_iter().flatten().map(Cow::Borrowed).collect())
    }
}

impl Context for ConnectionContext<'_> {
    fn value(&self, key: &Key) -> ContextValue<'_> {
        let facts = self.facts;
        match key {
            Key::ClientId => ContextValue::of(facts.client_id.as_ref().map(ClientId::as_str)),
            Key::SourceIp => source_ip(facts.source_ip),
            Key::DomainName => ContextValue::of(facts.domain_name.as_deref()),
            Key::ThingName => ContextValue::of(self.thing().map(|thing| thing.name.as_str())),
            Key::ThingTypeName => {
                ContextValue::of(self.thing().and_then(|thing| thing.thing_type_name.as_ref()).map(ThingName::as_str))
            }
            Key::ThingAttribute(name) => {
                ContextValue::of(self.thing().and_then(|thing| thing.attributes.get(&**name)).map(String::as_str))
            }
            Key::ThingIsAttached => self.is_attached(),
            Key::Certificate(field, selection) => self.certificate(*field, *selection),
            Key::CertificateSerialNumber => ContextValue::of(
                self.certificate_names().map(|names| names.serial_number.as_str()).filter(|serial| !serial.is_empty()),
            ),
            Key::CertificateAvailableKeys => self.available_keys(),
            Key::CertificateId => facts.certificate_id.map_or(ContextValue::Absent, |id| ContextValue::computed(&id)),
            Key::ConnectAttributes => self.connect_attributes(),
            Key::LastWillTopic => ContextValue::of(self.connect.and_then(|connect| connect.last_will_topic)),
            Key::Topic => ContextValue::of(self.topic),
            Key::IncludeSocketInformation => {
                self.include_socket_information.map_or(ContextValue::Absent, ContextValue::yes_or_no)
            }
            Key::CurrentTime => ContextValue::computed(&self.now),
            Key::EpochTime => ContextValue::computed(&self.now.as_secs()),
            // Devices come in through TLS or not at all.
            Key::SecureTransport => ContextValue::yes_or_no(true),
            Key::PrincipalAccount
            | Key::RequestedRegion
            | Key::CredentialsThingName
            | Key::CredentialsThingTypeName
            | Key::CredentialsCertificateId
            | Key::Other(_) => ContextValue::Absent,
        }
    }
}

/// The device that temporary credentials were given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialDevice {
    /// The certificate that it showed.
    pub certificate_id: CertificateId,
    /// The thing that it named, which its certificate is attached to.
    pub thing_name: Option<ThingName>,
    /// The type of that thing.
    pub thing_type_name: Option<ThingName>,
}

/// The context of a call of the control API, for the policy of an access key.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// The tenant of the caller and the Region called.
    pub scope: Scope,
    /// The caller's address.
    pub source_ip: Option<IpAddr>,
    /// Whether the call came in through TLS.
    pub secure_transport: bool,
    /// The present.
    pub now: Timestamp,
    /// The device that the key was given to.
    pub device: Option<&'a CredentialDevice>,
}

impl Context for CallContext<'_> {
    fn value(&self, key: &Key) -> ContextValue<'_> {
        match key {
            Key::SourceIp => source_ip(self.source_ip),
            Key::CurrentTime => ContextValue::computed(&self.now),
            Key::EpochTime => ContextValue::computed(&self.now.as_secs()),
            Key::SecureTransport => ContextValue::yes_or_no(self.secure_transport),
            Key::PrincipalAccount => ContextValue::of(Some(self.scope.account.as_str())),
            Key::RequestedRegion => ContextValue::of(Some(self.scope.region.as_str())),
            Key::CredentialsThingName => {
                ContextValue::of(self.device.and_then(|device| device.thing_name.as_ref()).map(ThingName::as_str))
            }
            Key::CredentialsThingTypeName => {
                ContextValue::of(self.device.and_then(|device| device.thing_type_name.as_ref()).map(ThingName::as_str))
            }
            Key::CredentialsCertificateId => {
                self.device.map_or(ContextValue::Absent, |device| ContextValue::computed(&device.certificate_id))
            }
            _ => ContextValue::Absent,
        }
    }
}

impl CertificateNames {
    /// The values of a field that count.
    fn field(&self, field: CertificateField) -> impl Iterator<Item = &str> {
        let (name, alternative) = match field {
            CertificateField::Name(Party::Subject, attribute) => (Some(self.subject.values(attribute)), None),
            CertificateField::Name(Party::Issuer, attribute) => (Some(self.issuer.values(attribute)), None),
            CertificateField::AlternativeName(Party::Subject, kind) => {
                (None, Some(self.subject_alternative.values(kind)))
            }
            CertificateField::AlternativeName(Party::Issuer, kind) => {
                (None, Some(self.issuer_alternative.values(kind)))
            }
        };
        name.into_iter().flatten().chain(alternative.into_iter().flatten()).take(VALUES_PER_CERTIFICATE_FIELD)
    }
}

/// An IPv4 peer of a dual-stack socket is shown as IPv4.
fn source_ip(address: Option<IpAddr>) -> ContextValue<'static> {
    address.map_or(ContextValue::Absent, |address| ContextValue::computed(&address.to_canonical()))
}
