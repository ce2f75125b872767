//! The names in a certificate, for policies (developer guide, "X.509 certificate policy variables").

use std::net::{Ipv4Addr, Ipv6Addr};

use gatehouse_domain::policy::{
    AlternativeNameKind, AlternativeNames, CertificateNames, DistinguishedName, NameAttribute,
};
use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

pub(crate) fn read(certificate: &X509Certificate<'_>) -> CertificateNames {
    let mut names = CertificateNames {
        subject: distinguished_name(certificate.subject()),
        issuer: distinguished_name(certificate.issuer()),
        serial_number: CertificateNames::serial_number_text(certificate.raw_serial()),
        ..CertificateNames::default()
    };
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(found) => {
                names.subject_alternative = alternative_names(&found.general_names);
            }
            ParsedExtension::IssuerAlternativeName(found) => {
                names.issuer_alternative = alternative_names(&found.general_names);
            }
            _ => {}
        }
    }
    names
}

fn distinguished_name(name: &X509Name<'_>) -> DistinguishedName {
    name.iter_attributes().filter_map(|found| Some((attribute(found.attr_type().as_bytes())?, text(found)?))).collect()
}

/// The attribute that an object identifier under 2.5.4 names.
const fn attribute(oid: &[u8]) -> Option<NameAttribute> {
    let [0x55, 0x04, last] = oid else { return None };
    Some(match last {
        3 => NameAttribute::CommonName,
        4 => NameAttribute::Surname,
        5 => NameAttribute::SerialNumber,
        6 => NameAttribute::Country,
        8 => NameAttribute::State,
        10 => NameAttribute::Organization,
        11 => NameAttribute::OrganizationalUnit,
        12 => NameAttribute::Title,
        42 => NameAttribute::GivenName,
        43 => NameAttribute::Initials,
        44 => NameAttribute::GenerationQualifier,
        46 => NameAttribute::DistinguishedNameQualifier,
        65 => NameAttribute::Pseudonym,
        _ => return None,
    })
}

/// The text of a DirectoryString, whatever its form; `None` when it is not text.
pub(crate) fn text(found: &AttributeTypeAndValue<'_>) -> Option<String> {
    let octets = found.attr_value().data;
    match found.attr_value().tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            std::str::from_utf8(octets).ok().map(str::to_owned)
        }
        // In the field, T.61 means ISO 8859-1.
        Tag::TeletexString => Some(octets.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let (units, rest) = octets.as_chunks::<2>();
            let text = char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))).collect::<Result<_, _>>();
            text.ok().filter(|_| rest.is_empty())
        }
        Tag::UniversalString => {
            let (units, rest) = octets.as_chunks::<4>();
            let text = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect::<Option<_>>();
            text.filter(|_| rest.is_empty())
        }
        _ => None,
    }
}

fn alternative_names(names: &[GeneralName<'_>]) -> AlternativeNames {
    names
        .iter()
        .filter_map(|name| match name {
            GeneralName::RFC822Name(text) => Some((AlternativeNameKind::Rfc822Name, (*text).to_owned())),
            GeneralName::DNSName(text) => Some((AlternativeNameKind::DnsName, (*text).to_owned())),
            GeneralName::DirectoryName(name) => Some((AlternativeNameKind::DirectoryName, name.to_string())),
            GeneralName::URI(text) => Some((AlternativeNameKind::UniformResourceIdentifier, (*text).to_owned())),
            GeneralName::IPAddress(octets) => Some((AlternativeNameKind::IpAddress, address(octets)?)),
            _ => None,
        })
        .collect()
}

fn address(octets: &[u8]) -> Option<String> {
    <[u8; 4]>::try_from(octets)
        .map(|octets| Ipv4Addr::from(octets).to_string())
        .or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).to_string()))
        .ok()
}
