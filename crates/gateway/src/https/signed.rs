//! Requests that prove by a signature who makes them (port 443).

use std::sync::Arc;

use gatehouse_broker::Mailbox;
use gatehouse_control::query::Query;
use gatehouse_control::sigv4::{SigV4Error, is_signature_parameter, normalised_path};
use gatehouse_control::verifier::{Unverified, VerifiedCaller};
use gatehouse_domain::domain_configuration::Entrance;
use gatehouse_domain::limits;
use gatehouse_domain::refusal::Refusal;
use http::request;
use hyper::body::Incoming;

use super::answer::{Code, Failure, Reply};
use super::connection::{Connection, not_implemented, wrong_endpoint};
use super::operations::Call;
use super::route::Route;
use super::upgrade::{self, Upgrade};
use crate::admission::Admitted;
use crate::authorization::{Authorization, Connecting, Rights};
use crate::connect::RefusalStyle;
use crate::endpoint::Endpoint;
use crate::principal::{CallerIdentity, Identity, Principal};

/// Names under which clients sign for the data plane: what the documentation says, and what botocore writes.
pub(crate) const SERVICES: [&str; 3] = ["iotdevicegateway", "iotdata", "iot-jobs-data"];

impl Connection {
    pub(super) async fn of_signer(
        &self,
        route: Result<Route, Failure>,
        head: &mut request::Parts,
        body: &mut Incoming,
    ) -> Result<Reply, Failure> {
        let on_upgrade = head.extensions.remove::<hyper::upgrade::OnUpgrade>();
        if !self.gateway.is_current() {
            return Err(Failure::refused(Refusal::RegistryUnavailable, RefusalStyle::Explain).closing());
        }
        if let Ok(route) = &route
            && route.operation.needs_certificate()
        {
            // No certificate was asked for, as the host name is no credential provider's.
            let _other_words = self.refuse_stranger(Refusal::WrongEndpoint);
            return Err(route.operation.wrong_endpoint().closing());
        }
        // Who signs nothing, or with an unknown key, gets no memory for a body.
        let claim = self.gateway.verifier.claim(head).await.map_err(|error| self.unverified(&error).closing())?;
        let body_bytes_max =
            route.as_ref().map_or(limits::PAYLOAD_BYTES, |Route { operation, .. }| operation.body_bytes_max);
        let body = self.gateway.bodies.read(body, body_bytes_max).await?;
        let verified = self.gateway.verifier.verify(claim, head, &body.bytes).await;
        let caller = verified.map_err(|error| self.unless_in(self.unverified(&error)))?;
        let endpoint = self.gateway.admission.endpoints.of_caller(self.known.sni.as_deref(), caller.scope()).await;
        let endpoint = endpoint.map_err(|refusal| self.unless_in(self.refuse_stranger(refusal)))?;
        self.is_in();
        // The signature stands for the path in this form: another one could be led to another topic.
        if normalised_path(head.uri.path()) != head.uri.path() {
            return Err(Failure::invalid(
                "empty and dot segments of the path are not signed: write slashes of names as %2F",
            ));
        }

        if head.uri.path() == upgrade::PATH {
            return self.to_websocket(head, on_upgrade, caller, endpoint);
        }
        let Route { operation, labels } = route?;
        if !operation.endpoints.contains(&endpoint.endpoint_type) || !endpoint.access.lets_in(Entrance::SignedHttps) {
            return Err(operation.wrong_endpoint());
        }
        let run = operation.run.ok_or_else(|| not_implemented(operation.name))?;
        let mut query = Query::parse(head.uri.query().unwrap_or(""))?;
        query.forget(is_signature_parameter);
        let scope = caller.scope();
        let principal = Principal::AccessKey(caller.access_key_id().into());
        let mut authorization = self.authorization(caller, endpoint).await?;
        let call = Call {
            gateway: &self.gateway,
            scope,
            principal: &principal,
            peer: self.known.peer,
            authorization: &mut authorization,
            now: self.gateway.shared.clock.now(),
            labels,
            query,
            headers: &head.headers,
            body: body.bytes,
        };
        run(call).await
    }

    async fn authorization(&self, caller: VerifiedCaller, endpoint: Endpoint) -> Result<Authorization, Failure> {
        let connecting = Connecting {
            client_id: None,
            source_ip: self.known.peer.ip(),
            domain_name: endpoint.is_named.then(|| self.known.sni.clone()).flatten(),
        };
        Authorization::load(&self.gateway.shared.registry, Rights::AccessKey(caller), connecting)
            .await
            .map_err(|refusal| Failure::refused(refusal, RefusalStyle::Explain))
    }

    /// `GET /mqtt`: once the answer is out, the connection is a WebSocket of the access key.
    fn to_websocket(
        &self,
        head: &request::Parts,
        on_upgrade: Option<hyper::upgrade::OnUpgrade>,
        caller: VerifiedCaller,
        endpoint: Endpoint,
    ) -> Result<Reply, Failure> {
        if !endpoint.serves_mqtt_by(Entrance::SignedMqttWss) {
            return Err(wrong_endpoint("MQTT over WebSocket"));
        }
        let response = upgrade::accept(head)?;
        let on_upgrade = on_upgrade.ok_or_else(upgrade::no_upgrade)?;
        let gateway = &self.gateway;
        let mailbox = Arc::new(Mailbox::within(Arc::clone(&gateway.queue_room)));
        let principal = Principal::AccessKey(caller.access_key_id().into());
        let presence = gateway.connections.enter(caller.scope(), principal.clone(), &mailbox);
        // The key was read before the connection was in the index: it is read again at CONNECT.
        mailbox.mark_stale();
        let rights = Rights::AccessKey(caller.clone());
        let now = gateway.shared.clock.now();
        let identity = CallerIdentity::new(caller, principal, endpoint.is_named, now, presence);
        let admitted =
            Admitted { identity: Identity::Caller(Box::new(identity)), rights, endpoint_type: endpoint.endpoint_type };
        self.upgrade(Upgrade { on_upgrade, admitted, mailbox });
        Ok(Reply::SwitchingProtocols(Box::new(response)))
    }

    fn unverified(&self, error: &Unverified) -> Failure {
        match error {
            Unverified::Signature(SigV4Error::NotSigned) => self.refuse_stranger(Refusal::NotSigned),
            Unverified::Signature(SigV4Error::UnrecognizedClient) => {
                let failure = self.refuse_stranger(Refusal::AccessKey);
                // AWS's words.
                Failure { message: error.to_string().into(), ..failure }
            }
            Unverified::Signature(_) => {
                let failure = self.refuse_stranger(Refusal::Signature);
                match self.gateway.refusals {
                    RefusalStyle::Explain => Failure { message: error.to_string().into(), ..failure },
                    RefusalStyle::Silent => failure,
                }
            }
            Unverified::Store(error) => {
                tracing::error!(%error, "an access key cannot be read");
                self.refuse_stranger(Refusal::RegistryUnavailable)
            }
            Unverified::Internal(error) => {
                tracing::error!(%error, "an access key cannot be used");
                Failure::new(Code::InternalFailure, "an internal failure: the server's log has it")
            }
        }
    }
}
