//! Step 5: what an admitted device may do. Each operation is asked of the policies that are attached to its
//! certificate *now*: what has changed since the last operation is marked, and looked up again.
//!
//! A decision in favour is an [`Authorized`] value, which only this module can make and which the steps that act demand.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use gatehouse_broker::Mailbox;
use gatehouse_domain::admission::stays;
use gatehouse_domain::arn::Prefix;
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::policy::{
    CertificateNames, ConnectAttributes, ConnectionContext, ConnectionFacts, PolicyDocument, Request, ThingFacts,
    evaluate,
};
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing::{Attachment, associated};
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::{TopicFilter, TopicName};
use gatehouse_store::{AdmissionRecord, ThingAttachment};

use crate::in_force::Current;
use crate::registry::Registry;

/// The policies say yes to `A`.
pub(crate) struct Authorized<A> {
    action: PhantomData<A>,
}

/// `iot:Connect`.
pub(crate) struct Connect;
/// `iot:Publish`.
pub(crate) struct Publish;
/// `iot:RetainPublish`.
pub(crate) struct RetainPublish;
/// `iot:Subscribe`.
pub(crate) struct Subscribe;
/// `iot:Receive`.
pub(crate) struct Receive;

/// The policies say no, or not yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Denied;

/// The permissions of one connection.
pub(crate) struct Authorization {
    scope: Scope,
    facts: ConnectionFacts,
    policies: Box<[Arc<Current<PolicyDocument>>]>,
    thing: Option<Arc<Current<ThingFacts>>>,
    /// Whether the certificate belongs to that thing alone.
    is_exclusive: bool,
    /// Where the ARN of a resource is written; kept so that no message costs an allocation.
    arn: String,
    arn_prefix_len: usize,
}

/// What is known of the connection besides the registry's record.
pub(crate) struct Connecting {
    pub(crate) client_id: ClientId,
    pub(crate) source_ip: IpAddr,
    pub(crate) domain_name: Option<Arc<str>>,
    pub(crate) names: Arc<CertificateNames>,
}

impl Authorization {
    /// Looks up what `record` permits for the connection `connecting`.
    ///
    /// # Errors
    /// `RegistryUnavailable`.
    pub(crate) async fn load(
        registry: &Registry,
        record: AdmissionRecord,
        connecting: Connecting,
    ) -> Result<Self, Refusal> {
        let scope = record.certificate.scope;
        let mut arn = Prefix(&scope).to_string();
        arn.shrink_to_fit();
        let mut authorization = Self {
            scope,
            facts: ConnectionFacts {
                client_id: Some(connecting.client_id),
                source_ip: Some(connecting.source_ip),
                domain_name: connecting.domain_name,
                certificate_id: Some(record.certificate.certificate_id),
                certificate_names: Some(connecting.names),
                thing: None,
            },
            policies: Box::default(),
            thing: None,
            is_exclusive: false,
            arn_prefix_len: arn.len(),
            arn,
        };
        authorization.apply(registry, record).await?;
        Ok(authorization)
    }

    /// Looks the permissions up again if anything they stand on has changed, and judges the certificate anew when its
    /// record was read for it. `mailbox` says whether the certificate's own record or attachments changed.
    ///
    /// # Errors
    /// Why the device may not be connected any more, or `RegistryUnavailable`.
    pub(crate) async fn refresh(
        &mut self,
        registry: &Registry,
        mailbox: &Mailbox,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let is_superseded = self.policies.iter().any(|policy| policy.is_superseded())
            || self.thing.as_ref().is_some_and(|thing| thing.is_superseded());
        if !mailbox.take_stale() && !is_superseded {
            return Ok(());
        }
        let Some(certificate_id) = self.facts.certificate_id else { return Ok(()) };
        // Boxed: seldom needed, and otherwise part of the memory of every connection that waits.
        let loaded = match Box::pin(registry.admission(self.scope, certificate_id)).await {
            Ok(record) => {
                let registration = record.as_ref().map(|record| record.certificate.registration());
                match (stays(registration.as_ref(), now), record) {
                    (Ok(()), Some(record)) => Box::pin(self.apply(registry, record)).await,
                    (verdict, _) => verdict,
                }
            }
            Err(refusal) => Err(refusal),
        };
        if loaded.is_err() {
            // What could not be looked up is still to be looked up.
            mailbox.mark_stale();
        }
        loaded
    }

