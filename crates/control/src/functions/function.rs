//! Where one function is called: at a URL that takes the event and answers, or through an endpoint that speaks Lambda's
//! Invoke.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::function::FunctionArn;
use gatehouse_domain::limits;
use gatehouse_domain::time::Timestamp;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::outgoing::{Connect, ExchangeError, exchange};
use crate::sigv4::Signer;

/// The name under which requests to Lambda are signed.
const SERVICE: &str = "lambda";

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

/// What requests to Lambda's Invoke are signed with.
pub struct InvokeCredentials {
    /// Our access key there.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Zeroizing<String>,
}

/// A function that can be called.
pub struct Function {
    place: Place,
    connect: Arc<dyn Connect>,
    time_limit: Duration,
}

enum Place {
    Url(Address),
    Invoke(Address, Option<InvokeCredentials>),
}

impl Function {
    /// The event is POSTed to `url`; the body of a 2xx is the answer.
    #[must_use]
    pub fn at_url(url: Address, connect: Arc<dyn Connect>) -> Self {
        Self { place: Place::Url(url), connect, time_limit: limits::FUNCTION_TIMEOUT }
    }

    /// `endpoint` is asked for the function as Lambda is, with signed requests if there are `credentials`. A path behind
    /// the host does not count.
    #[must_use]
    pub fn at_endpoint(endpoint: Address, credentials: Option<InvokeCredentials>, connect: Arc<dyn Connect>) -> Self {
        Self { place: Place::Invoke(endpoint, credentials), connect, time_limit: limits::FUNCTION_TIMEOUT }
    }

    /// With another time limit than [`limits::FUNCTION_TIMEOUT`].
    #[must_use]
    pub const fn within(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    pub(super) const fn time_limit(&self) -> Duration {
        self.time_limit
    }

    /// One call.
    pub(super) async fn call(
        &self,
        arn: &FunctionArn,
        event: &Value,
        now: Timestamp,
    ) -> Result<Response<Bytes>, ExchangeError> {
        let request = self.request(arn, event, now).map_err(|_| ExchangeError::Request("the address is no URI"))?;
        exchange(&*self.connect, request, limits::FUNCTION_ANSWER_BYTES).await
    }

    fn request(&self, arn: &FunctionArn, event: &Value, now: Timestamp) -> Result<Request<Bytes>, http::Error> {
        let body = Bytes::from(event.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let uri = match &self.place {
            Place::Url(Address(url)) => url.clone(),
            Place::Invoke(endpoint, credentials) => {
                let (scheme, authority) = endpoint.origin();
                headers.insert(HOST, HeaderValue::from_str(authority)?);
                let kind = HeaderName::from_static("x-amz-invocation-type");
                headers.insert(kind, HeaderValue::from_static("RequestResponse"));
                let target = invoke_target(arn);
                if let Some(credentials) = credentials {
                    let secret = &credentials.secret_access_key;
                    Signer::new(&credentials.access_key_id, secret, arn.scope().region, now)
                        .for_service(SERVICE, secret)
                        .sign(&Method::POST, &target, &mut headers, &body);
                }
                Uri::builder().scheme(scheme).authority(authority).path_and_query(target).build()?
            }
        };
        let mut request = Request::builder().method(Method::POST).uri(uri).body(body)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Path and query of Invoke (Lambda API reference). The whole ARN is named, not the name alone: with the wrong credentials,
/// a name would find another account's function.
fn invoke_target(arn: &FunctionArn) -> String {
    let encoded = |text: &str| text.replace(':', "%3A").replace('$', "%24");
    let query = arn.qualifier().map(|qualifier| format!("?Qualifier={}", encoded(qualifier))).unwrap_or_default();
    format!("/2015-03-31/functions/{}/invocations{query}", encoded(arn.unqualified()))
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

    #[test]
    fn invoke_names_the_whole_arn_and_the_qualifier() {
        let target = |text: &str| invoke_target(&text.parse().unwrap());
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations";
        assert_eq!(target(arn), path);
        assert_eq!(target(&format!("{arn}:$LATEST")), format!("{path}?Qualifier=%24LATEST"));
    }
}
