//! StartThingRegistrationTask.

use gatehouse_control::access_key::AccessKeyWish;
use gatehouse_control::bulk::bucket::Bucket;
use serde_json::{Value, json};

use crate::bulk::{BUCKET, Input, describe, start, template, things, worker};
use crate::client::{Api, Ask};
use crate::harness::{ACCOUNT, LIMITED_ROLE, OTHER_REGION, on_both_engines};
use crate::samples::ROLE;

on_both_engines!(
    a_task_is_started_and_carried_out_behind_the_callers_back,
    what_is_no_task_is_refused,
    a_bucket_is_one_accounts,
    an_account_has_one_task_at_a_time_in_a_region,
    whoever_may_not_pass_the_role_starts_nothing,
    the_role_must_be_allowed_to_read_the_file,
);

/// A request with `more` members.
fn ask(api: &Api, more: &Value) -> Ask {
    let mut body = json!({
        "templateBody": template().to_string(),
        "inputFileBucket": BUCKET,
        "inputFileKey": "2027/input.json",
        "roleArn": ROLE,
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    api.post("/thing-registration-tasks").json(body)
}

async fn a_task_is_started_and_carried_out_behind_the_callers_back(api: Api) {
    let input = Input::of(&api);
    input.write("2027/input.json", things(0..3));
    let started = ask(&api, &json!({})).ok().await;
    let task = started["taskId"].as_str().unwrap();
    assert_eq!(started, json!({ "taskId": task }));
    assert_eq!(describe(&api, task).await["status"], "InProgress");
    api.get("/things/t0").quietly().refused(404, "ResourceNotFoundException").await;
    worker(&api).work_off().await;
    let told = describe(&api, task).await;
    assert_eq!((&told["status"], &told["successCount"]), (&json!("Completed"), &json!(3)));
    for thing in ["t0", "t1", "t2"] {
        let principals = api.get(format!("/things/{thing}/principals")).quietly().ok().await;
        let certificate = principals["principals"][0].as_str().unwrap();
        let policies = api.post(format!("/attached-policies/{}", crate::client::encoded(certificate))).quietly().ok().await;
        assert_eq!(policies["policies"].as_array().unwrap().len(), 1);
    }
    api.snapshot("start_thing_registration_task");
}

async fn what_is_no_task_is_refused(api: Api) {
    let _input = Input::of(&api);
    let for_fleets = json!({
        "Resources": template()["Resources"],
        "DeviceConfiguration": { "a": "b" },
    });
    for more in [
        json!({ "templateBody": "" }),
        json!({ "templateBody": "{}" }),
        json!({ "templateBody": for_fleets.to_string() }),
        json!({ "templateBody": format!("{}{}", template(), " ".repeat(10_240)) }),
        json!({ "inputFileBucket": "unknown" }),
        json!({ "inputFileBucket": "ab" }),
        json!({ "inputFileBucket": "..." }),
        json!({ "inputFileBucket": "a/b" }),
        json!({ "inputFileKey": "" }),
        json!({ "inputFileKey": "/etc/passwd" }),
        json!({ "inputFileKey": "../secret" }),
        json!({ "inputFileKey": "a/../../secret" }),
        json!({ "inputFileKey": "a/./b" }),
        json!({ "inputFileKey": "a//b" }),
        json!({ "inputFileKey": "a b" }),
        json!({ "inputFileKey": "k".repeat(1025) }),
        json!({ "roleArn": "role" }),
        json!({ "roleArn": "arn:aws:iam::123456789012:user/someone" }),
        json!({ "roleArn": "arn:aws:iam::210987654321:role/fleet/provisioning" }),
        json!({ "nonsense": true }),
    ] {
        ask(&api, &more).invalid().await;
    }
    for missing in ["templateBody", "inputFileBucket", "inputFileKey", "roleArn"] {
        let mut body = json!({
            "templateBody": template().to_string(),
            "inputFileBucket": BUCKET,
            "inputFileKey": "input",
            "roleArn": ROLE,
        });
        body.as_object_mut().unwrap().remove(missing);
        api.post("/thing-registration-tasks").json(body).invalid().await;
    }
    assert_eq!(api.get("/thing-registration-tasks").quietly().ok().await["taskIds"], json!([]));
    api.snapshot("start_thing_registration_task_refused");
}

async fn a_bucket_is_one_accounts(api: Api) {
    let input = Input::of(&api);
    input.write("2027/input.json", things(0..1));
    let other = api.of_account("210987654321").await;
    let role = json!({ "roleArn": "arn:aws:iam::210987654321:role/r" });
    let ours = ask(&other, &role).invalid().await;
    let mut unknown = role.clone();
    unknown["inputFileBucket"] = json!("unknown");
    let unknown = ask(&other, &unknown).invalid().await;
    assert_eq!(ours.replace(BUCKET, "unknown"), unknown, "whose it is, is not told");
    // In every Region of its account.
    ask(&api.in_region(OTHER_REGION), &json!({})).quietly().ok().await;
    // One that is taken away meanwhile is read no more.
    let task = start(&api, "2027/input.json").await;
    let bucket = Bucket::of_folder("210987654321".parse().unwrap(), input.path(""));
    api.running().house.bulk.put(BUCKET.parse().unwrap(), bucket);
    worker(&api).work_off().await;
    let told = describe(&api, &task).await;
    assert_eq!(told["status"], "Failed");
    assert!(told["message"].as_str().unwrap().contains("no bucket fleet-input of this account"), "{told}");
}

async fn an_account_has_one_task_at_a_time_in_a_region(api: Api) {
    let input = Input::of(&api);
    input.write("2027/input.json", things(0..1));
    let first = ask(&api, &json!({})).ok().await["taskId"].as_str().unwrap().to_owned();
    let message = ask(&api, &json!({})).invalid().await;
    assert!(message.contains(&first), "{message}");
    ask(&api.in_region(OTHER_REGION), &json!({})).quietly().ok().await;
    worker(&api).work_off().await;
    // Of many at once, one is started.
    let attempts: Vec<_> = (0..6)
        .map(|_| {
            let api = api.clone();
            tokio::spawn(async move { ask(&api, &json!({})).quietly().send().await })
        })
        .collect();
    let mut started = 0;
    for attempt in attempts {
        let answer = attempt.await.unwrap();
        match answer.status {
            200 => started += 1,
            _ => assert_eq!(answer.error.as_deref(), Some("InvalidRequestException"), "{}", answer.body),
        }
    }
    assert_eq!(started, 1);
}

async fn whoever_may_not_pass_the_role_starts_nothing(api: Api) {
    let input = Input::of(&api);
    input.write("2027/input.json", things(0..1));
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:*", "Resource": "*" },
        { "Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/fleet/*" },
    ] });
    let wish = AccessKeyWish { account: ACCOUNT.parse().unwrap(), policy: Some(policy.to_string()), expires_at: None };
    let limited = api.with_key(api.running().access_key(wish).await);
    let admin = json!({ "roleArn": "arn:aws:iam::123456789012:role/admin" });
    let refused = ask(&limited, &admin).refused(403, "AccessDeniedException").await;
    assert!(refused["message"].as_str().unwrap().contains("iam:PassRole"), "{refused}");
    ask(&limited, &json!({})).ok().await;
    let only_list = json!([{ "Effect": "Allow", "Action": "iot:ListThingRegistrationTasks", "Resource": "*" }]);
    let reader = api.limited(only_list).await;
    ask(&reader, &json!({})).refused(403, "AccessDeniedException").await;
    api.snapshot("start_thing_registration_task_pass_role");
}

async fn the_role_must_be_allowed_to_read_the_file(api: Api) {
    let input = Input::of(&api);
    input.write("allowed/input", things(0..1));
    let with = |key: &str| ask(&api, &json!({ "roleArn": LIMITED_ROLE, "inputFileKey": key }));
    let message = with("denied/input").invalid().await;
    assert!(message.contains("s3:GetObject on arn:aws:s3:::fleet-input/denied/input"), "{message}");
    with("allowed/input").ok().await;
    api.snapshot("start_thing_registration_task_role");
}
