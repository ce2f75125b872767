//! Provisioning templates: made, changed as they were read, counted; their versions.

use gatehouse_domain::limits;
use gatehouse_domain::provisioning_template::{Hook, PayloadVersion, TemplateType};
use gatehouse_store::{CountedKind, Error, Page, ProvisioningTemplateRecord};

use crate::harness::{Db, NOW, on_both_engines, other_scope, scope};

on_both_engines!(
    a_template_is_made_changed_and_deleted,
    what_hangs_on_a_template_is_in_the_way_of_who_read_it_before,
    versions_count_up_to_five,
    the_default_version_stays,
    templates_are_listed_by_name_and_within_their_scope,
    half_a_hook_is_no_hook,
    a_scope_has_256_templates_however_many_come_at_once,
    the_fifth_version_is_made_once,
);

fn template(name: &str) -> ProvisioningTemplateRecord {
    ProvisioningTemplateRecord {
        scope: scope(),
        name: name.parse().unwrap(),
        template_type: TemplateType::FleetProvisioning,
        description: None,
        enabled: false,
        role_arn: "arn:aws:iam::123456789012:role/r".parse().unwrap(),
        hook: None,
        default_version: 1,
        next_version: 2,
        version_count: 1,
        row_version: 1,
        generation_id: format!("generation-{name}"),
        created_at: NOW,
        last_modified_at: NOW,
    }
}

fn hook() -> Option<Hook> {
    let target_arn = "arn:aws:lambda:us-east-1:123456789012:function:f".parse().unwrap();
    Some(Hook { payload_version: PayloadVersion::V20200401, target_arn })
}

async fn read(db: &Db, name: &str) -> ProvisioningTemplateRecord {
    db.store.provisioning_template(scope(), &name.parse().unwrap()).await.unwrap().unwrap()
}

async fn a_template_is_made_changed_and_deleted(db: Db) {
    let made = ProvisioningTemplateRecord { template_type: TemplateType::Jitp, ..template("a") };
    let name = &made.name;
    db.write(|batch| batch.insert_provisioning_template(&made, " {} \n")).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_provisioning_template(&made, "")).await, Err(Error::Conflict));
    assert_eq!(read(&db, "a").await, made);
    let in_force = db.store.provisioning_template_in_force(scope(), name).await;
    assert_eq!(in_force, Ok(Some((made.clone(), " {} \n".to_owned()))));
    assert_eq!(db.store.provisioning_template_in_force(other_scope(), name).await, Ok(None));
    // Capitals count.
    assert_eq!(db.store.provisioning_template(scope(), &"A".parse().unwrap()).await, Ok(None));

    let wanted = ProvisioningTemplateRecord {
        description: Some(String::new()),
        enabled: true,
        role_arn: "arn:aws:iam::123456789012:role/other".parse().unwrap(),
        hook: hook(),
        last_modified_at: NOW.plus_millis(1),
        ..made.clone()
    };
    db.write(|batch| batch.update_provisioning_template(&made, &wanted)).await.unwrap();
    let changed = read(&db, "a").await;
    assert_eq!(changed, ProvisioningTemplateRecord { row_version: 2, ..wanted.clone() });
    assert_eq!(db.write(|batch| batch.update_provisioning_template(&made, &wanted)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.delete_provisioning_template(&made)).await, Err(Error::Conflict));
    let no_such_version = ProvisioningTemplateRecord { default_version: 2, ..changed.clone() };
    let refused = db.write(|batch| batch.update_provisioning_template(&changed, &no_such_version)).await;
    assert_eq!(refused, Err(Error::Conflict));

    db.write(|batch| batch.delete_provisioning_template(&changed)).await.unwrap();
    assert_eq!(db.store.provisioning_template(scope(), name).await, Ok(None));
    assert_eq!(db.number("SELECT COUNT(*) FROM provisioning_template_versions").await, 0);
    assert_eq!(db.store.count_of(scope(), CountedKind::ProvisioningTemplate).await, Ok(0));
    // One that is made again is another, though its version is the same.
    let again = ProvisioningTemplateRecord { generation_id: "another".into(), ..made.clone() };
    db.write(|batch| batch.insert_provisioning_template(&again, "")).await.unwrap();
    assert_eq!(db.write(|batch| batch.delete_provisioning_template(&made)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.require_provisioning_template(&made)).await, Err(Error::Conflict));
}

