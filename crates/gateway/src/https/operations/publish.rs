//! Publish: one message, from somebody who keeps no connection for it.

use std::sync::Arc;

use gatehouse_broker::{Message, Unavailable};
use gatehouse_domain::fleet_provisioning::{NEEDS_A_CONNECTION, request};
use gatehouse_domain::limits;
use gatehouse_domain::topic::{TopicName, may_publish};
use gatehouse_mqtt::{MessageProperties, Qos};

use super::input::{number, properties, truth};
use super::{Call, DATA, Operation, Running};
use crate::authorization::{Authorized, Publish};
use crate::https::answer::{Code, Failure, Reply};
use crate::report::Denial;

pub(super) const OPERATION: Operation = Operation {
    name: "Publish",
    method: "POST",
    path: "/topics/{topic+}",
    endpoints: DATA,
    body_bytes_max: limits::PAYLOAD_BYTES,
    run: Some(run),
};

fn run(call: Call<'_>) -> Running<'_> {
    Box::pin(publish(call))
}

/// What is asked for.
struct Input {
    topic: TopicName,
    qos: Qos,
    retain: bool,
    properties: MessageProperties,
}

async fn publish(mut call: Call<'_>) -> Result<Reply, Failure> {
    let input = read(&mut call)?;
    if let Some(counter) = call.gateway.metrics.received.get(usize::from(input.qos.value())) {
        counter.inc();
    }
    let authorized = match permit(&mut call, &input) {
        Ok(authorized) => authorized,
        Err(failure) => {
            let denial = Denial {
                event_type: "Publish-In",
                details: &failure.message,
                topic: input.topic.as_str(),
                principal: call.principal,
                scope: call.scope,
                client_id: None,
            };
            call.gateway.reporter.deny(&denial, call.now);
            return Err(failure);
        }
    };
    hand_over(&call, &authorized, input).await?;
    Ok(Reply::Done)
}

/// The policy first: who may not publish learns nothing of what is there.
fn permit(call: &mut Call<'_>, input: &Input) -> Result<Authorized<Publish>, Failure> {
    let denied = |action| Failure::new(Code::Forbidden, format!("no policy allows {action} to this topic"));
    let authorized = call.authorization.publish(call.now, &input.topic).map_err(|_| denied("iot:Publish"))?;
    if input.retain {
        call.authorization.retain_publish(call.now, &input.topic).map_err(|_| denied("iot:RetainPublish"))?;
    }
    may_publish(&input.topic).map_err(|reserved| Failure::invalid(reserved.to_string()))?;
    if request(&input.topic).is_some() {
        return Err(Failure::invalid(NEEDS_A_CONNECTION));
    }
    if input.retain && input.topic.is_reserved() {
        return Err(Failure::invalid("messages on topics that begin with $ are not retained: publish without retain"));
    }
    let rates = call.gateway.rates.of(call.scope);
    if !rates.may_publish(call.now) || (input.retain && !rates.may_retain(&input.topic, call.now)) {
        call.gateway.metrics.throttled("Publish-In");
        return Err(Failure::new(Code::Throttling, "too many messages a second are published: try again later"));
    }
    Ok(authorized)
}

/// The answer is given when the message is safe with everybody who must get it.
async fn hand_over(call: &Call<'_>, _authorized: &Authorized<Publish>, input: Input) -> Result<(), Failure> {
    let message = Arc::new(Message {
        topic: input.topic,
        payload: call.body.clone(),
        qos: input.qos,
        properties: input.properties,
        published_at: call.now,
        retain: input.retain,
    });
    let published = call.gateway.broker.publish_durably(call.scope, &message).await;
    published.map(drop).map_err(|unavailable| {
        let code = match unavailable {
            Unavailable::Store => Code::ServiceUnavailable,
            Unavailable::RetainedLimit | Unavailable::Throttled => Code::Throttling,
        };
        Failure::new(code, format!("{unavailable}: publish the message again later"))
    })
}

fn read(call: &mut Call<'_>) -> Result<Input, Failure> {
    let topic = TopicName::parse(call.label("topic")).map_err(|invalid| Failure::invalid(invalid.to_string()))?;
    let qos = match call.query.take("qos")?.as_deref() {
        None | Some("0") => Qos::AtMostOnce,
        Some("1") => Qos::AtLeastOnce,
        Some(_) => return Err(Failure::invalid("qos must be 0 or 1")),
    };
    let retain = truth(call, "retain")?;
    let message_expiry_interval = number(call, "messageExpiry", 0..=u32::MAX)?.map(limits::message_expiry_secs);
    let properties = MessageProperties { message_expiry_interval, ..properties(call)? };
    call.query.finish()?;
    Ok(Input { topic, qos, retain, properties })
}
