//! Context keys: what a policy may ask about a request, as condition key or as `${variable}`.
//!
//! Names are resolved to this enum when a document is parsed, so that no text is compared per message. Known names are
//! read in any case (IAM user guide, "Variables and tags": key names are not case-sensitive).

use std::fmt;

use super::certificate_names::{AlternativeNameKind, NameAttribute};

/// A context key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `iot:ClientId`
    ClientId,
    /// `aws:SourceIp`
    SourceIp,
    /// `iot:DomainName`
    DomainName,
    /// `iot:Connection.Thing.ThingName`, and its old alias `iot:Thing.ThingName`
    ThingName,
    /// `iot:Connection.Thing.ThingTypeName`
    ThingTypeName,
    /// `iot:Connection.Thing.Attributes[…]`; the attribute's name keeps its case
    ThingAttribute(Box<str>),
    /// `iot:Connection.Thing.IsAttached`
    ThingIsAttached,
    /// `iot:Certificate.Subject.…` and `iot:Certificate.Issuer.…`
    Certificate(CertificateField, Selection),
    /// `iot:Certificate.SerialNumber`
    CertificateSerialNumber,
    /// `iot:Certificate.AvailableKeys`
    CertificateAvailableKeys,
    /// `iot:CertificateId`
    CertificateId,
    /// `iot:ConnectAttributes`
    ConnectAttributes,
    /// `iot:LastWillTopic`
    LastWillTopic,
    /// `iot:Topic`
    Topic,
    /// `iot:IncludeSocketInformation`
    IncludeSocketInformation,
    /// `aws:CurrentTime`
    CurrentTime,
    /// `aws:EpochTime`
    EpochTime,
    /// `aws:SecureTransport`
    SecureTransport,
    /// `aws:PrincipalAccount`
    PrincipalAccount,
    /// `aws:RequestedRegion`
    RequestedRegion,
    /// `credentials-iot:ThingName`
    CredentialsThingName,
    /// `credentials-iot:ThingTypeName`
    CredentialsThingTypeName,
    /// `credentials-iot:AwsCertificateId`
    CredentialsCertificateId,
    /// Any other well-formed name. No context of ours has a value for it.
    Other(Box<str>),
}

/// Whose name in a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The holder.
    Subject,
    /// The authority.
    Issuer,
}

/// A name in a certificate that may have several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateField {
    /// An attribute of the distinguished name.
    Name(Party, NameAttribute),
    /// An alternative name.
    AlternativeName(Party, AlternativeNameKind),
}

/// Which of several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selection {
    /// The value after `n` others. The plain name means the first; `.1` means the second (the guide's example; `.0` is
    /// taken for the first).
    Nth(usize),
    /// `.List`: all of them.
    List,
}

/// Not the name of a context key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a context key: a name like iot:ClientId is needed")]
pub struct InvalidKey;

static SIMPLE: [(&str, Key); 22] = [
    ("iot:ClientId", Key::ClientId),
    ("aws:SourceIp", Key::SourceIp),
    ("iot:DomainName", Key::DomainName),
    ("iot:Connection.Thing.ThingName", Key::ThingName),
    ("iot:Thing.ThingName", Key::ThingName),
    ("iot:Connection.Thing.ThingTypeName", Key::ThingTypeName),
    ("iot:Connection.Thing.IsAttached", Key::ThingIsAttached),
    ("iot:Certificate.SerialNumber", Key::CertificateSerialNumber),
    ("iot:Certificate.AvailableKeys", Key::CertificateAvailableKeys),
    ("iot:CertificateId", Key::CertificateId),
    ("iot:ConnectAttributes", Key::ConnectAttributes),
    ("iot:LastWillTopic", Key::LastWillTopic),
    ("iot:Topic", Key::Topic),
    ("iot:IncludeSocketInformation", Key::IncludeSocketInformation),
    ("aws:CurrentTime", Key::CurrentTime),
    ("aws:EpochTime", Key::EpochTime),
    ("aws:SecureTransport", Key::SecureTransport),
    ("aws:PrincipalAccount", Key::PrincipalAccount),
    ("aws:RequestedRegion", Key::RequestedRegion),
    ("credentials-iot:ThingName", Key::CredentialsThingName),
    ("credentials-iot:ThingTypeName", Key::CredentialsThingTypeName),
    ("credentials-iot:AwsCertificateId", Key::CredentialsCertificateId),
];
const ATTRIBUTES: &str = "iot:Connection.Thing.Attributes[";
const CERTIFICATE: &str = "iot:Certificate.";

impl Key {
    /// Reads a name, such as `iot:Certificate.Subject.Country.1`. An unknown name of the right form is
    /// [`Key::Other`]: policies in the field name keys of services that are not here.
    ///
    /// # Errors
    /// [`InvalidKey`] when the text does not have the form `service:name`.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let (service, name) = text.split_once(':').ok_or(InvalidKey)?;
        let service_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if service.is_empty() || !service.bytes().all(service_byte) {
            return Err(InvalidKey);
        }
        let name_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._/:@#,+=[] ".contains(&b);
        if name.is_empty() || !name.bytes().all(name_byte) {
            return Err(InvalidKey);
        }
        if let Some((_, key)) = SIMPLE.iter().find(|(known, _)| known.eq_ignore_ascii_case(text)) {
            return Ok(key.clone());
        }
        if let Some(rest) = strip_prefix(text, ATTRIBUTES) {
            let attribute = rest.strip_suffix(']').ok_or(InvalidKey)?;
            if attribute.is_empty() || attribute.contains(['[', ']']) {
                return Err(InvalidKey);
            }
            return Ok(Self::ThingAttribute(attribute.into()));
        }
        Ok(certificate_key(text).unwrap_or_else(|| Self::Other(text.into())))
    }

    /// Whether the value is taken from the certificate's names, to which limits of their own apply.
    pub(super) const fn is_certificate_name(&self) -> bool {
        matches!(self, Self::Certificate(..))
    }
}

