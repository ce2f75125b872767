//! DetachThingPrincipal: detaches a certificate from a thing, at once.

use gatehouse_domain::event::Event;
use gatehouse_domain::name::ThingName;
use gatehouse_store::Batch;
use serde::Deserialize;

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{Nothing, canonical_arn, certificate_principal, unknown_thing};

/// The operation.
pub struct DetachThingPrincipal;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_name: ThingName,
    principal: String,
}

impl Operation for DetachThingPrincipal {
    const NAME: &'static str = "DetachThingPrincipal";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/things/{thingName}/principals";
    type Input = Input;
    type Output = Nothing;

    /// The certificate, as for AWS (developer guide, "How AWS IoT works with IAM").
    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.principal)
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.thing_name;
        let certificate_id = certificate_principal(call, &input.principal)?;
        if call.store().thing(call.scope, name).await?.is_none() {
            return Err(unknown_thing(name));
        }
        if call.store().thing_attachment(call.scope, name, certificate_id).await?.is_none() {
            return Err(Error::not_found(format!("certificate {certificate_id} is not attached to thing {name}")));
        }

        let mut batch = Batch::new();
        batch.detach_thing_principal(call.scope, name, certificate_id);
        batch.announce(Event::CertificateThings { scope: call.scope, certificate_id });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
