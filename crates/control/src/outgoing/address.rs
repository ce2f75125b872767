//! Where an outside service is, as an operator writes it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

/// An address: `http://` or `https://`, a host, and what an address may have beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Uri);

/// Why an address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Not an address of this kind.
    #[error("{0:?} is not an address such as https://functions.example.com/sign")]
    Malformed(String),
    /// A name or password stands in it: they would be in every log that shows it.
    #[error("the address has a user's name in it: leave out what stands before the @")]
    User,
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || InvalidAddress::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().filter(|authority| is_http && !authority.host().is_empty());
        match authority {
            None => Err(malformed()),
            Some(authority) if authority.as_str().contains('@') => Err(InvalidAddress::User),
            // A port that is no number is read as none.
            Some(authority) => match authority.as_str().strip_prefix(authority.host()) {
                Some("") => Ok(Self(uri)),
                Some(_) if authority.port_u16().is_some_and(|port| port > 0) => Ok(Self(uri)),
                _ => Err(malformed()),
            },
        }
    }
}

impl Address {
    /// Whether TLS is spoken there.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Whether it lies on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host().unwrap_or_default();
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse();
        host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
    }

    /// All of it.
    pub(crate) const fn uri(&self) -> &Uri {
        &self.0
    }

    /// Scheme and authority.
    pub(crate) fn origin(&self) -> (&str, &str) {
        (self.0.scheme_str().unwrap_or("https"), self.0.authority().map_or("", |authority| authority.as_str()))
    }

    /// Whether a path or query follows the host.
    #[must_use]
    pub fn has_path(&self) -> bool {
        self.0.path_and_query().is_some_and(|path| path.as_str() != "/")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_by_their_parts() {
        for (text, is_secure, is_loopback, has_path) in [
            ("http://127.0.0.1:9000/sign?x=1", false, true, true),
            ("http://127.9.9.9", false, true, false),
            ("http://localhost:1/", false, true, false),
            ("http://[::1]:1/f", false, true, true),
            ("http://[::ffff:127.0.0.1]:1", false, true, false),
            ("http://10.0.0.1/", false, false, false),
            ("http://localhost.example.com", false, false, false),
            ("http://127.0.0.1.example.com", false, false, false),
            ("https://lambda.us-east-1.amazonaws.com", true, false, false),
            ("https://example.com?x=1", true, false, true),
        ] {
            let address: Address = text.parse().unwrap();
            let found = (address.is_secure(), address.is_loopback(), address.has_path());
            assert_eq!(found, (is_secure, is_loopback, has_path), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "f",
            "/f",
            "127.0.0.1:9000",
            "ftp://example.com",
            "http:///f",
            "http://",
            "http://a b/",
            "http://a:99999/",
            "http://a:0/",
            "http://a:/",
            "file:///f",
            "unix:/f",
        ] {
            assert_eq!(text.parse::<Address>(), Err(InvalidAddress::Malformed(text.to_owned())), "{text}");
        }
        assert_eq!("http://me:hush@example.com/".parse::<Address>(), Err(InvalidAddress::User));
    }
}
