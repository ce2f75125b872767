//! RegisterThing: carries out a template that the caller sends, with the caller's permissions. Everything that it names is
//! there afterwards, or nothing is.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::provisioning::{CertificateSource, PlanRefusal, Template, TemplateKind};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::certificates::issue::Asker;
use crate::door::authorize::authorize;
use crate::error::Error;
use crate::operation::Operation;
use crate::provisioning::failure::Failure;
use crate::provisioning::{Order, Permit};

/// The operation.
pub struct RegisterThing;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_body: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_pem: String,
    resource_arns: BTreeMap<String, String>,
}

impl Operation for RegisterThing {
    const NAME: &'static str = "RegisterThing";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/things";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let template = Template::parse(&input.template_body, TemplateKind::Registration)
            .map_err(|refusal| Error::invalid(format!("templateBody: {refusal}")))?;
        let plan = template
            .plan(&input.parameters, None)
            .map_err(|refusal: PlanRefusal| Failure::new(FleetError::InvalidParameters, refusal.to_string()))?;

        if let CertificateSource::Id(id) = plan.certificate.source {
            // The answer shows it.
            authorize(call, "iot:DescribeCertificate", &Arn::certificate(call.scope, id).to_string())?;
        }

        let order = Order {
            house: &call.house,
            scope: call.scope,
            now: call.now,
            plan: &plan,
            permit: Permit::Caller(call),
            asker: Asker { principal_id: &call.caller.access_key_id, client_id: "" },
            is_waiting: false,
            unclaimed: None,
        };
        call.will_commit();
        let provisioned = order.carry_out().await?;
        Ok(Output { certificate_pem: provisioned.certificate_pem, resource_arns: provisioned.resource_arns })
    }
}
