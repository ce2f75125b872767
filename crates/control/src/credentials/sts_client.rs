//! The HTTP client under the SDK: each request is one [`exchange`]. They are fifty a second for a scope at most.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient as SdkHttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use crate::outgoing::{Connect, ExchangeError, exchange};

/// An answer at most, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;

/// The client as the SDK wants it.
#[derive(Clone)]
pub(super) struct HttpClient(Arc<dyn Connect>);

impl HttpClient {
    pub(super) const fn new(connect: Arc<dyn Connect>) -> Self {
        Self(connect)
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

impl SdkHttpClient for HttpClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for HttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(call(Arc::clone(&self.0), request))
    }
}

async fn call(connect: Arc<dyn Connect>, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = body.bytes().ok_or_else(|| ConnectorError::user("the request's body is a stream".into()))?;
    let request = http::Request::from_parts(parts, Bytes::copy_from_slice(body));
    let answer = exchange(&*connect, request, ANSWER_BYTES).await.map_err(|error| match error {
        ExchangeError::Request(_) => ConnectorError::user(error.into()),
        ExchangeError::Connect(_) | ExchangeError::Http(_) | ExchangeError::TooLong(_) => {
            ConnectorError::io(error.into())
        }
    })?;
    answer
        .map(SdkBody::from)
        .try_into()
        .map_err(|error: aws_smithy_runtime_api::http::HttpError| ConnectorError::other(error.into(), None))
}
