//! Query strings.

use crate::client::Api;
use crate::harness::on_both_engines;

on_both_engines!(parameters_must_be_known_and_given_once, values_are_decoded_once, broken_encoding_is_refused);

async fn parameters_must_be_known_and_given_once(api: Api) {
    for query in [
        "pageSize=1&pageSize=1",
        "pageSize=1&pageSize=2",
        "pageSize=1&page%53ize=2",
        "nope=1",
        "nope",
        "PageSize=1",
        "maxResults=1",
        "nextToken=x",
        "X-Amz-Signature=x",
    ] {
        api.get(format!("/certificates?{query}")).invalid().await;
    }
    for query in ["pageSize=", "pageSize=1.5", "pageSize=1e1", "pageSize=0x1", "pageSize=99999999999999999999"] {
        api.get(format!("/certificates?{query}")).invalid().await;
    }
    // Empty parameters are none.
    for query in ["", "&", "&&pageSize=1&"] {
        api.get(format!("/certificates?{query}")).ok().await;
    }
    api.snapshot("door_query");
}

async fn values_are_decoded_once(api: Api) {
    api.get("/certificates?page%53ize=%31").ok().await;
    let refused = api.get("/endpoint?endpointType=iot%253AData").invalid().await;
    assert!(refused.contains("'iot%3AData'"), "{refused}");
    let refused = api.get("/endpoint?endpointType=a+b%2Bc").invalid().await;
    assert!(refused.contains("'a b+c'"), "{refused}");
    let refused = api.get("/endpoint?endpointType=a=b").invalid().await;
    assert!(refused.contains("'a=b'"), "{refused}");
    api.snapshot("door_query_encoding");
}

async fn broken_encoding_is_refused(api: Api) {
    for query in ["marker=%", "marker=%f", "marker=%zz", "marker=%ff", "%ff=1", "marker=%c3%28", "marker=%u0041"] {
        api.get(format!("/certificates?{query}")).invalid().await;
    }
    api.snapshot("door_query_broken");
}
