//! ListBillingGroups.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(groups_are_listed_by_name_and_found_by_prefix);

fn names(listed: &Value) -> Vec<&str> {
    listed["billingGroups"].as_array().unwrap().iter().map(|found| found["groupName"].as_str().unwrap()).collect()
}

async fn groups_are_listed_by_name_and_found_by_prefix(api: Api) {
    assert_eq!(api.get("/billing-groups").ok().await, json!({ "billingGroups": [] }));
    for name in ["b", "a_2", "B", "a-1", "a"] {
        api.billing_group(name).await;
    }
    let all = api.get("/billing-groups").ok().await;
    assert_eq!(names(&all), ["B", "a", "a-1", "a_2", "b"]);
    assert_eq!(all["billingGroups"][1], json!({ "groupName": "a", "groupArn": api.arn("billinggroup/a") }));
    for (prefix, found) in [("a", vec!["a", "a-1", "a_2"]), ("a_", vec!["a_2"]), ("A", vec![]), ("b", vec!["b"])] {
        assert_eq!(names(&api.get(format!("/billing-groups?namePrefixFilter={prefix}")).ok().await), found);
    }
    // The filter applies before the page.
    let first = api.get("/billing-groups?namePrefixFilter=a&maxResults=2").ok().await;
    assert_eq!(names(&first), ["a", "a-1"]);
    let token = encoded(first["nextToken"].as_str().unwrap());
    let rest = api.get(format!("/billing-groups?namePrefixFilter=a&nextToken={token}")).quietly().ok().await;
    assert_eq!((names(&rest), rest.get("nextToken")), (vec!["a_2"], None));
    for query in ["maxResults=0", "maxResults=251", "nextToken=x", "namePrefixFilter=a%25", "namePrefixFilter="] {
        api.get(format!("/billing-groups?{query}")).invalid().await;
    }
    api.snapshot("list_billing_groups");
}
