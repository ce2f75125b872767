//! The control API through its own door: signed HTTP requests to a house on a database of its own.
//!
//! Each operation has a module, named as its file is; [`door`] holds what is the same for all of them; [`events`],
//! [`listing`], [`races`], [`registry_events`] and [`tenants`] what goes across. A test asserts what must be so, and its
//! whole conversation is a snapshot under `tests/snapshots`, so that no word of an answer changes unseen.
//!
//! The PostgreSQL half runs when `GATEHOUSE_TEST_POSTGRES` holds the address of a server in which schemas may be made;
//! otherwise it says that it was skipped.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this crate is tests, and the lints know only the functions marked so"
)]

mod authority;
mod bulk;
mod ca_certificates;
mod certificate_providers;
mod client;
mod credentials;
mod database;
mod door;
mod events;
mod functions;
mod harness;
mod listing;
mod model;
mod provisioning;
mod provisioning_races;
mod races;
mod registry_events;
mod samples;
mod server_certificates;
mod tenants;
mod transcript;
mod transfers;

macro_rules! operations {
    ($($operation:ident),* $(,)?) => { $(mod $operation;)* };
}

operations!(
    accept_certificate_transfer,
    add_thing_to_billing_group,
    add_thing_to_thing_group,
    attach_policy,
    attach_principal_policy,
    attach_thing_principal,
    cancel_certificate_transfer,
    create_billing_group,
    create_certificate_from_csr,
    create_certificate_provider,
    create_domain_configuration,
    create_keys_and_certificate,
    create_policy,
    create_policy_version,
    create_provisioning_claim,
    create_provisioning_template,
    create_provisioning_template_version,
    create_role_alias,
    create_thing,
    create_thing_group,
    create_thing_type,
    delete_billing_group,
    delete_ca_certificate,
    delete_certificate,
    delete_certificate_provider,
    delete_domain_configuration,
    delete_policy,
    delete_policy_version,
    delete_provisioning_template,
    delete_provisioning_template_version,
    delete_registration_code,
    delete_role_alias,
    delete_thing,
    delete_thing_group,
    delete_thing_type,
    deprecate_thing_type,
    describe_billing_group,
    describe_ca_certificate,
    describe_certificate,
    describe_certificate_provider,
    describe_domain_configuration,
    describe_endpoint,
    describe_event_configurations,
    describe_provisioning_template,
    describe_provisioning_template_version,
    describe_role_alias,
    describe_thing,
    describe_thing_group,
    describe_thing_registration_task,
    describe_thing_type,
    detach_policy,
    detach_principal_policy,
    detach_thing_principal,
    get_effective_policies,
    get_policy,
    get_policy_version,
    get_registration_code,
    list_attached_policies,
    list_billing_groups,
    list_ca_certificates,
    list_certificate_providers,
    list_certificates,
    list_certificates_by_ca,
    list_domain_configurations,
    list_outgoing_certificates,
    list_policies,
    list_policy_principals,
    list_policy_versions,
    list_principal_policies,
    list_principal_things,
    list_principal_things_v2,
    list_provisioning_template_versions,
    list_provisioning_templates,
    list_role_aliases,
    list_tags_for_resource,
    list_targets_for_policy,
    list_thing_groups,
    list_thing_groups_for_thing,
    list_thing_principals,
    list_thing_principals_v2,
    list_thing_registration_task_reports,
    list_thing_registration_tasks,
    list_thing_types,
    list_things,
    list_things_in_billing_group,
    list_things_in_thing_group,
    register_ca_certificate,
    register_certificate,
    register_certificate_without_ca,
    register_thing,
    reject_certificate_transfer,
    remove_thing_from_billing_group,
    remove_thing_from_thing_group,
    set_default_policy_version,
    start_thing_registration_task,
    stop_thing_registration_task,
    tag_resource,
    test_authorization,
    transfer_certificate,
    untag_resource,
    update_billing_group,
    update_ca_certificate,
    update_certificate,
    update_certificate_provider,
    update_domain_configuration,
    update_event_configurations,
    update_provisioning_template,
    update_role_alias,
    update_thing,
    update_thing_group,
    update_thing_groups_for_thing,
    update_thing_type,
);
