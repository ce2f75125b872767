//! Whoever changes the registry, as an operation of the control API does: one commit with its announcement.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus};
use gatehouse_domain::domain_configuration::{Access, DomainConfigurationStatus, DomainType};
use gatehouse_domain::event::Event;
use gatehouse_domain::name::{PolicyName, ThingName};
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_domain::security_policy::SecurityPolicy;
use gatehouse_domain::thing_type::Properties;
use gatehouse_domain::time::Clock as _;
use gatehouse_store::{
    Batch, CertificateRecord, DomainConfigurationRecord, PolicyRecord, RoleAliasRecord, Store, ThingGroupRecord,
    ThingRecord, ThingTypeRecord,
};

use super::{NOW, TestClock};

pub(crate) const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}"#;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The scope that most devices belong to, and whose endpoint `localhost` is.
pub(crate) fn home() -> Scope {
    Scope::new(AccountId::FIRST, "us-east-1".parse().unwrap())
}

/// Another account in the same Region.
pub(crate) fn other() -> Scope {
    Scope::new(AccountId::from_number(210_987_654_321), "us-east-1".parse().unwrap())
}

/// One process's way into the registry.
#[derive(Clone)]
pub(crate) struct Registrar {
    pub(crate) store: Store,
    pub(crate) clock: Arc<TestClock>,
}

impl Registrar {
    /// Commits what `fill` puts into a batch.
    pub(crate) async fn write(&self, fill: impl FnOnce(&mut Batch)) {
        let mut batch = Batch::new();
        fill(&mut batch);
        self.store.commit(batch, self.clock.now()).await.unwrap();
    }

    /// A record of an ACTIVE certificate, valid for a year.
    pub(crate) fn record(scope: Scope, certificate_id: CertificateId) -> CertificateRecord {
        CertificateRecord {
            scope,
            certificate_id,
            status: CertificateStatus::Active,
            mode: CertificateMode::Default,
            ca_certificate_id: None,
            previous_owned_by: None,
            generation_id: "1".to_owned(),
            customer_version: 1,
            created_at: NOW,
            last_modified_at: NOW,
            not_before: NOW.plus_millis(-DAY_MS),
            not_after: NOW.plus_millis(365 * DAY_MS),
            policy_count: 0,
            thing_count: 0,
        }
    }

    pub(crate) async fn register(&self, record: &CertificateRecord) {
        self.write(|batch| {
            batch.insert_certificate(record, "");
            batch.announce(Event::Certificate { scope: record.scope, certificate_id: record.certificate_id });
        })
        .await;
    }

    pub(crate) async fn set_status(&self, scope: Scope, id: CertificateId, status: CertificateStatus) {
        let current = self.store.certificate(scope, id).await.unwrap().unwrap();
        self.write(|batch| {
            batch.set_certificate_status(&current, status, "2", self.clock.now());
            batch.announce(Event::Certificate { scope, certificate_id: id });
        })
        .await;
    }

    pub(crate) async fn revoke(&self, scope: Scope, id: CertificateId) {
        self.set_status(scope, id, CertificateStatus::Revoked).await;
    }

    /// Deletes the certificate with its attachments.
    pub(crate) async fn delete(&self, scope: Scope, id: CertificateId) {
        let current = self.store.certificate(scope, id).await.unwrap().unwrap();
        self.write(|batch| {
            batch.delete_certificate(&current, true);
            batch.announce(Event::Certificate { scope, certificate_id: id });
        })
        .await;
    }

    pub(crate) async fn make_policy(&self, scope: Scope, name: &str, document: &str) {
        let record = PolicyRecord::new(scope, policy(name), "1".to_owned(), self.clock.now());
        self.write(|batch| {
            batch.insert_policy(&record, document);
            batch.announce(Event::Policy { scope, policy_name: policy(name) });
        })
        .await;
    }

    /// Puts `document` in force as a new version of the policy.
    pub(crate) async fn put_in_force(&self, scope: Scope, name: &str, document: &str) {
        let current = self.store.policy(scope, &policy(name)).await.unwrap().unwrap();
        self.write(|batch| {
            batch.insert_policy_version(&current, document, true, self.clock.now());
            batch.announce(Event::Policy { scope, policy_name: policy(name) });
        })
        .await;
    }

    pub(crate) async fn attach(&self, scope: Scope, name: &str, id: CertificateId) {
        self.write(|batch| {
            batch.attach_policy(scope, &policy(name), id, self.clock.now());
            batch.announce(Event::CertificatePolicies { scope, certificate_id: id });
        })
        .await;
    }

    pub(crate) async fn detach(&self, scope: Scope, name: &str, id: CertificateId) {
        self.write(|batch| {
            batch.detach_policy(scope, &policy(name), id);
            batch.announce(Event::CertificatePolicies { scope, certificate_id: id });
        })
        .await;
    }

    /// An ENABLED domain configuration at home by which devices come in as at an endpoint.
    pub(crate) fn domain(name: &str, host: &str) -> DomainConfigurationRecord {
        DomainConfigurationRecord {
            scope: home(),
            name: name.parse().unwrap(),
            arn_id: "a1b2c".to_owned(),
            domain_type: DomainType::CustomerManaged,
            domain_name: Some(host.parse().unwrap()),
            server_certificate_arn: None,
            security_policy: SecurityPolicy::default(),
            access: Access::DEFAULT,
            status: DomainConfigurationStatus::Enabled,
            status_changed_at: NOW,
            generation_id: "1".to_owned(),
            created_at: NOW,
            last_modified_at: NOW,
        }
    }

