//! Names in paths, as strangers may write them.

use serde_json::json;

use crate::client::{Api, encoded};
use crate::harness::on_both_engines;
use crate::samples::ALLOW_ALL;

on_both_engines!(
    no_name_leads_out_of_its_place,
    names_are_decoded_once_and_checked_then,
    an_encoded_name_is_the_same_name,
    dot_segments_lead_where_the_signature_says,
);

async fn no_name_leads_out_of_its_place(api: Api) {
    for name in [
        "..%2Fthings",
        "%2e%2e%2fthings",
        "%2F",
        "a%2Fb",
        "a%5Cb",
        "%00",
        "t%00",
        "t%0A",
        "t%0d%0aX-Header:%20x",
        "%20",
        "%C3%A9",
        "%E2%80%AE",
        "%EF%BC%8E%EF%BC%8E",
        "t%25",
        "*",
        "t.",
        "$t",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            api.ask(method, format!("/things/{name}")).invalid().await;
        }
    }
    let long = "n".repeat(5_000);
    let refused = api.get(format!("/things/{long}")).quietly().invalid().await;
    // What is refused is not sent back in full.
    assert!(refused.len() < 1_000, "{}", refused.len());
    api.snapshot("door_path_names");
}

async fn names_are_decoded_once_and_checked_then(api: Api) {
    // Twice encoded, the name has a percent sign, which no name has.
    api.post("/things/a%253Ab").invalid().await;
    for broken in ["%", "%4", "%zz", "%ff", "%c3%28", "a%"] {
        let answer = api.get(format!("/things/{broken}")).send().await;
        assert_eq!((answer.status, answer.error.as_deref()), (400, Some("InvalidRequestException")), "{broken}");
    }
    api.snapshot("door_path_encoding");
}

async fn an_encoded_name_is_the_same_name(api: Api) {
    api.post("/things/a%3Ab").ok().await;
    for path in ["/things/a:b", "/things/%61%3a%62", "/things/a%3ab/"] {
        assert_eq!(api.get(path).ok().await["thingName"], "a:b", "{path}");
    }
    // What the model writes itself has one spelling.
    api.get("/%74hings/a%3Ab").refused(404, "UnknownOperationException").await;
    let policy = json!({ "policyDocument": ALLOW_ALL });
    api.post(format!("/policies/{}", encoded("a+b=c,d@e"))).json(policy).ok().await;
    // A plus sign in a path is a plus sign.
    assert_eq!(api.get("/policies/a+b=c,d@e").ok().await["policyName"], "a+b=c,d@e");
    api.snapshot("door_path_same");
}

async fn dot_segments_lead_where_the_signature_says(api: Api) {
    api.thing("t").await;
    // SigV4 signs the normal form of a path, so whoever changes the form on its way changes nothing.
    for path in ["/things/./t", "/things/x/../t", "/policies/../things/t", "//things//t", "/../../things/t"] {
        assert_eq!(api.get(path).ok().await["thingName"], "t", "{path}");
    }
    let mut moved = api.get("/things/t").signed();
    moved.set_target("/things//x/..//t");
    assert_eq!(moved.send().await.body["thingName"], "t");
    let mut moved = api.delete("/things/t").signed();
    moved.set_target("/things/t/../u");
    moved.refused(403, "InvalidSignatureException").await;
    // Encoded, the dots are part of a name.
    api.get("/things/x/%2e%2e/t").refused(404, "UnknownOperationException").await;
    api.snapshot("door_path_dots");
}
