//! Step 5: what an admitted device may do. Each operation is asked of the policies that are attached to its
//! certificate *now*, and to the groups of the thing that the connection stands for: what has changed since the last
//! operation is marked, and looked up again. The holder of an access key may do what the key's own policy says.
//!
//! A decision in favour is an [`Authorized`] value, which only this module can make and which the steps that act demand.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use gatehouse_broker::Mailbox;
use gatehouse_control::verifier::{VerifiedCaller, policy};
use gatehouse_domain::admission::stays;
use gatehouse_domain::arn::Prefix;
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::credentials::may_assume;
use gatehouse_domain::name::{RoleAliasName, ThingName};
use gatehouse_domain::policy::{
    CallContext, ConnectAttributes, ConnectionContext, ConnectionFacts, Context, ContextValue, CredentialDevice, Key,
    PolicyDocument, Request, evaluate,
};
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing::{Attachment, associated};
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::{TopicFilter, TopicName};
use gatehouse_pki::certificate::Certificate;
use gatehouse_store::ThingAttachment;

use crate::in_force::Current;
use crate::registry::{Holder, Record, Registry, Thing};

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
/// An action of the data plane that is asked for once in a while.
pub(crate) struct Other;
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
    standing: Standing,
    thing: Option<Arc<Current<Thing>>>,
    /// Whether the certificate belongs to that thing alone.
    is_exclusive: bool,
    /// Where the ARN of a resource is written; kept so that no message costs an allocation.
    arn: String,
    arn_prefix_len: usize,
}

/// What permissions stand on.
enum Standing {
    /// The policies of a certificate.
    Certificate(Box<[Arc<Current<PolicyDocument>>]>),
    /// An access key. Boxed: devices are many, and must not pay for its size.
    AccessKey(Box<KeyStanding>),
}

struct KeyStanding {
    access_key_id: Arc<str>,
    /// Without one, the key may do everything in its account.
    policy: Option<Arc<PolicyDocument>>,
    /// The device that the key was given to.
    device: Option<CredentialDevice>,
}

/// What permissions are loaded from.
pub(crate) enum Rights {
    /// A device's certificate and its record.
    Certificate {
        /// As the device presented it.
        certificate: Certificate,
        /// As it was read for admission.
        record: Record,
    },
    /// A verified signature.
    AccessKey(VerifiedCaller),
}

/// What is known of the connection besides the registry's record.
pub(crate) struct Connecting {
    /// None over HTTPS.
    pub(crate) client_id: Option<ClientId>,
    pub(crate) source_ip: IpAddr,
    pub(crate) domain_name: Option<Arc<str>>,
}

impl Authorization {
    /// Looks up what `rights` permit for the connection `connecting`.
    ///
    /// # Errors
    /// `RegistryUnavailable`.
    pub(crate) async fn load(registry: &Registry, rights: Rights, connecting: Connecting) -> Result<Self, Refusal> {
        let facts = ConnectionFacts {
            client_id: connecting.client_id,
            source_ip: Some(connecting.source_ip),
            domain_name: connecting.domain_name,
            certificate_id: None,
            certificate_names: None,
            thing: None,
        };
        match rights {
            Rights::Certificate { certificate, record } => {
                let facts = ConnectionFacts {
                    certificate_id: Some(record.certificate_id),
                    certificate_names: Some(Arc::new(certificate.names())),
                    ..facts
                };
                let standing = Standing::Certificate(Box::default());
                let mut authorization = Self::new(record.scope, facts, standing);
                authorization.apply(registry, record).await?;
                Ok(authorization)
            }
            Rights::AccessKey(caller) => Ok(Self::of_caller(&caller, facts)),
        }
    }

    fn of_caller(caller: &VerifiedCaller, facts: ConnectionFacts) -> Self {
        let standing = KeyStanding {
            access_key_id: caller.access_key_id().into(),
            policy: caller.policy().cloned(),
            device: caller.device().cloned(),
        };
        Self::new(caller.scope(), facts, Standing::AccessKey(Box::new(standing)))
    }