    /// Makes the domain configuration, or changes it to this.
    pub(crate) async fn configure(&self, record: &DomainConfigurationRecord) {
        let current = self.store.domain_configuration(record.scope, &record.name).await.unwrap();
        self.write(|batch| {
            match &current {
                Some(current) => batch.update_domain_configuration(current, record),
                None => batch.insert_domain_configuration(record),
            }
            batch.announce(Event::DomainConfiguration { scope: record.scope, name: record.name.clone() });
        })
        .await;
    }

    /// Gives the endpoint that is configured under `name` a security policy.
    pub(crate) async fn configure_endpoint(&self, scope: Scope, name: &str, security_policy: SecurityPolicy) {
        let domain = Self::domain(name, "unused.example.com");
        let domain_type = DomainType::Endpoint;
        let record = DomainConfigurationRecord { scope, domain_type, domain_name: None, security_policy, ..domain };
        self.configure(&record).await;
    }

    pub(crate) async fn make_thing(&self, scope: Scope, name: &str, attribute: (&str, &str)) {
        let record = ThingRecord {
            attributes: attributes(attribute),
            ..ThingRecord::new(scope, thing(name), format!("id-{name}"), self.clock.now())
        };
        self.write(|batch| batch.insert_thing(&record)).await;
    }

    pub(crate) async fn make_type(&self, scope: Scope, name: &str) {
        let record = ThingTypeRecord {
            scope,
            name: thing(name),
            thing_type_id: format!("id-{name}"),
            properties: Properties::default(),
            deprecated_at: None,
            created_at: self.clock.now(),
            row_version: 1,
        };
        self.write(|batch| batch.insert_thing_type(&record)).await;
    }

    /// Makes a thing group in the last of `ancestors`.
    pub(crate) async fn make_group(&self, scope: Scope, name: &str, ancestors: &[&str]) {
        let record = ThingGroupRecord {
            scope,
            name: thing(name),
            group_id: format!("id-{name}"),
            ancestors: ancestors.iter().map(|name| thing(name)).collect(),
            description: None,
            attributes: BTreeMap::new(),
            version: 1,
            child_count: 0,
            policy_count: 0,
            created_at: self.clock.now(),
        };
        self.write(|batch| batch.insert_thing_group(&record)).await;
    }

    pub(crate) async fn delete_group(&self, scope: Scope, name: &str) {
        let group = self.store.thing_group(scope, &thing(name)).await.unwrap().unwrap();
        self.write(|batch| {
            batch.delete_thing_group(&group);
            batch.announce(Event::ThingGroup { scope, group_name: thing(name) });
        })
        .await;
    }

    pub(crate) async fn enter_group(&self, scope: Scope, name: &str, group: &str) {
        let memberships = self.store.memberships(scope, &thing(name)).await.unwrap().unwrap();
        let group = self.store.thing_group(scope, &thing(group)).await.unwrap().unwrap();
        self.write(|batch| {
            batch.change_memberships(&memberships, &[group], &[]);
            batch.announce(Event::Thing { scope, thing_name: thing(name) });
        })
        .await;
    }

    pub(crate) async fn attach_to_group(&self, scope: Scope, name: &str, group: &str) {
        self.write(|batch| {
            batch.attach_group_policy(scope, &policy(name), &thing(group), self.clock.now());
            batch.announce(Event::ThingGroup { scope, group_name: thing(group) });
        })
        .await;
    }

    pub(crate) async fn detach_from_group(&self, scope: Scope, name: &str, group: &str) {
        self.write(|batch| {
            batch.detach_group_policy(scope, &policy(name), &thing(group));
            batch.announce(Event::ThingGroup { scope, group_name: thing(group) });
        })
        .await;
    }

    pub(crate) async fn make_role_alias(&self, scope: Scope, name: &str, role_arn: &str, duration_secs: u32) {
        let now = self.clock.now();
        let record = RoleAliasRecord {
            scope,
            alias: name.parse().unwrap(),
            role_arn: role_arn.parse().unwrap(),
            duration_secs,
            generation_id: "1".to_owned(),
            created_at: now,
            last_modified_at: now,
        };
        self.write(|batch| batch.insert_role_alias(&record)).await;
    }

    pub(crate) async fn change_thing(&self, scope: Scope, name: &str, attribute: (&str, &str)) {
        let current = self.store.thing(scope, &thing(name)).await.unwrap().unwrap();
        self.write(|batch| {
            batch.update_thing(&current, None, &attributes(attribute));
            batch.announce(Event::Thing { scope, thing_name: thing(name) });
        })
        .await;
    }

    pub(crate) async fn attach_thing(&self, scope: Scope, name: &str, id: CertificateId) {
        self.write(|batch| {
            batch.attach_thing_principal(scope, &thing(name), id, false, self.clock.now());
            batch.announce(Event::CertificateThings { scope, certificate_id: id });
        })
        .await;
    }
}

fn policy(name: &str) -> PolicyName {
    name.parse().unwrap()
}

fn thing(name: &str) -> ThingName {
    name.parse().unwrap()
}

fn attributes((name, value): (&str, &str)) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}