async fn what_hangs_on_a_template_is_in_the_way_of_who_read_it_before(db: Db) {
    let made = template("a");
    db.write(|batch| batch.insert_provisioning_template(&made, "")).await.unwrap();
    db.write(|batch| batch.require_provisioning_template(&made)).await.unwrap();
    // Nor is whoever comes to hang on it in the way of another.
    db.write(|batch| batch.require_provisioning_template(&made)).await.unwrap();
    assert_eq!(db.write(|batch| batch.delete_provisioning_template(&made)).await, Err(Error::Conflict));
    let held = read(&db, "a").await;
    assert_eq!(held, ProvisioningTemplateRecord { row_version: 3, ..made });
    db.write(|batch| batch.delete_provisioning_template(&held)).await.unwrap();
    assert_eq!(db.write(|batch| batch.require_provisioning_template(&held)).await, Err(Error::Conflict));
}

async fn versions_count_up_to_five(db: Db) {
    let name = &template("a").name;
    db.write(|batch| batch.insert_provisioning_template(&template("a"), "1")).await.unwrap();
    for version in 2..=5 {
        let current = read(&db, "a").await;
        let (body, later) = (version.to_string(), NOW.plus_millis(version));
        db.write(|batch| batch.insert_provisioning_template_version(&current, &body, version == 3, later))
            .await
            .unwrap();
        let stale = db.write(|batch| batch.insert_provisioning_template_version(&current, "", true, later)).await;
        assert_eq!(stale, Err(Error::Conflict));
    }
    let full = read(&db, "a").await;
    assert_eq!((full.default_version, full.next_version, full.version_count, full.row_version), (3, 6, 5, 5));
    assert_eq!(full.last_modified_at, NOW.plus_millis(5));
    let sixth = db.write(|batch| batch.insert_provisioning_template_version(&full, "6", true, NOW)).await;
    assert_eq!(sixth, Err(Error::Conflict));
    assert_eq!(db.store.provisioning_template_in_force(scope(), name).await.unwrap().unwrap().1, "3");
    let (version, body) = db.store.provisioning_template_version(scope(), name, 4).await.unwrap().unwrap();
    assert_eq!((version.version, version.created_at, &*body), (4, NOW.plus_millis(4), "4"));
    assert_eq!(db.store.provisioning_template_version(other_scope(), name, 4).await, Ok(None));

    let listed = |page| async {
        let listed = db.store.provisioning_template_versions(scope(), name, page).await.unwrap();
        listed.iter().map(|version| version.version).collect::<Vec<_>>()
    };
    assert_eq!(listed(Page { after: None, ascending: false, limit: 9 }).await, [5, 4, 3, 2, 1]);
    assert_eq!(listed(Page { after: Some(4), ascending: false, limit: 2 }).await, [3, 2]);
    assert_eq!(listed(Page { after: Some(4), ascending: true, limit: 2 }).await, [5]);
    // A number is not used again.
    db.write(|batch| batch.delete_provisioning_template_version(&full, 5)).await.unwrap();
    let current = read(&db, "a").await;
    db.write(|batch| batch.insert_provisioning_template_version(&current, "6", false, NOW)).await.unwrap();
    assert_eq!(listed(Page::first(9)).await, [1, 2, 3, 4, 6]);
    // All of them go with the template.
    let current = read(&db, "a").await;
    db.write(|batch| batch.delete_provisioning_template(&current)).await.unwrap();
    assert_eq!(db.number("SELECT COUNT(*) FROM provisioning_template_versions").await, 0);
}