    fn new(scope: Scope, facts: ConnectionFacts, standing: Standing) -> Self {
        let mut arn = Prefix(&scope).to_string();
        arn.shrink_to_fit();
        Self { scope, facts, standing, thing: None, is_exclusive: false, arn_prefix_len: arn.len(), arn }
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
        let is_superseded = match &self.standing {
            Standing::Certificate(policies) => policies.iter().any(|policy| policy.is_superseded()),
            Standing::AccessKey(_) => false,
        } || self.thing.as_ref().is_some_and(|thing| thing.is_superseded());
        if !mailbox.take_stale() && !is_superseded {
            return Ok(());
        }
        // Boxed: seldom needed, and otherwise part of the memory of every connection that waits.
        let loaded = Box::pin(self.load_again(registry, now)).await;
        if loaded.is_err() {
            // What could not be looked up is still to be looked up.
            mailbox.mark_stale();
        }
        loaded
    }

    async fn load_again(&mut self, registry: &Registry, now: Timestamp) -> Result<(), Refusal> {
        if let Standing::AccessKey(key) = &mut self.standing {
            let record = registry.access_key(self.scope, &key.access_key_id, now).await?;
            key.policy = policy(&record).map_err(|error| {
                tracing::error!(%error, "an access key cannot be used");
                Refusal::RegistryUnavailable
            })?;
        }
        let Some(certificate_id) = self.facts.certificate_id else { return Ok(()) };
        let record = registry.admission(self.scope, certificate_id).await?;
        stays(record.as_ref().map(|record| record.registration).as_ref(), now)?;
        self.apply(registry, record.ok_or(Refusal::Deleted)?).await
    }

    async fn apply(&mut self, registry: &Registry, record: Record) -> Result<(), Refusal> {
        let (mut policies, things) = match record.holder {
            Holder::Device { policies, things } => (policies, things),
            Holder::Claim(policy) => {
                self.standing = Standing::Certificate(Box::new([policy]));
                return Ok(());
            }
        };
        let attachments: Vec<Attachment> = things.iter().map(ThingAttachment::rule).collect();
        // Over HTTPS there is no client id, and no thing stands for the connection.
        let client_id = self.facts.client_id.as_ref().map(ClientId::as_str);
        let attachment = client_id.and_then(|client_id| associated(&attachments, client_id));
        self.is_exclusive = attachment.is_some_and(|attachment| attachment.exclusive);
        self.thing = match attachment {
            Some(attachment) => registry.thing(self.scope, &attachment.thing_name).await?,
            None => None,
        };
        self.facts.thing = self.thing.as_deref().map(|thing| Arc::new(thing.facts.clone()));
        policies.extend(self.thing.iter().flat_map(|thing| thing.inherited.policies.iter().cloned()));
        let policies = registry.policies(self.scope, policies).await?;
        self.standing = Standing::Certificate(policies);
        Ok(())
    }

