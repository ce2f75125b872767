//! ListThingGroups.

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(groups_are_listed_by_where_they_lie, pages_go_through_all_of_them, what_cannot_be_listed_is_refused);

async fn names(api: &Api, query: &str) -> Vec<String> {
    let told = api.get(format!("/thing-groups{query}")).quietly().ok().await;
    told["thingGroups"].as_array().unwrap().iter().map(|group| group["groupName"].as_str().unwrap().to_owned()).collect()
}

async fn groups_are_listed_by_where_they_lie(api: Api) {
    for (name, parent) in
        [("house", None), ("floor", Some("house")), ("room", Some("floor")), ("hall", Some("house")), ("garden", None)]
    {
        api.group(name, parent).await;
    }
    api.of_account("210987654321").await.group("foreign", None).await;
    for (query, listed) in [
        ("", vec!["floor", "garden", "hall", "house", "room"]),
        ("?recursive=true", vec!["floor", "garden", "hall", "house", "room"]),
        ("?recursive=false", vec!["garden", "house"]),
        ("?parentGroup=house", vec!["floor", "hall"]),
        ("?parentGroup=house&recursive=false", vec!["floor", "hall"]),
        ("?parentGroup=house&recursive=true", vec!["floor", "hall", "room"]),
        ("?parentGroup=garden&recursive=true", vec![]),
        ("?namePrefixFilter=h", vec!["hall", "house"]),
        ("?namePrefixFilter=ho&recursive=false", vec!["house"]),
        ("?parentGroup=house&namePrefixFilter=r&recursive=true", vec!["room"]),
        ("?parentGroup=house&namePrefixFilter=r", vec![]),
    ] {
        assert_eq!(names(&api, query).await, listed, "{query}");
    }
    api.get("/thing-groups?namePrefixFilter=garden").ok().await;
    api.snapshot("list_thing_groups");
}

async fn pages_go_through_all_of_them(api: Api) {
    api.group("a", None).await;
    for number in 0..30 {
        api.group(&format!("g{number:02}"), Some("a")).await;
    }
    assert_eq!(names(&api, "?parentGroup=a").await.len(), 25, "a page, when nobody says");
    for query in ["parentGroup=a", "parentGroup=a&recursive=true", "namePrefixFilter=g"] {
        let (mut listed, mut token) = (Vec::new(), String::new());
        loop {
            let page = api.get(format!("/thing-groups?{query}&maxResults=7{token}")).quietly().ok().await;
            listed.extend(page["thingGroups"].as_array().unwrap().iter().map(|group| group["groupName"].clone()));
            let Some(next) = page["nextToken"].as_str() else { break };
            token = format!("&nextToken={}", encoded(next));
        }
        assert_eq!(listed, (0..30).map(|number| format!("g{number:02}")).collect::<Vec<_>>(), "{query}");
    }
}

async fn what_cannot_be_listed_is_refused(api: Api) {
    api.get("/thing-groups?parentGroup=g").refused(404, "ResourceNotFoundException").await;
    for query in ["maxResults=0", "maxResults=251", "namePrefixFilter=a%20b", "recursive=2", "nextToken=x", "order=a"] {
        api.get(format!("/thing-groups?{query}")).invalid().await;
    }
}
