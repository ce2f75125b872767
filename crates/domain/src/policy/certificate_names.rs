//! The names in a certificate that policies may ask for. Filled by whoever reads certificates; plain data here.

/// An attribute of a distinguished name that has a policy variable (developer guide, "X.509 certificate policy
/// variables"). Locality and domainComponent have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameAttribute {
    /// dnQualifier, 2.5.4.46
    DistinguishedNameQualifier,
    /// countryName, 2.5.4.6
    Country,
    /// organizationName, 2.5.4.10
    Organization,
    /// organizationalUnitName, 2.5.4.11
    OrganizationalUnit,
    /// stateOrProvinceName, 2.5.4.8
    State,
    /// commonName, 2.5.4.3
    CommonName,
    /// serialNumber of the name's holder, 2.5.4.5
    SerialNumber,
    /// title, 2.5.4.12
    Title,
    /// surname, 2.5.4.4
    Surname,
    /// givenName, 2.5.4.42
    GivenName,
    /// initials, 2.5.4.43
    Initials,
    /// pseudonym, 2.5.4.65
    Pseudonym,
    /// generationQualifier, 2.5.4.44
    GenerationQualifier,
}

impl NameAttribute {
    /// All attributes.
    pub const ALL: [Self; 13] = [
        Self::DistinguishedNameQualifier,
        Self::Country,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::State,
        Self::CommonName,
        Self::SerialNumber,
        Self::Title,
        Self::Surname,
        Self::GivenName,
        Self::Initials,
        Self::Pseudonym,
        Self::GenerationQualifier,
    ];

    /// The word in the variable's name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::DistinguishedNameQualifier => "DistinguishedNameQualifier",
            Self::Country => "Country",
            Self::Organization => "Organization",
            Self::OrganizationalUnit => "OrganizationalUnit",
            Self::State => "State",
            Self::CommonName => "CommonName",
            Self::SerialNumber => "SerialNumber",
            Self::Title => "Title",
            Self::Surname => "Surname",
            Self::GivenName => "GivenName",
            Self::Initials => "Initials",
            Self::Pseudonym => "Pseudonym",
            Self::GenerationQualifier => "GenerationQualifier",
        }
    }
}

/// A kind of general name (RFC 5280, 4.2.1.6) that has a policy variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlternativeNameKind {
    /// An e-mail address.
    Rfc822Name,
    /// A host name.
    DnsName,
    /// A distinguished name, as text.
    DirectoryName,
    /// A URI.
    UniformResourceIdentifier,
    /// An IP address, in the usual notation.
    IpAddress,
}

impl AlternativeNameKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Rfc822Name, Self::DnsName, Self::DirectoryName, Self::UniformResourceIdentifier, Self::IpAddress];

    /// The word in the variable's name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rfc822Name => "RFC822Name",
            Self::DnsName => "DNSName",
            Self::DirectoryName => "DirectoryName",
            Self::UniformResourceIdentifier => "UniformResourceIdentifier",
            Self::IpAddress => "IPAddress",
        }
    }
}

macro_rules! values_by_kind {
    ($(#[$doc:meta])* $type:ident, $kind:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $type(Vec<($kind, String)>);

        impl $type {
            /// Adds a value after those that are there.
            pub fn push(&mut self, kind: $kind, value: String) {
                self.0.push((kind, value));
            }

            /// The values of one kind, in the certificate's order.
            pub fn values(&self, kind: $kind) -> impl Iterator<Item = &str> {
                self.0.iter().filter(move |(given, _)| *given == kind).map(|(_, value)| value.as_str())
            }
        }

        impl FromIterator<($kind, String)> for $type {
            fn from_iter<I: IntoIterator<Item = ($kind, String)>>(values: I) -> Self {
                Self(values.into_iter().collect())
            }
        }
    };
}

values_by_kind!(
    /// The attributes of a distinguished name, in the certificate's order. One short list rather than a list per
    /// attribute: every idle connection holds four of these.
    DistinguishedName,
    NameAttribute
);
values_by_kind!(
    /// Alternative names, in the certificate's order.
    AlternativeNames,
    AlternativeNameKind
);

/// The names in one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// The subject.
    pub subject: DistinguishedName,
    /// The issuer.
    pub issuer: DistinguishedName,
    /// The subject alternative names.
    pub subject_alternative: AlternativeNames,
    /// The issuer alternative names.
    pub issuer_alternative: AlternativeNames,
    /// The serial number in the form of [`CertificateNames::serial_number_text`].
    pub serial_number: String,
}

impl CertificateNames {
    /// The serial number as policies see it: lower-case hexadecimal, two digits per octet, without leading zero
    /// octets; `00` for zero. `content` is the content of the DER INTEGER. (AWS does not document its form.)
    #[must_use]
    pub fn serial_number_text(content: &[u8]) -> String {
        let start = content.iter().position(|octet| *octet != 0).unwrap_or(content.len().saturating_sub(1));
        content.iter().skip(start).map(|octet| format!("{octet:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_lower_case_hex_without_leading_zeros() {
        let cases: [(&[u8], &str); 5] =
            [(&[0], "00"), (&[0, 0], "00"), (&[0, 0xAB, 0x0C], "ab0c"), (&[1], "01"), (&[], "")];
        for (content, text) in cases {
            assert_eq!(CertificateNames::serial_number_text(content), text);
        }
    }

    #[test]
    fn values_of_a_kind_keep_the_certificates_order() {
        let name: DistinguishedName = [
            (NameAttribute::Organization, "b".to_owned()),
            (NameAttribute::CommonName, "c".to_owned()),
            (NameAttribute::Organization, "a".to_owned()),
        ]
        .into_iter()
        .collect();
        assert_eq!(name.values(NameAttribute::Organization).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(name.values(NameAttribute::Title).count(), 0);
    }
}
