//! Domain configurations: one owner for each host name, and so many of each scope.

use gatehouse_domain::domain_configuration::{
    Access, ApplicationProtocol, AuthenticationType, DomainConfigurationStatus, DomainType,
};
use gatehouse_domain::limits;
use gatehouse_store::{CountedKind, DomainConfigurationRecord, Error};

use crate::harness::{Db, NOW, on_both_engines, other_scope, scope};

on_both_engines!(
    a_configuration_is_made_changed_and_deleted,
    a_host_name_belongs_to_whoever_came_first,
    a_scope_has_ten_besides_its_endpoints,
);

fn configuration(name: &str) -> DomainConfigurationRecord {
    DomainConfigurationRecord {
        scope: scope(),
        name: name.parse().unwrap(),
        arn_id: "a1b2c".into(),
        domain_type: DomainType::CustomerManaged,
        domain_name: format!("{name}.example.com").parse().ok(),
        server_certificate_arn: "arn:aws:acm:us-east-1:123456789012:certificate/a".parse().ok(),
        security_policy: "IoTSecurityPolicy_TLS13_1_3_2022_10".parse().unwrap(),
        access: Access::new(AuthenticationType::AwsX509, ApplicationProtocol::SecureMqtt).unwrap(),
        status: DomainConfigurationStatus::Enabled,
        status_changed_at: NOW,
        generation_id: format!("generation-{name}"),
        created_at: NOW,
        last_modified_at: NOW,
    }
}

/// What was configured of an endpoint.
fn endpoint() -> DomainConfigurationRecord {
    DomainConfigurationRecord {
        name: "iot:Data-ATS".parse().unwrap(),
        arn_id: String::new(),
        domain_type: DomainType::Endpoint,
        domain_name: None,
        server_certificate_arn: None,
        access: Access::DEFAULT,
        ..configuration("x")
    }
}

async fn a_configuration_is_made_changed_and_deleted(db: Db) {
    let made = configuration("b");
    db.write(|batch| batch.insert_domain_configuration(&made)).await.unwrap();
    db.write(|batch| batch.insert_domain_configuration(&configuration("a"))).await.unwrap();
    assert_eq!(db.store.domain_configuration(scope(), &made.name).await, Ok(Some(made.clone())));
    assert_eq!(db.store.domain_configuration(other_scope(), &made.name).await, Ok(None));
    assert_eq!(db.store.domain_configurations(scope()).await, Ok(vec![configuration("a"), made.clone()]));
    assert_eq!(db.store.domain_configurations(other_scope()).await, Ok(vec![]));

    let changed = DomainConfigurationRecord {
        security_policy: "IoTSecurityPolicy_TLS12_1_2_2022_10".parse().unwrap(),
        access: Access::DEFAULT,
        status: DomainConfigurationStatus::Disabled,
        status_changed_at: NOW.plus_millis(1),
        generation_id: "changed".into(),
        last_modified_at: NOW.plus_millis(2),
        ..made.clone()
    };
    db.write(|batch| batch.update_domain_configuration(&made, &changed)).await.unwrap();
    assert_eq!(db.store.domain_configuration(scope(), &made.name).await, Ok(Some(changed.clone())));
    let stale = db.write(|batch| batch.update_domain_configuration(&made, &changed)).await;
    assert_eq!(stale, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.delete_domain_configuration(&made)).await, Err(Error::Conflict));
    db.write(|batch| batch.require_domain_configuration(scope(), &made.name)).await.unwrap();
    db.write(|batch| batch.delete_domain_configuration(&changed)).await.unwrap();
    let gone = db.write(|batch| batch.require_domain_configuration(scope(), &made.name)).await;
    assert_eq!(gone, Err(Error::Conflict));
    assert_eq!(db.store.count_of(scope(), CountedKind::DomainConfiguration).await, Ok(1));
}

async fn a_host_name_belongs_to_whoever_came_first(db: Db) {
    let first = configuration("mqtt");
    let host = first.domain_name.clone().unwrap();
    assert_eq!(db.store.domain_configuration_of_host(&host).await, Ok(None));
    db.write(|batch| batch.insert_domain_configuration(&first)).await.unwrap();
    for second in [
        DomainConfigurationRecord { scope: other_scope(), ..first.clone() },
        DomainConfigurationRecord { name: "other".parse().unwrap(), ..first.clone() },
    ] {
        let refused = db.write(|batch| batch.insert_domain_configuration(&second)).await;
        assert_eq!(refused, Err(Error::Conflict));
    }
    assert_eq!(db.store.domain_configuration_of_host(&host).await, Ok(Some(first.clone())));
    db.write(|batch| batch.delete_domain_configuration(&first)).await.unwrap();
    let heir = DomainConfigurationRecord { scope: other_scope(), ..first };
    db.write(|batch| batch.insert_domain_configuration(&heir)).await.unwrap();
    assert_eq!(db.store.domain_configuration_of_host(&host).await, Ok(Some(heir)));
}

async fn a_scope_has_ten_besides_its_endpoints(db: Db) {
    db.write(|batch| batch.insert_domain_configuration(&endpoint())).await.unwrap();
    assert_eq!(db.store.domain_configuration(scope(), &endpoint().name).await, Ok(Some(endpoint())));
    // Every scope has its own; they have no host name to quarrel about.
    let others = DomainConfigurationRecord { scope: other_scope(), ..endpoint() };
    db.write(|batch| batch.insert_domain_configuration(&others)).await.unwrap();
    for number in 0..limits::DOMAIN_CONFIGURATIONS {
        db.write(|batch| batch.insert_domain_configuration(&configuration(&format!("d{number}")))).await.unwrap();
    }
    let more = db.write(|batch| batch.insert_domain_configuration(&configuration("more"))).await;
    assert_eq!(more, Err(Error::Conflict));
    assert_eq!(db.store.domain_configurations(scope()).await.unwrap().len(), 11);
    db.write(|batch| batch.delete_domain_configuration(&configuration("d3"))).await.unwrap();
    db.write(|batch| batch.insert_domain_configuration(&configuration("more"))).await.unwrap();
}
