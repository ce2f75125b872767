//! ListThingRegistrationTaskReports, and the links that it gives.

use gatehouse_domain::limits;
use serde_json::json;

use crate::bulk::{Input, fetch, links, report, start, things, worker};
use crate::client::Api;
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(
    a_report_is_behind_a_link_once_it_has_lines,
    a_link_opens_one_report_for_an_hour_and_nothing_else,
    a_long_report_comes_whole,
    a_certificate_that_is_gone_is_not_shown,
    what_is_no_report_is_refused,
);

async fn a_report_is_behind_a_link_once_it_has_lines(api: Api) {
    let input = Input::of(&api);
    input.write("input", things(0..1) + "nonsense\n");
    let task = start(&api, "input").await;
    let path = format!("/thing-registration-tasks/{task}/reports");
    for report_type in ["ERRORS", "RESULTS"] {
        let listed = api.get(format!("{path}?reportType={report_type}")).ok().await;
        assert_eq!(listed, json!({ "resourceLinks": [], "reportType": report_type }));
    }
    worker(&api).work_off().await;
    for (report_type, expected) in [("RESULTS", 1), ("ERRORS", 2)] {
        let [link] = &links(&api, &task, report_type).await[..] else { panic!("one link") };
        let (status, content_type, text) = fetch(link).await;
        assert_eq!((status, &*content_type), (200, "application/json"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["lineId"], expected);
    }
    // As the caller named the API, and by the way that it took.
    let link = &links(&api.over_tls(), &task, "RESULTS").await[0];
    let address = api.running().address;
    assert!(link.starts_with(&format!("https://{address}/_gatehouse/")), "{link}");
    api.snapshot("list_thing_registration_task_reports");
}

async fn a_link_opens_one_report_for_an_hour_and_nothing_else(api: Api) {
    let input = Input::of(&api);
    input.write("input", things(0..1) + "nonsense\n");
    let task = start(&api, "input").await;
    worker(&api).work_off().await;
    let other_task = start(&api, "input").await;
    worker(&api).work_off().await;
    let abroad = api.in_region(OTHER_REGION);
    let task_abroad = start(&abroad, "input").await;
    worker(&api).work_off().await;

    let link = links(&api, &task, "ERRORS").await.pop().unwrap();
    assert_eq!(fetch(&link).await.0, 200);
    let (begin, mac) = link.rsplit_once('=').unwrap();
    let expires = link.split("expires=").nth(1).unwrap().split('&').next().unwrap();
    let later = (expires.parse::<u64>().unwrap() + 1).to_string();
    let foreign = links(&abroad, &task_abroad, "ERRORS").await.pop().unwrap();
    let forged = [
        link.replace("/errors", "/results"),
        link.replace(&task, &other_task),
        link.replace("us-east-1", OTHER_REGION),
        link.replace("us-east-1", OTHER_REGION).replace(&task, &task_abroad),
        link.replace("123456789012", "210987654321"),
        link.replace(expires, &later),
        link.replace(expires, &format!("0{expires}")),
        link.replace(expires, "99999999999999999999"),
        link.replace(expires, "-1"),
        format!("{link}&more=1"),
        format!("{link}&expires={later}"),
        link.split('?').next().unwrap().to_owned(),
        format!("{begin}="),
        format!("{begin}={}", mac.chars().rev().collect::<String>()),
        format!("{begin}={}", &mac[1..]),
        foreign.replace(OTHER_REGION, "us-east-1"),
    ];
    for forged in forged {
        let (status, _, text) = fetch(&forged).await;
        assert_eq!(status, if forged.contains(&format!("=0{expires}")) { 200 } else { 403 }, "{forged} {text}");
    }
    api.clock().advance_ms(limits::REPORT_LINK_MS);
    assert_eq!(fetch(&link).await.0, 200);
    api.clock().advance_ms(1_000);
    assert_eq!(fetch(&link).await.0, 403);
    // Another opens what the first did, as long as the task is kept.
    let link = links(&api, &task, "ERRORS").await.pop().unwrap();
    assert_eq!(fetch(&link).await.0, 200);
    let store = &api.running().house.store;
    store.prune_registration_tasks(gatehouse_domain::time::Clock::now(api.clock())).await.unwrap();
    assert_eq!(fetch(&link).await.0, 404);
}

async fn a_long_report_comes_whole(api: Api) {
    let input = Input::of(&api);
    input.write("input", "{}\n".repeat(1_234));
    let task = start(&api, "input").await;
    worker(&api).work_off().await;
    let lines = report(&api, &task, "ERRORS").await;
    assert!(lines.iter().map(|line| line["lineId"].as_u64().unwrap()).eq(1..=1_234));
    assert_eq!(lines[0]["errorMessage"], "Cannot resolve reference value: Name");
    assert_eq!(links(&api, &task, "RESULTS").await, [""; 0]);
}

async fn a_certificate_that_is_gone_is_not_shown(api: Api) {
    let input = Input::of(&api);
    input.write("input", things(0..1));
    let task = start(&api, "input").await;
    worker(&api).work_off().await;
    let line = &report(&api, &task, "RESULTS").await[0];
    assert!(line["response"]["certificatePem"].is_string());
    let arn = line["response"]["ResourceArns"]["certificate"].as_str().unwrap();
    let id = arn.rsplit('/').next().unwrap();
    let target = "/things/t0/principals";
    api.delete(target).header("x-amzn-principal", arn).quietly().ok().await;
    api.put(format!("/certificates/{id}?newStatus=INACTIVE")).quietly().ok().await;
    api.delete(format!("/certificates/{id}?forceDelete=true")).quietly().ok().await;
    let line = &report(&api, &task, "RESULTS").await[0];
    assert_eq!(line["response"]["ResourceArns"]["certificate"], arn);
    assert_eq!(line["response"].get("certificatePem"), None);
}

async fn what_is_no_report_is_refused(api: Api) {
    let input = Input::of(&api);
    input.write("input", things(0..1));
    let task = start(&api, "input").await;
    let path = format!("/thing-registration-tasks/{task}/reports");
    for query in ["", "?reportType=ALL", "?reportType=ERRORS&maxResults=0", "?reportType=ERRORS&nextToken=AAAA"] {
        api.get(format!("{path}{query}")).invalid().await;
    }
    api.get("/thing-registration-tasks/x/reports?reportType=ERRORS").invalid().await;
    api.get(format!("{path}?reportType=ERRORS&maxResults=250")).quietly().ok().await;
    api.snapshot("list_thing_registration_task_reports_refused");
}
