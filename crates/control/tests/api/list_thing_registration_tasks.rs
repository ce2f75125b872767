//! ListThingRegistrationTasks.

use serde_json::json;

use crate::bulk::{Input, start, things, worker};
use crate::client::{Api, encoded};
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(tasks_are_listed_newest_first);

async fn tasks_are_listed_newest_first(api: Api) {
    let path = "/thing-registration-tasks";
    assert_eq!(api.get(path).ok().await, json!({ "taskIds": [] }));
    let input = Input::of(&api);
    input.write("input", things(0..1));
    let mut tasks = Vec::new();
    for key in ["input", "nothing", "input"] {
        tasks.push(start(&api, key).await);
        worker(&api).work_off().await;
        api.clock().advance_ms(1);
    }
    tasks.push(start(&api, "input").await);
    start(&api.in_region(OTHER_REGION), "input").await;
    tasks.reverse();
    let listed = |query: &str| api.get(format!("{path}?{query}")).quietly();
    assert_eq!(listed("").ok().await, json!({ "taskIds": tasks }));
    let first = listed("maxResults=3").ok().await;
    assert_eq!(first["taskIds"], json!(tasks[..3]));
    let token = encoded(first["nextToken"].as_str().unwrap());
    assert_eq!(listed(&format!("nextToken={token}")).ok().await, json!({ "taskIds": [tasks[3]] }));
    for (status, expected) in [
        ("InProgress", vec![&tasks[0]]),
        ("Completed", vec![&tasks[1], &tasks[3]]),
        ("Failed", vec![&tasks[2]]),
        ("Cancelled", vec![]),
        ("Cancelling", vec![]),
    ] {
        assert_eq!(listed(&format!("status={status}")).ok().await, json!({ "taskIds": expected }), "{status}");
    }
    for query in ["status=Done", "maxResults=0", "maxResults=251", "nextToken=AAAA"] {
        api.get(format!("{path}?{query}")).invalid().await;
    }
    api.snapshot("list_thing_registration_tasks");
}
