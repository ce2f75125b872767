//! SendDirectMessage: one message to one connected client, subscribed or not.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_broker::{Confirmation, Direct, Message};
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::limits;
use gatehouse_domain::topic::TopicName;
use gatehouse_mqtt::{MessageProperties, Qos};

use super::input::{client_id, number, properties, truth};
use super::{Call, DATA, Operation, Running};
use crate::https::answer::{Code, Failure, Reply};

/// How long the receiver is waited for when the caller does not say, and at most, in seconds.
const TIMEOUT_SECS: u32 = 5;
const TIMEOUT_MAX_SECS: u32 = 15;

pub(super) const OPERATION: Operation = Operation {
    name: "SendDirectMessage",
    method: "POST",
    path: "/connections/{clientId}/messages",
    endpoints: DATA,
    body_bytes_max: limits::PAYLOAD_BYTES,
    run: Some(run),
};

fn run(call: Call<'_>) -> Running<'_> {
    Box::pin(send(call))
}

struct Input {
    client_id: ClientId,
    topic: TopicName,
    confirmation: bool,
    timeout: Duration,
    properties: MessageProperties,
}

fn read(call: &mut Call<'_>) -> Result<Input, Failure> {
    let client_id = client_id(call)?;
    let topic = call.query.take("topic")?.ok_or_else(|| Failure::invalid("topic is missing"))?;
    let topic = TopicName::parse(&topic).map_err(|invalid| Failure::invalid(invalid.to_string()))?;
    if topic.is_reserved() {
        return Err(Failure::invalid("the topic of a direct message must not begin with $"));
    }
    let confirmation = truth(call, "confirmation")?;
    let timeout_secs = number(call, "timeout", 1..=TIMEOUT_MAX_SECS)?.unwrap_or(TIMEOUT_SECS);
    let properties = properties(call)?;
    call.query.finish()?;
    Ok(Input { client_id, topic, confirmation, timeout: Duration::from_secs(u64::from(timeout_secs)), properties })
}

async fn send(mut call: Call<'_>) -> Result<Reply, Failure> {
    let input = read(&mut call)?;
    call.authorization
        .send_direct_message(&input.client_id, &input.topic, call.now)
        .map_err(|_| Failure::new(Code::Forbidden, "no policy allows iot:SendDirectMessage to this client"))?;
    let session = call.gateway.broker.session(call.scope, &input.client_id).ok_or_else(|| {
        Failure::new(Code::ResourceNotFound, "The target client ID is not connected and has no session")
    })?;
    let Some(mailbox) = session.mailbox() else {
        return Err(Failure::new(
            Code::ResourceNotFound,
            "The target client ID is not connected, but it has an active persistent session",
        ));
    };
    let qos = if input.confirmation { Qos::AtLeastOnce } else { Qos::AtMostOnce };
    let message = Message {
        topic: input.topic,
        payload: call.body.clone(),
        qos,
        properties: input.properties,
        published_at: call.now,
        retain: false,
    };
    let (direct, outcome) = Direct::new();
    mailbox.push_direct(Arc::new(message), qos, direct);
    match tokio::time::timeout(input.timeout, outcome).await {
        Ok(Ok(Confirmation::Done)) => Ok(Reply::Done),
        Ok(Ok(Confirmation::NotAuthorized)) => Err(Failure::new(
            Code::Forbidden,
            format!("no policy allows client {} to receive messages of this topic (iot:Receive)", input.client_id),
        )),
        Ok(Ok(Confirmation::Refused)) => Err(Failure::new(
            Code::GatewayTimeout,
            format!("client {} answered that it does not take the message", input.client_id),
        )),
        Ok(Ok(Confirmation::TooLarge)) => Err(Failure::new(
            Code::RequestEntityTooLarge,
            format!("the message is larger than client {} takes", input.client_id),
        )),
        Ok(Err(_gone)) => Err(Failure::new(
            Code::GatewayTimeout,
            format!(
                "client {} went, or takes no more at the moment, before the message was delivered",
                input.client_id
            ),
        )),
        Err(_elapsed) => {
            Err(Failure::new(Code::GatewayTimeout, format!("client {} did not confirm in time", input.client_id)))
        }
    }
}
