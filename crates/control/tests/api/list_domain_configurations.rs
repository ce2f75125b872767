//! ListDomainConfigurations.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(configurations_and_endpoints_are_listed_by_name);

fn names(listed: &Value) -> Vec<&str> {
    let all = listed["domainConfigurations"].as_array().unwrap();
    all.iter().map(|found| found["domainConfigurationName"].as_str().unwrap()).collect()
}

async fn configurations_and_endpoints_are_listed_by_name(api: Api) {
    for name in ["z", "a"] {
        api.post(format!("/domainConfigurations/{name}")).json(json!({})).quietly().ok().await;
    }
    let all = api.get("/domainConfigurations").ok().await;
    let expected = ["a", "iot:CredentialProvider", "iot:Data", "iot:Data-ATS", "iot:Jobs", "z"];
    assert_eq!(names(&all), expected);
    let mut found: Vec<String> = Vec::new();
    let mut marker = String::new();
    for left in [4, 2, 0] {
        let page = api.get(format!("/domainConfigurations?pageSize=2{marker}")).quietly().ok().await;
        found.extend(names(&page).into_iter().map(str::to_owned));
        assert_eq!(page.get("nextMarker").is_some(), left > 0);
        marker = format!("&marker={}", encoded(page["nextMarker"].as_str().unwrap_or_default()));
    }
    assert_eq!(found, expected);
    let data = api.get("/domainConfigurations?serviceType=DATA").quietly().ok().await;
    assert_eq!(names(&data), ["a", "iot:Data", "iot:Data-ATS", "z"]);
    let jobs = api.get("/domainConfigurations?serviceType=JOBS").quietly().ok().await;
    assert_eq!(names(&jobs), ["iot:Jobs"]);
    api.get("/domainConfigurations?serviceType=x").invalid().await;
    api.get("/domainConfigurations?marker=AAAA").invalid().await;
    api.snapshot("list_domain_configurations");
}