impl CertificateField {
    /// All fields that have a variable.
    pub fn all() -> impl Iterator<Item = Self> {
        [Party::Subject, Party::Issuer].into_iter().flat_map(|party| {
            let names = NameAttribute::ALL.into_iter().map(move |attribute| Self::Name(party, attribute));
            let alternatives = AlternativeNameKind::ALL.into_iter().map(move |kind| Self::AlternativeName(party, kind));
            names.chain(alternatives)
        })
    }
}

fn certificate_key(text: &str) -> Option<Key> {
    let rest = strip_prefix(text, CERTIFICATE)?;
    let (party, rest) = match strip_prefix(rest, "Subject.") {
        Some(rest) => (Party::Subject, rest),
        None => (Party::Issuer, strip_prefix(rest, "Issuer.")?),
    };
    let (is_alternative, rest) = match strip_prefix(rest, "AlternativeName.") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (word, selection) = match rest.split_once('.') {
        None => (rest, Selection::Nth(0)),
        Some((word, suffix)) if suffix.eq_ignore_ascii_case("List") => (word, Selection::List),
        Some((word, index)) if index.bytes().all(|b| b.is_ascii_digit()) => (word, Selection::Nth(index.parse().ok()?)),
        Some(_) => return None,
    };
    let field = if is_alternative {
        let kind = AlternativeNameKind::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word))?;
        CertificateField::AlternativeName(party, kind)
    } else {
        let attribute = NameAttribute::ALL.into_iter().find(|known| known.word().eq_ignore_ascii_case(word))?;
        CertificateField::Name(party, attribute)
    };
    Some(Key::Certificate(field, selection))
}

/// `text` without `prefix`, whose case does not matter.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

impl fmt::Display for CertificateField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (party, infix, word) = match self {
            Self::Name(party, attribute) => (party, "", attribute.word()),
            Self::AlternativeName(party, kind) => (party, "AlternativeName.", kind.word()),
        };
        let party = match party {
            Party::Subject => "Subject",
            Party::Issuer => "Issuer",
        };
        write!(f, "{CERTIFICATE}{party}.{infix}{word}")
    }
}

impl fmt::Display for Key {
    /// The documented spelling.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThingAttribute(attribute) => write!(f, "{ATTRIBUTES}{attribute}]"),
            Self::Certificate(field, Selection::Nth(0)) => write!(f, "{field}"),
            Self::Certificate(field, Selection::Nth(index)) => write!(f, "{field}.{index}"),
            Self::Certificate(field, Selection::List) => write!(f, "{field}.List"),
            Self::Other(name) => f.write_str(name),
            simple => {
                let name = SIMPLE.iter().find(|(_, key)| key == simple).map_or("", |(name, _)| name);
                f.write_str(name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_they_are_documented() {
        let fields = CertificateField::all()
            .flat_map(|field| [field.to_string(), format!("{field}.1"), format!("{field}.4"), format!("{field}.List")]);
        let names = SIMPLE.iter().map(|(name, _)| (*name).to_owned()).filter(|name| name != "iot:Thing.ThingName");
        let more =
            ["iot:Connection.Thing.Attributes[a.b/c]".to_owned(), "cognito-identity.amazonaws.com:aud".to_owned()];
        for name in names.chain(fields).chain(more) {
            assert_eq!(Key::parse(&name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn known_names_are_read_in_any_case_but_attributes_keep_theirs() {
        assert_eq!(Key::parse("IOT:clientid"), Ok(Key::ClientId));
        assert_eq!(Key::parse("aws:sourceIP"), Ok(Key::SourceIp));
        assert_eq!(Key::parse("iot:Thing.ThingName"), Ok(Key::ThingName));
        assert_eq!(Key::parse("iot:connection.thing.attributes[Zone]"), Ok(Key::ThingAttribute("Zone".into())));
        assert_eq!(
            Key::parse("iot:Certificate.Subject.CommonName.0"),
            Ok(Key::Certificate(CertificateField::Name(Party::Subject, NameAttribute::CommonName), Selection::Nth(0)))
        );
    }

    #[test]
    fn names_of_another_form_are_refused() {
        for bad in [
            "",
            "iot",
            ":x",
            "iot:",
            "iot:a*",
            "iot:a?",
            "iot:${x}",
            "a b:c",
            "iot:é",
            "iot:Connection.Thing.Attributes[]",
            "iot:Connection.Thing.Attributes[a",
            "iot:Connection.Thing.Attributes[a][b]",
        ] {
            assert_eq!(Key::parse(bad), Err(InvalidKey), "{bad}");
        }
    }

    #[test]
    fn names_that_mean_nothing_here_are_kept() {
        for name in [
            "iot:Certificate.Subject.Locality",
            "iot:Certificate.Subject.CommonName.x",
            "iot:Certificate.Subject.CommonName.99999999999999999999999",
            "iot:Certificate.SubjectAlternativeName.DNSName",
        ] {
            assert_eq!(Key::parse(name), Ok(Key::Other(name.into())));
        }
    }
}
