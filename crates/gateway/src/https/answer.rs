//! What the peer sees of an outcome: the one mapping from results and failures to HTTP, in the form of AWS IoT's data
//! plane.

use std::borrow::Cow;

use bytes::Bytes;
use gatehouse_control::body::BodyRefusal;
use gatehouse_control::query::InvalidQuery;
use gatehouse_domain::credentials::CredentialRefusal;
use gatehouse_domain::refusal::Refusal;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::connect::RefusalStyle;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// What an operation that did its work answers.
pub(crate) enum Reply {
    /// `{"message":"OK"}` and the trace id.
    Done,
    /// What the operation found out.
    Json(Value),
    /// A secret for the caller alone, in JSON.
    Secret(Bytes),
    /// Nothing but the status.
    Empty,
    /// The connection becomes a WebSocket; the head is made already.
    SwitchingProtocols(Box<Response<Full<Bytes>>>),
}

/// The error names of the data plane, and of the credential provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Credentials(CredentialRefusal),
    Forbidden,
    GatewayTimeout,
    InternalFailure,
    InvalidRequest,
    MethodNotAllowed,
    NotImplemented,
    RequestEntityTooLarge,
    ResourceNotFound,
    ServiceUnavailable,
    Throttling,
    UnknownOperation,
}

impl Code {
    /// The name on the wire, and the status.
    const fn on_the_wire(self) -> (&'static str, u16) {
        match self {
            Self::Credentials(refusal) => (refusal.error_type(), refusal.status()),
            Self::Forbidden => ("ForbiddenException", 403),
            Self::GatewayTimeout => ("GatewayTimeoutException", 504),
            Self::InternalFailure => ("InternalFailureException", 500),
            Self::InvalidRequest => ("InvalidRequestException", 400),
            Self::MethodNotAllowed => ("MethodNotAllowedException", 405),
            Self::NotImplemented => ("NotImplementedException", 501),
            Self::RequestEntityTooLarge => ("RequestEntityTooLargeException", 413),
            Self::ResourceNotFound => ("ResourceNotFoundException", 404),
            Self::ServiceUnavailable => ("ServiceUnavailableException", 503),
            Self::Throttling => ("ThrottlingException", 429),
            Self::UnknownOperation => ("UnknownOperationException", 404),
        }
    }
}

/// Why a request is not done.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// What is wrong, and what to do about it.
    pub(crate) message: Cow<'static, str>,
    /// Methods that the path does take.
    pub(crate) allow: Option<String>,
    /// The connection ends with the answer.
    pub(crate) closes: bool,
    /// The body has the message alone, as the credential provider's have.
    pub(crate) is_bare: bool,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), allow: None, closes: false, is_bare: false }
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, message)
    }

    /// The store does not answer; the reason is for the log alone.
    pub(crate) fn unavailable(error: &gatehouse_store::Error) -> Self {
        tracing::error!(%error, "a request of a device cannot be served");
        Self::new(Code::ServiceUnavailable, "the store cannot be read at the moment: try again")
    }

    pub(crate) fn closing(self) -> Self {
        Self { closes: true, ..self }
    }

    pub(crate) fn bare(self) -> Self {
        Self { is_bare: true, ..self }
    }

    /// A refusal as `style` wants it told.
    pub(crate) fn refused(refusal: Refusal, style: RefusalStyle) -> Self {
        match (refusal, style) {
            (Refusal::RegistryUnavailable, _) => Self::new(Code::ServiceUnavailable, refusal.to_string()),
            // AWS's words, which clients and their authors look for.
            (Refusal::NotSigned, _) => Self::new(Code::Forbidden, "Missing Authentication Token"),
            (_, RefusalStyle::Explain) => Self::new(Code::Forbidden, refusal.to_string()),
            (_, RefusalStyle::Silent) => Self::new(Code::Forbidden, "Forbidden"),
        }
    }
}

impl From<BodyRefusal> for Failure {
    fn from(refusal: BodyRefusal) -> Self {
        let code = match refusal {
            BodyRefusal::TooLong { .. } => Code::RequestEntityTooLarge,
            BodyRefusal::Broken | BodyRefusal::Late => Code::InvalidRequest,
            BodyRefusal::NoRoom => Code::ServiceUnavailable,
        };
        // What is left of the body is not waited for.
        Self::new(code, refusal.to_string()).closing()
    }
}

impl From<InvalidQuery> for Failure {
    fn from(invalid: InvalidQuery) -> Self {
        Self::invalid(clipped(&invalid.to_string()))
    }
}

/// As much of a text with a stranger's words in it as is worth showing.
fn clipped(text: &str) -> String {
    text.chars().take(512).collect()
}

/// The name of an outcome for metrics.
pub(crate) fn result_name(outcome: &Result<Reply, Failure>) -> &'static str {
    match outcome {
        Ok(_) => "Success",
        Err(failure) => failure.code.on_the_wire().0,
    }
}

/// The response to an outcome.
pub(crate) fn response(request_id: &str, outcome: Result<Reply, Failure>) -> Response<Full<Bytes>> {
    let (status, message, failure) = match outcome {
        Ok(Reply::SwitchingProtocols(response)) => return with_ids(*response, request_id),
        Ok(Reply::Json(value)) => return with_ids(json_response(value.to_string()), request_id),
        Ok(Reply::Secret(json)) => {
            let mut response = json_response(json);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return with_ids(response, request_id);
        }
        Ok(Reply::Empty) => return with_ids(json_response(String::new()), request_id),
        Ok(Reply::Done) => (200, Cow::Borrowed("OK"), None),
        Err(mut failure) => (failure.code.on_the_wire().1, std::mem::take(&mut failure.message), Some(failure)),
    };
    let is_bare = failure.as_ref().is_some_and(|failure| failure.is_bare);
    let body =
        if is_bare { json!({ "message": message }) } else { json!({ "message": message, "traceId": request_id }) };
    let body = body.to_string();
    let mut response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    if let Some(failure) = failure {
        // The data plane writes a colon behind the name; clients take what stands before it.
        let colon = if is_bare { "" } else { ":" };
        response = response.header(ERROR_TYPE, format!("{}{colon}", failure.code.on_the_wire().0));
        if let Some(allow) = failure.allow {
            response = response.header(ALLOW, allow);
        }
        if failure.closes {
            response = response.header(CONNECTION, "close");
        }
    }
    with_ids(response.body(Full::new(Bytes::from(body))).unwrap_or_default(), request_id)
}

fn json_response(body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let response = Response::builder().header(CONTENT_TYPE, "application/json");
    response.body(Full::new(body.into())).unwrap_or_default()
}

fn with_ids(mut response: Response<Full<Bytes>>, request_id: &str) -> Response<Full<Bytes>> {
    let headers = response.headers_mut();
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, request_id);
    }
    // Browsers show their scripts nothing without these.
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    headers.insert(
        "access-control-expose-headers",
        HeaderValue::from_static("x-amzn-ErrorMessage,x-amzn-RequestId,x-amzn-ErrorType,Date"),
    );
    response
}
