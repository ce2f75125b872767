//! The operations of AWS's data plane, one file each. What AWS has and is not here yet is in the table as well, so that
//! whoever asks for it learns that it is the server that lacks it.

mod assume_role_with_certificate;
mod delete_connection;
mod get_connection;
mod get_retained_message;
mod input;
mod list_retained_messages;
mod list_subscriptions;
mod publish;
mod send_direct_message;

use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use gatehouse_control::query::Query;
use gatehouse_domain::endpoint::EndpointType;
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use http::HeaderMap;

use super::answer::{Code, Failure, Reply};
use super::connection::wrong_endpoint;
use crate::Gateway;
use crate::authorization::Authorization;
use crate::connect::RefusalStyle;
use crate::principal::Principal;

/// One operation.
pub(super) struct Operation {
    /// AWS's name for it.
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    /// `{name}` is one segment, `{name+}` all that is left.
    pub(super) path: &'static str,
    /// The endpoints that serve it.
    pub(super) endpoints: &'static [EndpointType],
    /// What it takes as body, in bytes.
    pub(super) body_bytes_max: usize,
    /// `None` when it is not here yet.
    pub(super) run: Option<Run>,
}

impl Operation {
    /// Whether a signature cannot stand in for the certificate.
    pub(super) fn needs_certificate(&self) -> bool {
        self.endpoints == CREDENTIALS
    }

    /// What somebody hears who was turned away before this operation began.
    pub(super) fn turned_away(&self, refusal: Refusal, style: RefusalStyle) -> Failure {
        if self.needs_certificate() {
            assume_role_with_certificate::turned_away(refusal)
        } else {
            Failure::refused(refusal, style)
        }
    }

    /// What somebody hears who came to an endpoint that does not serve this operation.
    pub(super) fn wrong_endpoint(&self) -> Failure {
        if self.needs_certificate() {
            assume_role_with_certificate::turned_away(Refusal::WrongEndpoint)
        } else {
            wrong_endpoint(self.name)
        }
    }
}

/// What an operation does: permission, deed, answer.
pub(super) type Run = for<'a> fn(Call<'a>) -> Running<'a>;
/// An operation under way.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + 'a>>;

/// One request for one operation.
pub(super) struct Call<'a> {
    pub(super) gateway: &'a Gateway,
    /// The tenant: nothing outside it can be seen or touched.
    pub(super) scope: Scope,
    pub(super) principal: &'a Principal,
    /// Where the request comes from.
    pub(super) peer: SocketAddr,
    /// What the principal may do now.
    pub(super) authorization: &'a mut Authorization,
    pub(super) now: Timestamp,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) query: Query,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Bytes,
}

impl Call<'_> {
    /// The value of a label of the path.
    fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| *label == name).map_or("", |(_, value)| value)
    }

    /// A header that may stand once.
    fn header(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Failure::invalid(format!("the header {name} is given more than once")));
        }
        value.to_str().map(Some).map_err(|_| Failure::invalid(format!("the header {name} is not ASCII text")))
    }
}

const DATA: &[EndpointType] = &[EndpointType::DataAts, EndpointType::Data];
const JOBS: &[EndpointType] = &[EndpointType::Jobs, EndpointType::DataAts, EndpointType::Data];
const CREDENTIALS: &[EndpointType] = &[EndpointType::CredentialProvider];

/// Every operation.
pub(super) static OPERATIONS: &[Operation] = &[
    publish::OPERATION,
    list_retained_messages::OPERATION,
    get_retained_message::OPERATION,
    missing("GetThingShadow", "GET", "/things/{thingName}/shadow", DATA),
    missing("UpdateThingShadow", "POST", "/things/{thingName}/shadow", DATA),
    missing("DeleteThingShadow", "DELETE", "/things/{thingName}/shadow", DATA),
    missing("ListNamedShadowsForThing", "GET", "/api/things/shadow/ListNamedShadowsForThing/{thingName}", DATA),
    get_connection::OPERATION,
    delete_connection::OPERATION,
    list_subscriptions::OPERATION,
    send_direct_message::OPERATION,
    missing("GetPendingJobExecutions", "GET", "/things/{thingName}/jobs", JOBS),
    missing("StartNextPendingJobExecution", "PUT", "/things/{thingName}/jobs/$next", JOBS),
    missing("DescribeJobExecution", "GET", "/things/{thingName}/jobs/{jobId}", JOBS),
    missing("UpdateJobExecution", "POST", "/things/{thingName}/jobs/{jobId}", JOBS),
    assume_role_with_certificate::OPERATION,
];

/// Whom no connection and no session belongs to.
fn unknown_client() -> Failure {
    Failure::new(Code::ResourceNotFound, "no client with this id is connected, and none has a session")
}

const fn missing(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    endpoints: &'static [EndpointType],
) -> Operation {
    Operation { name, method, path, endpoints, body_bytes_max: gatehouse_domain::limits::PAYLOAD_BYTES, run: None }
}
