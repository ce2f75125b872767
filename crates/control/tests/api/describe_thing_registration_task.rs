//! DescribeThingRegistrationTask.

use serde_json::json;

use crate::bulk::{BUCKET, Input, start, template, things, worker};
use crate::client::Api;
use crate::harness::{OTHER_REGION, on_both_engines};
use crate::samples::ROLE;

on_both_engines!(a_task_is_told_from_its_start_to_its_end, a_task_of_nobody_or_of_another_is_not_told);

async fn a_task_is_told_from_its_start_to_its_end(api: Api) {
    let input = Input::of(&api);
    input.write("2027/input.json", things(0..2) + "nonsense\n");
    let task = start(&api, "2027/input.json").await;
    let path = format!("/thing-registration-tasks/{task}");
    let mut expected = json!({
        "taskId": task,
        "creationDate": 1_800_000_000,
        "lastModifiedDate": 1_800_000_000,
        "templateBody": template().to_string(),
        "inputFileBucket": BUCKET,
        "inputFileKey": "2027/input.json",
        "roleArn": ROLE,
        "status": "InProgress",
        "successCount": 0,
        "failureCount": 0,
        "percentageProgress": 0,
    });
    assert_eq!(api.get(&path).ok().await, expected);
    api.clock().advance_ms(1_500);
    worker(&api).work_off().await;
    expected["lastModifiedDate"] = json!(1_800_000_001.5);
    expected["status"] = json!("Completed");
    expected["successCount"] = json!(2);
    expected["failureCount"] = json!(1);
    expected["percentageProgress"] = json!(100);
    assert_eq!(api.get(&path).ok().await, expected);
    api.snapshot("describe_thing_registration_task");
}

async fn a_task_of_nobody_or_of_another_is_not_told(api: Api) {
    let input = Input::of(&api);
    input.write("input", things(0..1));
    let task = start(&api, "input").await;
    let unknown = "0aeb8f2c-5b0c-4a55-9f3e-0123456789ab";
    let other = api.of_account("210987654321").await;
    for api in [&api.in_region(OTHER_REGION), &other] {
        let path = "/thing-registration-tasks";
        let not_found = "ResourceNotFoundException";
        let ours = api.get(format!("{path}/{task}")).refused(404, not_found).await;
        let none = api.get(format!("{path}/{unknown}")).refused(404, not_found).await;
        assert_eq!(ours.to_string().replace(&task, unknown), none.to_string());
        api.put(format!("{path}/{task}/cancel")).refused(404, not_found).await;
        let reports = format!("{path}/{task}/reports?reportType=ERRORS");
        api.get(reports).invalid().await;
    }
    for wrong in ["x", &task.to_uppercase(), "%2e%2e"] {
        let path = format!("/thing-registration-tasks/{wrong}");
        api.get(path).refused(404, "ResourceNotFoundException").await;
    }
    api.get(format!("/thing-registration-tasks/{}", "x".repeat(41))).invalid().await;
    api.snapshot("describe_thing_registration_task_unknown");
}
