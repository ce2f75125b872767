//! Just-in-time provisioning: a device whose certificate has just been registered, because a CA of the scope signed it,
//! becomes part of the fleet by that CA's template (developer guide, "Just-in-time provisioning"). What does not succeed
//! leaves the certificate PENDING_ACTIVATION; the next connection tries again.

use std::sync::Arc;

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning::{PlanRefusal, Template, TemplateKind, just_in_time_parameters};
use gatehouse_domain::role_alias::RoleArn;
use gatehouse_domain::scope::Scope;
use gatehouse_pki::certificate::Certificate;
use gatehouse_store::CaCertificateRecord;
use serde::Deserialize;

use super::carry_out::Order;
use super::failure::Failure;
use super::permit::Permit;
use super::room::Room;
use crate::call::House;
use crate::certificates::issue::Asker;

/// Provisions the devices of CAs.
pub struct JustInTimeProvisioning {
    house: Arc<House>,
    room: Room,
}

/// A CA's registration configuration, as it is stored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegistrationConfig {
    template_body: Option<String>,
    role_arn: Option<RoleArn>,
    template_name: Option<ProvisioningTemplateName>,
}

impl JustInTimeProvisioning {
    /// Provisions in `house`.
    #[must_use]
    pub fn new(house: Arc<House>) -> Self {
        Self { house, room: Room::default() }
    }

    /// Provisions the device with `certificate`, which `ca` has signed and which is registered as PENDING_ACTIVATION. `None`
    /// when the CA has no template: somebody else does the rest.
    ///
    /// # Errors
    /// [`Failure`] says what stands against it; nothing has changed then.
    pub async fn provision(
        &self,
        ca: &CaCertificateRecord,
        certificate: &Certificate,
        client_id: &str,
    ) -> Option<Result<(), Failure>> {
        let config = match read(ca.registration_config.as_deref()?) {
            Ok(config) => config,
            Err(failure) => return Some(Err(failure)),
        };
        match config {
            RegistrationConfig { template_body: None, template_name: None, .. } => None,
            config => Some(self.carry_out(ca.scope, config, certificate, client_id).await),
        }
    }

    async fn carry_out(
        &self,
        scope: Scope,
        config: RegistrationConfig,
        certificate: &Certificate,
        client_id: &str,
    ) -> Result<(), Failure> {
        let _turn = self.room.turn(scope).await?;
        let (house, now) = (&self.house, self.house.clock.now());
        let (body, role_arn) = self.template(scope, config).await?;
        let template = Template::parse(&body, TemplateKind::JustInTime)
            .map_err(|refusal| Failure::unusable(format!("the provisioning template: {refusal}")))?;
        let refused = |refusal: PlanRefusal| Failure::new(FleetError::InvalidParameters, refusal.to_string());
        let parameters = just_in_time_parameters(&template, &certificate.names().subject).map_err(refused)?;
        let id: CertificateId = certificate.id();
        let plan = template.plan(&parameters, Some(id)).map_err(refused)?;

        let principal_id = id.to_string();
        let order = Order {
            house,
            scope,
            now,
            plan: &plan,
            permit: Permit::of_role(house, &role_arn, scope, now),
            asker: Asker { principal_id: &principal_id, client_id },
            is_waiting: true,
            unclaimed: None,
        };
        order.carry_out().await.map(drop)
    }

    /// The body and the role to provision with.
    async fn template(&self, scope: Scope, config: RegistrationConfig) -> Result<(String, RoleArn), Failure> {
        let Some(name) = config.template_name else {
            let (body, role) = (config.template_body, config.role_arn);
            return body.zip(role).ok_or_else(|| Failure::unusable("the CA's registrationConfig lacks its role"));
        };
        let found = self.house.store.provisioning_template_in_force(scope, &name).await?;
        let (template, body) = found.ok_or_else(|| {
            Failure::unusable(format!("provisioning template {name} does not exist in this account and Region"))
        })?;
        if !template.enabled {
            return Err(Failure::new(
                FleetError::TemplateDisabled,
                format!(
                    "provisioning template {name} is not enabled: UpdateProvisioningTemplate --enabled switches it on"
                ),
            ));
        }
        Ok((body, template.role_arn))
    }
}

fn read(text: &str) -> Result<RegistrationConfig, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::unusable(format!("the CA's registrationConfig cannot be read: {error}")))
}
