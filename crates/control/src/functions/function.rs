//! Where one function is called: at a URL that takes the event and answers, or through an endpoint that speaks Lambda's
//! Invoke.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::function::FunctionArn;
use gatehouse_domain::limits;
use gatehouse_domain::time::Timestamp;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use serde_json::Value;

use crate::outgoing::{AccessKey, Address, Connect, ExchangeError, exchange};
use crate::sigv4::Signer;

/// The name under which requests to Lambda are signed.
const SERVICE: &str = "lambda";

/// A function that can be called.
pub struct Function {
    place: Place,
    connect: Arc<dyn Connect>,
    time_limit: Duration,
}

enum Place {
    Url(Address),
    Invoke(Address, Option<AccessKey>),
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
    pub fn at_endpoint(endpoint: Address, credentials: Option<AccessKey>, connect: Arc<dyn Connect>) -> Self {
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
            Place::Url(url) => url.uri().clone(),
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
    fn invoke_names_the_whole_arn_and_the_qualifier() {
        let target = |text: &str| invoke_target(&text.parse().unwrap());
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations";
        assert_eq!(target(arn), path);
        assert_eq!(target(&format!("{arn}:$LATEST")), format!("{path}?Qualifier=%24LATEST"));
    }
}
