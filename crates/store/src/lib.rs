//! The registry on disk: tables, reads, batch writes, and the change log, on SQLite or PostgreSQL.
//!
//! A [`Store`] is a handle that is cheap to clone. *Reads* are its async methods, one file per group of tables; their SQL
//! is written once and runs on both engines. *Writes* are collected in a [`Batch`] and leave together through
//! [`Store::commit`]: every statement says how many rows it must touch, and when one touches another number nothing of the
//! batch is written and the answer is [`Error::Conflict`], upon which the caller reads and decides again. What has a limit
//! is counted in a column, with the limit in the `WHERE` of the statement that counts, so no race can break it.
//!
//! Invariant: whatever `commit` has answered with `Ok` is on the disk, and its events are in the change log.
//! Invariant: nothing outside `engine` knows which engine runs.

mod access;
mod attachments;
mod batch;
mod billing_groups;
mod ca_certificates;
mod certificate_providers;
mod certificates;
mod counts;
mod domain_configurations;
mod endpoints;
mod engine;
mod error;
mod event_configurations;
mod follower;
mod issuances;
mod lock;
mod metrics;
mod migrations;
mod outbox;
mod page;
mod policies;
mod provisioning;
mod provisioning_templates;
mod queued_messages;
mod refusals;
mod registration_codes;
mod registration_task_lines;
mod registration_tasks;
mod registry_messages;
mod retained_messages;
mod role_aliases;
mod sessions;
mod settings;
mod store;
mod stored_message;
mod tags;
mod thing_attachments;
mod thing_group_members;
mod thing_group_policies;
mod thing_groups;
mod thing_types;
mod things;
mod transfers;

pub use access::{AccessKeyRecord, AccountRecord};
pub use batch::Batch;
pub use billing_groups::BillingGroupRecord;
pub use ca_certificates::CaCertificateRecord;
pub use certificate_providers::CertificateProviderRecord;
pub use certificates::{AdmissionRecord, CertificateRecord};
pub use counts::CountedKind;
pub use domain_configurations::DomainConfigurationRecord;
pub use error::Error;
pub use event_configurations::EventConfigurationsRecord;
pub use follower::{ChangeFollower, OVERLAP_MS};
pub use issuances::IssuanceRecord;
pub use lock::{DataDirLock, lock_data_dir};
pub use metrics::Metrics;
pub use outbox::{LOG_RETENTION_MS, LoggedEvent};
pub use page::Page;
pub use policies::{PolicyRecord, PolicyVersionRecord};
pub use provisioning::{ProvisioningClaimRecord, UnclaimedCertificate};
pub use provisioning_templates::{ProvisioningTemplateRecord, ProvisioningTemplateVersion};
pub use queued_messages::QueuedMessage;
pub use refusals::RefusalRecord;
pub use registration_task_lines::{LineOutcome, RegistrationTaskLine};
pub use registration_tasks::{InputFileRecord, RegistrationTaskRecord};
pub use registry_messages::{REGISTRY_MESSAGE_RETENTION_MS, WaitingMessage};
pub use retained_messages::{RetainedMessage, RetainedTopic};
pub use role_aliases::RoleAliasRecord;
pub use sessions::{ParkedRecord, SessionRecord, SubscriptionRecord};
pub use settings::{StoreKind, StoreSettings};
pub use store::{CommitListener, Store};
pub use stored_message::StoredMessage;
pub use tags::TagsRecord;
pub use thing_attachments::ThingAttachment;
pub use thing_group_members::MembershipsRecord;
pub use thing_group_policies::InheritedPolicies;
pub use thing_groups::{GroupPosition, ThingGroupFilter, ThingGroupRecord};
pub use thing_types::ThingTypeRecord;
pub use things::{ThingFilter, ThingRecord};
pub use transfers::TransferRecord;
