//! ListThingTypes.

use serde_json::{Value, json};

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;

on_both_engines!(types_are_listed_by_name);

fn names(listed: &Value) -> Vec<&str> {
    listed["thingTypes"].as_array().unwrap().iter().map(|found| found["thingTypeName"].as_str().unwrap()).collect()
}

async fn types_are_listed_by_name(api: Api) {
    assert_eq!(api.get("/thing-types").ok().await, json!({ "thingTypes": [] }));
    let properties = json!({ "thingTypeDescription": "b", "searchableAttributes": ["x"] });
    api.post("/thing-types/b").json(json!({ "thingTypeProperties": properties })).quietly().ok().await;
    for name in ["c", "B", "a", "a-2"] {
        api.thing_type(name).await;
    }
    api.deprecate("a").await;
    let all = api.get("/thing-types").ok().await;
    assert_eq!(names(&all), ["B", "a", "a-2", "b", "c"]);
    assert_eq!(all["thingTypes"][1]["thingTypeMetadata"]["deprecated"], true);
    assert_eq!(all["thingTypes"][3]["thingTypeProperties"], properties);
    // The filter is a whole name, and applies before the page.
    assert_eq!(names(&api.get("/thing-types?thingTypeName=a").ok().await), ["a"]);
    let one = api.get("/thing-types?thingTypeName=a&maxResults=1").ok().await;
    assert_eq!((names(&one), one.get("nextToken")), (vec!["a"], None));
    assert!(names(&api.get("/thing-types?thingTypeName=nope").ok().await).is_empty());
    let first = api.get("/thing-types?maxResults=2").ok().await;
    assert_eq!(names(&first), ["B", "a"]);
    let token = encoded(first["nextToken"].as_str().unwrap());
    let rest = |filter: &str| api.get(format!("/thing-types?nextToken={token}{filter}")).quietly();
    assert_eq!(names(&rest("").ok().await), ["a-2", "b", "c"]);
    assert_eq!(names(&rest("&thingTypeName=c").ok().await), ["c"]);
    assert!(names(&rest("&thingTypeName=a").ok().await).is_empty());
    for query in ["maxResults=0", "maxResults=251", "nextToken=x", "thingTypeName=a%20b", "thingTypeName="] {
        api.get(format!("/thing-types?{query}")).invalid().await;
    }
    api.snapshot("list_thing_types");
}
