//! DeleteDomainConfiguration: removes one that has been switched off. Its host name is free for others then.

use gatehouse_domain::domain_configuration::may_delete;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::DomainConfigurationName;
use gatehouse_store::Batch;
use serde::Deserialize;

use super::domain_configuration::{arn, find, refused};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeleteDomainConfiguration;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    domain_configuration_name: DomainConfigurationName,
}

impl Operation for DeleteDomainConfiguration {
    const NAME: &'static str = "DeleteDomainConfiguration";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/domainConfigurations/{domainConfigurationName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        arn(call.scope, &input.domain_configuration_name).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.domain_configuration_name;
        let record = find(call, name).await?;
        may_delete(record.status, record.domain_type, record.status_changed_at, call.now).map_err(refused)?;

        let mut batch = Batch::new();
        batch.delete_domain_configuration(&record);
        batch.delete_tags(&arn(call.scope, name));
        batch.announce(Event::DomainConfiguration { scope: call.scope, name: name.clone() });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
