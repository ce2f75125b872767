//! StopThingRegistrationTask.

use serde_json::json;

use crate::bulk::{Input, describe, outcome, start, things, worker};
use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(
    a_task_that_nobody_has_begun_ends_without_a_line,
    a_task_ends_on_the_way_and_what_is_done_stays,
    a_task_that_is_over_is_not_stopped,
);

async fn a_task_that_nobody_has_begun_ends_without_a_line(api: Api) {
    let input = Input::of(&api);
    input.write("input", things(0..3));
    let task = start(&api, "input").await;
    let path = format!("/thing-registration-tasks/{task}/cancel");
    assert_eq!(api.put(&path).ok().await, json!({}));
    assert_eq!(describe(&api, &task).await["status"], "Cancelling");
    // Whoever asks twice gets the same answer.
    api.put(&path).ok().await;
    let under_way = api.get("/thing-registration-tasks?status=Cancelling").quietly().ok().await;
    assert_eq!(under_way["taskIds"], json!([task]));
    worker(&api).work_off().await;
    assert_eq!(outcome(&api, &task).await, ("Cancelled".to_owned(), 0, 0));
    api.put(&path).ok().await;
    assert_eq!(describe(&api, &task).await["status"], "Cancelled");
    start(&api, "input").await;
    api.snapshot("stop_thing_registration_task");
}

async fn a_task_ends_on_the_way_and_what_is_done_stays(api: Api) {
    let input = Input::of(&api);
    input.write("input", things(0..20_000));
    let task = start(&api, "input").await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let serving = tokio::spawn(worker(&api).run(stopped));
    while outcome(&api, &task).await.1 == 0 {
        tokio::task::yield_now().await;
    }
    api.put(format!("/thing-registration-tasks/{task}/cancel")).quietly().ok().await;
    let (status, done) = loop {
        let (status, done, _) = outcome(&api, &task).await;
        if status != "Cancelling" {
            break (status, done);
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(status, "Cancelled");
    assert!((1..20_000).contains(&done), "{done}");
    let told = describe(&api, &task).await;
    assert!(told["percentageProgress"].as_u64().unwrap() < 100);
    let last = format!("t{}", done - 1);
    api.get(format!("/things/{last}")).quietly().ok().await;
    api.get(format!("/things/t{done}")).quietly().refused(404, "ResourceNotFoundException").await;
    stop.send_replace(true);
    serving.await.unwrap();
}

async fn a_task_that_is_over_is_not_stopped(api: Api) {
    let input = Input::of(&api);
    input.write("input", things(0..1));
    for (key, status) in [("input", "Completed"), ("nothing", "Failed")] {
        let task = start(&api, key).await;
        worker(&api).work_off().await;
        let message = api.put(format!("/thing-registration-tasks/{task}/cancel")).invalid().await;
        assert!(message.contains(status), "{message}");
        assert_eq!(describe(&api, &task).await["status"], status);
    }
    let unknown = "/thing-registration-tasks/0aeb8f2c-5b0c-4a55-9f3e-0123456789ab/cancel";
    api.put(unknown).refused(404, "ResourceNotFoundException").await;
    api.snapshot("stop_thing_registration_task_refused");
}