    async fn apply(&mut self, registry: &Registry, record: AdmissionRecord) -> Result<(), Refusal> {
        let policies = registry.policies(self.scope, record.policies).await?;
        let attachments: Vec<Attachment> = record.things.iter().map(ThingAttachment::rule).collect();
        let client_id = self.facts.client_id.as_ref().map_or("", ClientId::as_str);
        let attachment = associated(&attachments, client_id);
        self.is_exclusive = attachment.is_some_and(|attachment| attachment.exclusive);
        self.thing = match attachment {
            Some(attachment) => registry.thing(self.scope, &attachment.thing_name).await?,
            None => None,
        };
        self.facts.thing = self.thing.as_deref().map(|thing| Arc::new(ThingFacts::clone(thing)));
        self.policies = policies;
        Ok(())
    }

    /// The thing that the certificate belongs to alone.
    pub(crate) fn exclusive_thing(&self) -> Option<ThingName> {
        self.thing.as_ref().filter(|_| self.is_exclusive).map(|thing| thing.name.clone())
    }

    /// May the device connect under its client id, with what its CONNECT asks for?
    pub(crate) fn connect(
        &mut self,
        now: Timestamp,
        is_persistent: bool,
        will_topic: Option<&TopicName>,
    ) -> Result<Authorized<Connect>, Denied> {
        let will = will_topic.map(|topic| format!("{}topic/{}", Prefix(&self.scope), topic.as_str()));
        let client_id = self.facts.client_id.clone();
        self.write_arn("client/", client_id.as_ref().map_or("", ClientId::as_str));
        let attributes = ConnectAttributes { persistent: is_persistent, last_will_topic: will.as_deref() };
        let context = ConnectionContext::connecting(&self.facts, now, attributes);
        self.ask("iot:Connect", &context)
    }

    /// May the device publish to `topic`?
    pub(crate) fn publish(&mut self, now: Timestamp, topic: &TopicName) -> Result<Authorized<Publish>, Denied> {
        self.write_arn("topic/", topic.as_str());
        self.ask("iot:Publish", &ConnectionContext::new(&self.facts, now))
    }

    /// May the device have what it publishes to `topic` retained? It needs [`publish`](Self::publish) as well.
    pub(crate) fn retain(&mut self, now: Timestamp, topic: &TopicName) -> Result<Authorized<RetainPublish>, Denied> {
        self.write_arn("topic/", topic.as_str());
        self.ask("iot:RetainPublish", &ConnectionContext::new(&self.facts, now))
    }

    /// May the device subscribe to `filter`? What counts is the filter as it was written.
    pub(crate) fn subscribe(&mut self, now: Timestamp, filter: &TopicFilter) -> Result<Authorized<Subscribe>, Denied> {
        self.write_arn("topicfilter/", filter.as_str());
        self.ask("iot:Subscribe", &ConnectionContext::new(&self.facts, now))
    }

    /// May the device receive a message of `topic`?
    pub(crate) fn receive(&mut self, now: Timestamp, topic: &TopicName) -> Result<Authorized<Receive>, Denied> {
        self.write_arn("topic/", topic.as_str());
        self.ask("iot:Receive", &ConnectionContext::new(&self.facts, now))
    }

    fn write_arn(&mut self, kind: &str, name: &str) {
        self.arn.truncate(self.arn_prefix_len);
        self.arn.push_str(kind);
        self.arn.push_str(name);
    }

    fn ask<A>(&self, action: &'static str, context: &ConnectionContext<'_>) -> Result<Authorized<A>, Denied> {
        let request = Request { action, resource: &self.arn, context };
        if evaluate(self.policies.iter().map(|policy| &***policy), &request).is_allowed() {
            Ok(Authorized { action: PhantomData })
        } else {
            Err(Denied)
        }
    }
}