async fn the_default_version_stays(db: Db) {
    let first = template("a");
    db.write(|batch| batch.insert_provisioning_template(&first, "1")).await.unwrap();
    db.write(|batch| batch.insert_provisioning_template_version(&first, "2", false, NOW)).await.unwrap();
    let current = read(&db, "a").await;
    for version in [1, 3] {
        let refused = db.write(|batch| batch.delete_provisioning_template_version(&current, version)).await;
        assert_eq!(refused, Err(Error::Conflict), "{version}");
    }
    let second = ProvisioningTemplateRecord { default_version: 2, ..current.clone() };
    db.write(|batch| batch.update_provisioning_template(&current, &second)).await.unwrap();
    let current = read(&db, "a").await;
    assert_eq!(db.write(|batch| batch.delete_provisioning_template_version(&current, 2)).await, Err(Error::Conflict));
    db.write(|batch| batch.delete_provisioning_template_version(&current, 1)).await.unwrap();
    assert_eq!(db.store.provisioning_template_version(scope(), &current.name, 1).await, Ok(None));
    let left = read(&db, "a").await;
    assert_eq!((left.version_count, left.default_version), (1, 2));
}

async fn templates_are_listed_by_name_and_within_their_scope(db: Db) {
    for name in ["b", "B", "a", "_"] {
        db.write(|batch| batch.insert_provisioning_template(&template(name), "")).await.unwrap();
    }
    let elsewhere = ProvisioningTemplateRecord { scope: other_scope(), ..template("a") };
    db.write(|batch| batch.insert_provisioning_template(&elsewhere, "")).await.unwrap();
    let listed = |page| async {
        let listed = db.store.provisioning_templates(scope(), page).await.unwrap();
        listed.iter().map(|record| record.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(Page::first(9)).await, ["B", "_", "a", "b"]);
    assert_eq!(listed(Page { after: Some("_".parse().unwrap()), ascending: true, limit: 1 }).await, ["a"]);
    assert_eq!(listed(Page { after: Some("_".parse().unwrap()), ascending: false, limit: 9 }).await, ["B"]);
    assert_eq!(db.store.count_of(other_scope(), CountedKind::ProvisioningTemplate).await, Ok(1));
}

async fn half_a_hook_is_no_hook(db: Db) {
    let made = ProvisioningTemplateRecord { hook: hook(), ..template("a") };
    db.write(|batch| batch.insert_provisioning_template(&made, "")).await.unwrap();
    db.run("UPDATE provisioning_templates SET hook_target_arn = NULL").await;
    let corrupt = Error::Corrupt { table: "provisioning_templates", column: "hook_target_arn" };
    assert_eq!(db.store.provisioning_template(scope(), &made.name).await, Err(corrupt));
}

/// How many of `attempts` were let through; the others lost.
async fn winners(attempts: Vec<tokio::task::JoinHandle<Result<(), Error>>>) -> usize {
    let mut won = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(()) => won += 1,
            Err(error) => assert_eq!(error, Error::Conflict),
        }
    }
    won
}

async fn a_scope_has_256_templates_however_many_come_at_once(db: Db) {
    for number in 1..limits::PROVISIONING_TEMPLATES {
        db.write(|batch| batch.insert_provisioning_template(&template(&format!("a{number}")), "")).await.unwrap();
    }
    let rivals = (0..4).map(|number| {
        let db = db.clone();
        tokio::spawn(async move {
            db.write(|batch| batch.insert_provisioning_template(&template(&format!("b{number}")), "")).await
        })
    });
    assert_eq!(winners(rivals.collect()).await, 1);
    let count = db.store.count_of(scope(), CountedKind::ProvisioningTemplate).await;
    assert_eq!(count, Ok(limits::PROVISIONING_TEMPLATES));
    let elsewhere = ProvisioningTemplateRecord { scope: other_scope(), ..template("a") };
    db.write(|batch| batch.insert_provisioning_template(&elsewhere, "")).await.unwrap();
}

async fn the_fifth_version_is_made_once(db: Db) {
    db.write(|batch| batch.insert_provisioning_template(&template("a"), "1")).await.unwrap();
    for _ in 2..=4 {
        let current = read(&db, "a").await;
        db.write(|batch| batch.insert_provisioning_template_version(&current, "", false, NOW)).await.unwrap();
    }
    let current = read(&db, "a").await;
    let rivals = (0..4).map(|number: u32| {
        let (db, current) = (db.clone(), current.clone());
        tokio::spawn(async move {
            let body = number.to_string();
            db.write(|batch| batch.insert_provisioning_template_version(&current, &body, true, NOW)).await
        })
    });
    assert_eq!(winners(rivals.collect()).await, 1);
    let full = read(&db, "a").await;
    assert_eq!((full.version_count, full.default_version), (5, 5));
}