    /// The thing that the certificate belongs to alone.
    pub(crate) fn exclusive_thing(&self) -> Option<ThingName> {
        self.thing.as_ref().filter(|_| self.is_exclusive).map(|thing| thing.facts.name.clone())
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

    /// May the device have a message of `topic` retained? Beside [`Self::publish`].
    pub(crate) fn retain_publish(
        &mut self,
        now: Timestamp,
        topic: &TopicName,
    ) -> Result<Authorized<RetainPublish>, Denied> {
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

    /// May somebody do `action`, which stands for a whole scope?
    pub(crate) fn on_everything(&mut self, action: &'static str, now: Timestamp) -> Result<Authorized<Other>, Denied> {
        self.arn.truncate(0);
        self.arn.push('*');
        let answer = self.ask(action, &ConnectionContext::new(&self.facts, now));
        self.arn.clear();
        self.arn.push_str(&Prefix(&self.scope).to_string());
        answer
    }

    /// May somebody do `action` with what belongs to `topic`?
    pub(crate) fn on_topic(
        &mut self,
        action: &'static str,
        topic: &TopicName,
        now: Timestamp,
    ) -> Result<Authorized<Other>, Denied> {
        self.write_arn("topic/", topic.as_str());
        self.ask(action, &ConnectionContext::new(&self.facts, now))
    }

    /// May somebody do `action` with the client `client_id`?
    pub(crate) fn on_client(
        &mut self,
        action: &'static str,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<Authorized<Other>, Denied> {
        self.write_arn("client/", client_id.as_str());
        self.ask(action, &ConnectionContext::new(&self.facts, now))
    }

    /// `iot:GetConnection`, whose policies may ask whether socket information is wanted.
    pub(crate) fn get_connection(
        &mut self,
        client_id: &ClientId,
        with_socket: bool,
        now: Timestamp,
    ) -> Result<Authorized<Other>, Denied> {
        self.write_arn("client/", client_id.as_str());
        let context = ConnectionContext {
            include_socket_information: Some(with_socket),
            ..ConnectionContext::new(&self.facts, now)
        };
        self.ask("iot:GetConnection", &context)
    }

    /// `iot:SendDirectMessage`, whose policies may ask for the topic.
    pub(crate) fn send_direct_message(
        &mut self,
        client_id: &ClientId,
        topic: &TopicName,
        now: Timestamp,
    ) -> Result<Authorized<Other>, Denied> {
        self.write_arn("client/", client_id.as_str());
        let context = ConnectionContext { topic: Some(topic.as_str()), ..ConnectionContext::new(&self.facts, now) };
        self.ask("iot:SendDirectMessage", &context)
    }

    /// May the device have credentials by `alias`? None but a certificate's policies say so.
    pub(crate) fn assume_role(&self, alias: &RoleAliasName, now: Timestamp) -> Result<Authorized<Other>, Denied> {
        let Standing::Certificate(policies) = &self.standing else { return Err(Denied) };
        let context = ConnectionContext::new(&self.facts, now);
        let decision = may_assume(policies.iter().map(|policy| &***policy), self.scope, alias, &context);
        if decision.is_allowed() { Ok(Authorized { action: PhantomData }) } else { Err(Denied) }
    }

    fn write_arn(&mut self, kind: &str, name: &str) {
        self.arn.truncate(self.arn_prefix_len);
        self.arn.push_str(kind);
        self.arn.push_str(name);
    }

    fn ask<A>(&self, action: &'static str, context: &ConnectionContext<'_>) -> Result<Authorized<A>, Denied> {
        let is_allowed = match &self.standing {
            Standing::Certificate(policies) => {
                let request = Request { action, resource: &self.arn, context };
                evaluate(policies.iter().map(|policy| &***policy), &request).is_allowed()
            }
            Standing::AccessKey(key) => key.policy.as_deref().is_none_or(|policy| {
                let call = CallContext {
                    scope: self.scope,
                    source_ip: self.facts.source_ip,
                    secure_transport: true,
                    now: context.now,
                    device: key.device.as_ref(),
                };
                let context = CallerContext { connection: *context, call };
                evaluate([policy], &Request { action, resource: &self.arn, context: &context }).is_allowed()
            }),
        };
        if is_allowed { Ok(Authorized { action: PhantomData }) } else { Err(Denied) }
    }
}

/// What the policy of an access key may ask: about the connection, and what IAM knows of any call.
struct CallerContext<'a> {
    connection: ConnectionContext<'a>,
    call: CallContext<'a>,
}

impl Context for CallerContext<'_> {
    fn value(&self, key: &Key) -> ContextValue<'_> {
        match self.connection.value(key) {
            ContextValue::Absent => self.call.value(key),
            value => value,
        }
    }
}
