//! DescribeEventConfigurations.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(all_switches_are_off_until_somebody_asks);

async fn all_switches_are_off_until_somebody_asks(api: Api) {
    let told = api.get("/event-configurations").ok().await;
    let switches = told["eventConfigurations"].as_object().unwrap();
    assert_eq!(switches.len(), 11);
    assert!(switches.values().all(|switch| switch["Enabled"] == false));
    assert_eq!(told.as_object().unwrap().len(), 1, "no dates");
    let may = json!([{ "Effect": "Allow", "Action": "iot:UpdateEventConfigurations", "Resource": "*" }]);
    let nobody = api.limited(may).await;
    nobody.get("/event-configurations").quietly().refused(403, "AccessDeniedException").await;
    api.snapshot("describe_event_configurations");
}
