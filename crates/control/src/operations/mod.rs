//! The operations, one file each. A new one is added to the list below; everything else about it is in its file.

use crate::operation::Handler;

mod billing_group;
mod ca_registration;
mod certificate_provider;
mod domain_configuration;
mod event_configuration;
mod policy_attachment;
mod provisioning_template;
mod registration_task;
mod resource_tags;
mod role_of_alias;
mod thing_attachment;
mod thing_configuration;
mod thing_group;
mod thing_type;
mod transfer;

macro_rules! operations {
    ($($file:ident::$operation:ident,)*) => {
        $(pub mod $file;)*

        /// Every operation that exists.
        #[must_use]
        pub fn all() -> Vec<Handler> {
            vec![$(Handler::of::<$file::$operation>(),)*]
        }
    };
}

operations! {
    accept_certificate_transfer::AcceptCertificateTransfer,
    add_thing_to_billing_group::AddThingToBillingGroup,
    add_thing_to_thing_group::AddThingToThingGroup,
    attach_policy::AttachPolicy,
    attach_principal_policy::AttachPrincipalPolicy,
    attach_thing_principal::AttachThingPrincipal,
    cancel_certificate_transfer::CancelCertificateTransfer,
    create_billing_group::CreateBillingGroup,
    create_certificate_from_csr::CreateCertificateFromCsr,
    create_certificate_provider::CreateCertificateProvider,
    create_domain_configuration::CreateDomainConfiguration,
    create_keys_and_certificate::CreateKeysAndCertificate,
    create_policy::CreatePolicy,
    create_policy_version::CreatePolicyVersion,
    create_provisioning_claim::CreateProvisioningClaim,
    create_provisioning_template::CreateProvisioningTemplate,
    create_provisioning_template_version::CreateProvisioningTemplateVersion,
    create_role_alias::CreateRoleAlias,
    create_thing::CreateThing,
    create_thing_group::CreateThingGroup,
    create_thing_type::CreateThingType,
    delete_billing_group::DeleteBillingGroup,
    delete_ca_certificate::DeleteCACertificate,
    delete_certificate::DeleteCertificate,
    delete_certificate_provider::DeleteCertificateProvider,
    delete_domain_configuration::DeleteDomainConfiguration,
    delete_policy::DeletePolicy,
    delete_policy_version::DeletePolicyVersion,
    delete_provisioning_template::DeleteProvisioningTemplate,
    delete_provisioning_template_version::DeleteProvisioningTemplateVersion,
    delete_registration_code::DeleteRegistrationCode,
    delete_role_alias::DeleteRoleAlias,
    delete_thing::DeleteThing,
    delete_thing_group::DeleteThingGroup,
    delete_thing_type::DeleteThingType,
    deprecate_thing_type::DeprecateThingType,
    describe_billing_group::DescribeBillingGroup,
    describe_ca_certificate::DescribeCACertificate,
    describe_certificate::DescribeCertificate,
    describe_certificate_provider::DescribeCertificateProvider,
    describe_domain_configuration::DescribeDomainConfiguration,
    describe_endpoint::DescribeEndpoint,
    describe_event_configurations::DescribeEventConfigurations,
    describe_provisioning_template::DescribeProvisioningTemplate,
    describe_provisioning_template_version::DescribeProvisioningTemplateVersion,
    describe_role_alias::DescribeRoleAlias,
    describe_thing::DescribeThing,
    describe_thing_group::DescribeThingGroup,
    describe_thing_registration_task::DescribeThingRegistrationTask,
    describe_thing_type::DescribeThingType,
    detach_policy::DetachPolicy,
    detach_principal_policy::DetachPrincipalPolicy,
    detach_thing_principal::DetachThingPrincipal,
    get_effective_policies::GetEffectivePolicies,
    get_policy::GetPolicy,
    get_policy_version::GetPolicyVersion,
    get_registration_code::GetRegistrationCode,
    list_attached_policies::ListAttachedPolicies,
    list_billing_groups::ListBillingGroups,
    list_ca_certificates::ListCACertificates,
    list_certificate_providers::ListCertificateProviders,
    list_certificates::ListCertificates,
    list_certificates_by_ca::ListCertificatesByCA,
    list_domain_configurations::ListDomainConfigurations,
    list_outgoing_certificates::ListOutgoingCertificates,
    list_policies::ListPolicies,
    list_policy_principals::ListPolicyPrincipals,
    list_policy_versions::ListPolicyVersions,
    list_principal_policies::ListPrincipalPolicies,
    list_principal_things::ListPrincipalThings,
    list_principal_things_v2::ListPrincipalThingsV2,
    list_provisioning_template_versions::ListProvisioningTemplateVersions,
    list_provisioning_templates::ListProvisioningTemplates,
    list_role_aliases::ListRoleAliases,
    list_tags_for_resource::ListTagsForResource,
    list_targets_for_policy::ListTargetsForPolicy,
    list_thing_groups::ListThingGroups,
    list_thing_groups_for_thing::ListThingGroupsForThing,
    list_thing_principals::ListThingPrincipals,
    list_thing_principals_v2::ListThingPrincipalsV2,
    list_thing_registration_task_reports::ListThingRegistrationTaskReports,
    list_thing_registration_tasks::ListThingRegistrationTasks,
    list_thing_types::ListThingTypes,
    list_things::ListThings,
    list_things_in_billing_group::ListThingsInBillingGroup,
    list_things_in_thing_group::ListThingsInThingGroup,
    register_ca_certificate::RegisterCACertificate,
    register_certificate::RegisterCertificate,
    register_certificate_without_ca::RegisterCertificateWithoutCA,
    register_thing::RegisterThing,
    reject_certificate_transfer::RejectCertificateTransfer,
    remove_thing_from_billing_group::RemoveThingFromBillingGroup,
    remove_thing_from_thing_group::RemoveThingFromThingGroup,
    set_default_policy_version::SetDefaultPolicyVersion,
    start_thing_registration_task::StartThingRegistrationTask,
    stop_thing_registration_task::StopThingRegistrationTask,
    tag_resource::TagResource,
    test_authorization::TestAuthorization,
    transfer_certificate::TransferCertificate,
    untag_resource::UntagResource,
    update_billing_group::UpdateBillingGroup,
    update_ca_certificate::UpdateCACertificate,
    update_certificate::UpdateCertificate,
    update_certificate_provider::UpdateCertificateProvider,
    update_domain_configuration::UpdateDomainConfiguration,
    update_event_configurations::UpdateEventConfigurations,
    update_provisioning_template::UpdateProvisioningTemplate,
    update_role_alias::UpdateRoleAlias,
    update_thing::UpdateThing,
    update_thing_group::UpdateThingGroup,
    update_thing_groups_for_thing::UpdateThingGroupsForThing,
    update_thing_type::UpdateThingType,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::IOT;

    #[test]
    fn every_operation_is_where_the_model_says() {
        for handler in all() {
            let facts = IOT.operations.get(handler.name).unwrap_or_else(|| panic!("{} is unknown", handler.name));
            assert_eq!(
                (handler.method, handler.path),
                (facts.method.as_str(), facts.path.as_str()),
                "{}",
                handler.name
            );
        }
    }

    #[test]
    fn every_operation_knows_exactly_the_members_of_the_model() {
        for handler in all() {
            let facts = &IOT.operations[handler.name];
            let shape = facts.input.as_ref().and_then(|name| IOT.shape(name));
            let mut of_model: Vec<&str> =
                shape.into_iter().flat_map(|shape| shape.members.keys().map(String::as_str)).collect();
            let mut known = (handler.input_members)();
            of_model.sort_unstable();
            known.sort_unstable();
            assert_eq!(known, of_model, "{}", handler.name);
        }
    }
}
