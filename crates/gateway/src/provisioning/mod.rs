//! Fleet provisioning over MQTT: what a device publishes to the topics of provisioning is a request to the service, and the
//! answer goes to its connection alone, subscribed or not. The work is done beside the session, which goes on meanwhile;
//! what is decided is [`gatehouse_control::provisioning`]'s.

mod payload;

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_broker::{Direct, Mailbox, Message};
use gatehouse_control::provisioning::failure::Failure;
use gatehouse_control::provisioning::fleet::{FleetProvisioning, FreshCertificate, Registered, Requester};
use gatehouse_domain::fleet_provisioning::{FleetError, FleetOperation, PayloadFormat, answer_topic, request};
use gatehouse_domain::limits;
use gatehouse_domain::topic::TopicName;
use gatehouse_mqtt::{InboundPublish, MessageProperties, Qos, ReasonCode};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use self::payload::{InvalidPayload, Members};
use crate::authorization::{Authorized, Publish};
use crate::report::Unprovisioned;
use crate::session::{Session, Shared};

/// The requests of one connection that are not answered yet. Dropped, they end.
#[derive(Default)]
pub(crate) struct UnderWay(JoinSet<()>);

impl UnderWay {
    /// Lets them go on to their end, though nobody hears the answer.
    pub(crate) fn go_on(mut self) {
        self.0.detach_all();
    }

    fn has_room(&mut self) -> bool {
        while self.0.try_join_next().is_some() {}
        self.0.len() < limits::PROVISIONING_PER_CONNECTION
    }
}

impl Session {
    /// Takes in a publish that is a request; `false` when it is none. The publish is acknowledged as soon as it is taken
    /// in: what becomes of the request, its answer tells.
    pub(crate) fn provision(
        &mut self,
        _authorized: &Authorized<Publish>,
        topic: &TopicName,
        publish: &InboundPublish,
    ) -> bool {
        let Some((operation, format)) = request(topic) else { return false };
        let qos = publish.delivery.qos();
        if let Some(packet_id) = publish.delivery.packet_id() {
            self.answer_in_line(packet_id, ReasonCode::Success, String::new());
        }
        let asked = Asked {
            shared: Arc::clone(&self.shared),
            mailbox: Arc::clone(&self.mailbox),
            topic: topic.clone(),
            format,
            qos,
            operation: operation.name(),
            scope: self.identity.scope(),
            principal: self.identity.principal().to_string(),
            client_id: self.guard.session().client_id().as_str().to_owned(),
        };
        let throttled = |message: &str| Err(Failure { kind: FleetError::Throttling, message: message.to_owned() });
        let under_way = self.provisioning.get_or_insert_default();
        if !under_way.has_room() {
            let message = "too many requests of this connection wait for an answer: wait for one before the next";
            asked.answer(throttled(message));
            return true;
        }
        if !self.rates.may_provision(operation, self.shared.clock.now()) {
            self.shared.metrics.throttled(operation.name());
            asked.answer(throttled("too many devices are being provisioned: try again later"));
            return true;
        }
        let request = match Request::read(operation, &publish.payload, format) {
            Ok(request) => request,
            Err(invalid) => {
                asked.answer(Err(invalid.into()));
                return true;
            }
        };
        under_way.0.spawn(async move {
            let outcome = request.carry_out(&asked.shared.provisioning, asked.requester()).await;
            asked.answer(outcome);
        });
        true
    }
}

/// What is asked for, read.
enum Request {
    CreateKeysAndCertificate,
    CreateCertificateFromCsr { csr: String },
    RegisterThing { template_name: String, token: String, parameters: std::collections::BTreeMap<String, String> },
}

impl Request {
    fn read(operation: FleetOperation<'_>, payload: &[u8], format: PayloadFormat) -> Result<Self, InvalidPayload> {
        let mut members = Members::read(payload, format)?;
        let request = match operation {
            FleetOperation::CreateKeysAndCertificate => Self::CreateKeysAndCertificate,
            FleetOperation::CreateCertificateFromCsr => {
                // Missing, it is refused as one that cannot be read.
                Self::CreateCertificateFromCsr { csr: members.text("certificateSigningRequest")?.unwrap_or_default() }
            }
            FleetOperation::RegisterThing { template_name } => {
                // The topic says it already; some of AWS's SDKs write it into the payload as well.
                members.repeats("templateName", template_name)?;
                Self::RegisterThing {
                    template_name: template_name.to_owned(),
                    token: members.text("certificateOwnershipToken")?.unwrap_or_default(),
                    parameters: members.map("parameters")?,
                }
            }
        };
        members.finish()?;
        Ok(request)
    }

