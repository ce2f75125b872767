//! DescribeEndpoint.

use crate::client::Api;
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(an_endpoint_is_stable_and_of_one_tenant, unknown_types_are_refused);

async fn an_endpoint_is_stable_and_of_one_tenant(api: Api) {
    let address = |api: &Api, query: &str| {
        let ask = api.get(format!("/endpoint{query}"));
        async move { ask.ok().await["endpointAddress"].as_str().unwrap().to_owned() }
    };
    let default = address(&api, "").await;
    assert_eq!(address(&api, "?endpointType=iot:Data-ATS").await, default);
    let prefix = default.strip_suffix("-ats.iot.us-east-1.iot.test").unwrap();
    assert!(prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{prefix}");
    for (of_type, rest) in [
        ("iot%3AData", "iot.us-east-1.iot.test"),
        ("iot%3AJobs", "jobs.iot.us-east-1.iot.test"),
        ("iot%3ACredentialProvider", "credentials.iot.us-east-1.iot.test"),
    ] {
        assert_eq!(address(&api, &format!("?endpointType={of_type}")).await, format!("{prefix}.{rest}"));
    }
    let elsewhere = address(&api.in_region(OTHER_REGION), "").await;
    assert!(elsewhere.ends_with("-ats.iot.eu-west-1.iot.test") && !elsewhere.starts_with(prefix));
    let others = address(&api.of_account("210987654321").await, "").await;
    assert!(!others.starts_with(prefix));
    api.snapshot("describe_endpoint");
}

async fn unknown_types_are_refused(api: Api) {
    for of_type in ["iot:Nope", "iot:data-ats", "", "x%00"] {
        api.get(format!("/endpoint?endpointType={of_type}")).invalid().await;
    }
    api.get(format!("/endpoint?endpointType={}", "x".repeat(129))).invalid().await;
    api.snapshot("describe_endpoint_refused");
}
