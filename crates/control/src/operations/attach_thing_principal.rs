//! AttachThingPrincipal: attaches a certificate to a thing, whatever the certificate's status. Attaching it again in
//! the same way changes nothing.

use gatehouse_domain::certificate::may_attach;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing::{Attachment, AttachmentOutcome, ThingPrincipalType, attach_principal};
use gatehouse_store::{Batch, Page};
use serde::Deserialize;

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{Nothing, canonical_arn, certificate_principal, unknown_certificate, unknown_thing};

/// The operation.
pub struct AttachThingPrincipal;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_name: ThingName,
    principal: String,
    thing_principal_type: Option<ThingPrincipalType>,
}

impl Operation for AttachThingPrincipal {
    const NAME: &'static str = "AttachThingPrincipal";
    const METHOD: &'static str = "PUT";
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
        let certificate = call.store().certificate(call.scope, certificate_id).await?;
        let certificate = certificate.ok_or_else(|| unknown_certificate(certificate_id))?;
        // An exclusive attachment is the only one of its certificate, so any one of them tells whether there is one: a
        // certificate on thousands of things costs no more than one on a single thing.
        let here = call.store().thing_attachment(call.scope, name, certificate_id).await?;
        let first = call.store().principal_things(call.scope, certificate_id, None, Page::first(1)).await?;
        let attachments: Vec<Attachment> = here
            .into_iter()
            .chain(first)
            .map(|found| found.rule())
            .collect();

        may_attach(certificate.status)
            .map_err(|refusal| Error::invalid(format!("certificate {certificate_id}: {refusal}")))?;
        let exclusive = input.thing_principal_type.unwrap_or_default().is_exclusive();
        let outcome = attach_principal(&attachments, name, exclusive)
            .map_err(|refusal| Error::invalid(format!("certificate {certificate_id}: {refusal}")))?;
        if outcome == AttachmentOutcome::Unchanged {
            return Ok(Nothing {});
        }

        let mut batch = Batch::new();
        batch.attach_thing_principal(call.scope, name, certificate_id, exclusive, call.now);
        batch.announce(Event::CertificateThings { scope: call.scope, certificate_id });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