    async fn carry_out(self, provisioning: &FleetProvisioning, requester: Requester<'_>) -> Result<Value, Failure> {
        match self {
            Self::CreateKeysAndCertificate => {
                provisioning.create_keys_and_certificate(requester).await.map(|fresh| certificate(&fresh))
            }
            Self::CreateCertificateFromCsr { csr } => {
                provisioning.create_certificate_from_csr(requester, &csr).await.map(|fresh| certificate(&fresh))
            }
            Self::RegisterThing { template_name, token, parameters } => {
                provisioning.register_thing(requester, &template_name, &token, parameters).await.map(registered)
            }
        }
    }
}

fn certificate(fresh: &FreshCertificate) -> Value {
    let mut answer = Map::new();
    answer.insert("certificateId".to_owned(), json!(fresh.certificate.id()));
    answer.insert("certificatePem".to_owned(), json!(fresh.certificate.pem()));
    if let Some(private_key) = &fresh.private_key {
        answer.insert("privateKey".to_owned(), json!(private_key.as_str()));
    }
    answer.insert("certificateOwnershipToken".to_owned(), json!(fresh.ownership_token));
    Value::Object(answer)
}

fn registered(registered: Registered) -> Value {
    let mut answer = Map::new();
    answer.insert("deviceConfiguration".to_owned(), json!(registered.device_configuration));
    if let Some(thing_name) = registered.thing_name {
        answer.insert("thingName".to_owned(), json!(thing_name.as_str()));
    }
    Value::Object(answer)
}

impl From<InvalidPayload> for Failure {
    fn from(invalid: InvalidPayload) -> Self {
        Self { kind: FleetError::InvalidPayload, message: invalid.to_string() }
    }
}

/// Who asked, and where the answer goes.
struct Asked {
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    topic: TopicName,
    format: PayloadFormat,
    qos: Qos,
    operation: &'static str,
    scope: gatehouse_domain::scope::Scope,
    principal: String,
    client_id: String,
}

impl Asked {
    fn requester(&self) -> Requester<'_> {
        Requester { scope: self.scope, principal: &self.principal, client_id: &self.client_id }
    }

    /// Puts the answer into the mailbox of whoever asked, as a message that only that connection gets, with the QoS of the
    /// request. Its policies must let it receive the topic, as any message.
    fn answer(self, outcome: Result<Value, Failure>) {
        let result = outcome.as_ref().map_or_else(|failure| failure.kind.as_str(), |_| "Accepted");
        self.shared.metrics.provisioned(self.operation, result);
        match &outcome {
            Ok(_) => tracing::info!(
                event_type = self.operation,
                status = "Success",
                scope = %self.scope,
                principal = %self.principal,
                client_id = %self.client_id,
                "fleet provisioning"
            ),
            Err(failure) => {
                let unprovisioned = Unprovisioned {
                    event_type: self.operation,
                    failure,
                    topic: Some(self.topic.as_str()),
                    principal: &self.principal,
                    scope: self.scope,
                    client_id: &self.client_id,
                };
                self.shared.reporter.not_provisioned(&unprovisioned, self.shared.clock.now());
            }
        }
        let Some(topic) = answer_topic(&self.topic, outcome.is_ok()) else { return };
        let answer = outcome.unwrap_or_else(|failure| {
            json!({
                "statusCode": failure.kind.status_code(),
                "errorCode": failure.kind.as_str(),
                "errorMessage": failure.message,
            })
        });
        let message = Message {
            topic,
            payload: Bytes::from(payload::write(&answer, self.format)),
            qos: self.qos,
            properties: MessageProperties::NONE,
            published_at: self.shared.clock.now(),
            retain: false,
        };
        // Nobody waits for what becomes of it.
        let (direct, _outcome) = Direct::new();
        self.mailbox.push_direct(Arc::new(message), self.qos, direct);
    }
}
