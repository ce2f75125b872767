//! The control API through its own door: signed HTTP requests to a house on a database of its own.
//!
//! Each operation has a module, named as its file is; [`door`] holds what is the same for all of them; [`events`],
//! [`listing`], [`races`] and [`tenants`] what goes across. A test asserts what must be so, and its whole conversation is
//! a snapshot under `tests/snapshots`, so that no word of an answer changes unseen.
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
mod ca_certificates;
mod client;
mod credentials;
mod door;
mod events;
mod harness;
mod listing;
mod model;
mod races;
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
    attach_policy,
    attach_principal_policy,
    attach_thing_principal,
    cancel_certificate_transfer,
    create_certificate_from_csr,
    create_domain_configuration,
    create_keys_and_certificate,
    create_policy,
    create_policy_version,
    create_provisioning_template,
    create_provisioning_template_version,
    create_role_alias,
    create_thing,
    delete_ca_certificate,
    delete_certificate,
    delete_domain_configuration,
    delete_policy,
    delete_policy_version,
    delete_provisioning_template,
    delete_provisioning_template_version,
    delete_registration_code,
    delete_role_alias,
    delete_thing,
    describe_ca_certificate,
    describe_certificate,
    describe_domain_configuration,
    describe_endpoint,
    describe_provisioning_template,
    describe_provisioning_template_version,
    describe_role_alias,
    describe_thing,
    detach_policy,
    detach_principal_policy,
    detach_thing_principal,
    get_effective_policies,
    get_policy,
    get_policy_version,
    get_registration_code,
    list_attached_policies,
    list_ca_certificates,
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
    list_thing_principals,
    list_thing_principals_v2,
    list_things,
    register_ca_certificate,
    register_certificate,
    register_certificate_without_ca,
    reject_certificate_transfer,
    set_default_policy_version,
    tag_resource,
    test_authorization,
    transfer_certificate,
    untag_resource,
    update_ca_certificate,
    update_certificate,
    update_domain_configuration,
    update_provisioning_template,
    update_role_alias,
    update_thing,
);
