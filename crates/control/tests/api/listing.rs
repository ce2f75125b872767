//! What all listings have in common: pages in both directions, ties in time, and markers that are worth nothing
//! elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::client::{Api, Ask, Certificate, encoded};
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(
    every_page_size_tells_everything_once_in_both_orders,
    twenty_five_are_a_page_when_nobody_says,
    pages_go_on_when_the_list_changes,
    a_marker_is_worth_nothing_elsewhere,
);

/// Things that a listing is asked with.
struct Listing {
    method: &'static str,
    path: String,
    header: Option<(&'static str, String)>,
    items: &'static str,
    marker: &'static str,
    next: &'static str,
    size: &'static str,
    has_order: bool,
}

impl Listing {
    fn ask(&self, api: &Api, query: &[(&str, &str)]) -> Ask {
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let joint = if query.is_empty() { "" } else { "?" };
        let ask = api.ask(self.method, format!("{}{joint}{}", self.path, query.join("&"))).quietly();
        match &self.header {
            Some((name, value)) => ask.header(name, value),
            None => ask,
        }
    }

    /// The items of all pages, and how many pages there were.
    async fn walk(&self, api: &Api, size: u32, ascending: bool) -> (Vec<Value>, usize) {
        let (mut items, mut pages, mut marker) = (Vec::new(), 0, None::<String>);
        loop {
            let size = size.to_string();
            let mut query = vec![(self.size, size.as_str())];
            if self.has_order && ascending {
                query.push(("isAscendingOrder", "true"));
            }
            if let Some(marker) = &marker {
                query.push((self.marker, marker));
            }
            let page = self.ask(api, &query).ok().await;
            items.extend(page[self.items].as_array().unwrap().iter().cloned());
            pages += 1;
            match page.get(self.next) {
                Some(next) => marker = Some(next.as_str().unwrap().to_owned()),
                None => return (items, pages),
            }
        }
    }
}

/// Seven policies, certificates, things, role aliases, thing types, billing groups and provisioning templates, three of each made in the same
/// millisecond. Policies, certificates and things are all attached to the first of the others; all things are in the first
/// billing group.
async fn registry(api: &Api) -> Vec<Certificate> {
    let mut certificates = Vec::new();
    for number in 0..7 {
        certificates.push(api.certificate().await);
        api.policy(&format!("p{}", 6 - number)).await;
        api.thing(&format!("t{}", 6 - number)).await;
        let role = json!({ "roleArn": "arn:aws:iam::123456789012:role/r" });
        api.post(format!("/role-aliases/a{number}")).json(role).quietly().ok().await;
        api.thing_type(&format!("y{number}")).await;
        api.billing_group(&format!("b{number}")).await;
        api.add_to_billing_group(&format!("t{}", 6 - number), "b0").await;
        api.template(&format!("t{number}"), "JITP").await;
        if number >= 3 {
            api.clock().advance_ms(1);
        }
    }
    let first = &certificates[0];
    for (number, certificate) in certificates.iter().enumerate() {
        api.attach(&format!("p{number}"), first).await;
        api.attach_to_thing(&format!("t{number}"), first, false).await;
        if number > 0 {
            api.attach("p0", certificate).await;
            api.attach_to_thing("t0", certificate, false).await;
        }
        if number >= 3 {
            api.clock().advance_ms(1);
        }
    }
    certificates
}

fn listings(api: &Api, certificate: &Certificate) -> Vec<Listing> {
    let principal = |name| Some((name, certificate.arn.clone()));
    let marker = |method, path: &str, items, header, has_order| Listing {
        method,
        path: path.to_owned(),
        header,
        items,
        marker: "marker",
        next: "nextMarker",
        size: "pageSize",
        has_order,
    };
    let token = |path: &str, items, header| Listing {
        method: "GET",
        path: path.to_owned(),
        header,
        items,
        marker: "nextToken",
        next: "nextToken",
        size: "maxResults",
        has_order: false,
    };
    let of_policy = Some(("x-amzn-iot-policy", "p0".to_owned()));
    let attached = format!("/attached-policies/{}", encoded(&api.arn(&format!("cert/{}", certificate.id))));
    vec![
        marker("GET", "/certificates", "certificates", None, true),
        marker("GET", "/policies", "policies", None, true),
        marker("GET", "/policy-principals", "principals", of_policy, true),
        marker("GET", "/principal-policies", "policies", principal("x-amzn-iot-principal"), true),
        marker("GET", "/role-aliases", "roleAliases", None, true),
        marker("POST", "/policy-targets/p0", "targets", None, false),
        marker("POST", &attached, "policies", None, false),
        token("/things", "things", None),
        token("/thing-types", "thingTypes", None),
        token("/billing-groups", "billingGroups", None),
        token("/billing-groups/b0/things", "things", None),
        token("/provisioning-templates", "templates", None),
        token("/things/t0/principals", "principals", None),
        token("/things/t0/principals-v2", "thingPrincipalObjects", None),
        token("/principals/things", "things", principal("x-amzn-principal")),
        token("/principals/things-v2", "principalThingObjects", principal("x-amzn-principal")),
    ]
}

async fn every_page_size_tells_everything_once_in_both_orders(api: Api) {
    let certificates = registry(&api).await;
    for listing in listings(&api, &certificates[0]) {
        let (all, pages) = listing.walk(&api, 250, true).await;
        assert_eq!((all.len(), pages), (7, 1), "{}", listing.path);
        for size in 1..=8 {
            // A full last page has no successor.
            let expected = 7_usize.div_ceil(usize::try_from(size).unwrap());
            assert_eq!(listing.walk(&api, size, true).await, (all.clone(), expected), "{} by {size}", listing.path);
            if listing.has_order {
                let backwards = all.iter().rev().cloned().collect();
                assert_eq!(listing.walk(&api, size, false).await, (backwards, expected), "{} by {size}", listing.path);
            }
        }
    }
}

async fn twenty_five_are_a_page_when_nobody_says(api: Api) {
    for number in 0..26 {
        api.thing(&format!("t{number}")).await;
    }
    let page = api.get("/things").quietly().ok().await;
    assert_eq!(page["things"].as_array().unwrap().len(), 25);
    let token = encoded(page["nextToken"].as_str().unwrap());
    let rest = api.get(format!("/things?nextToken={token}")).quietly().ok().await;
    assert_eq!(rest["things"].as_array().unwrap().len(), 1);
}

async fn pages_go_on_when_the_list_changes(api: Api) {
    for number in 1..=6 {
        api.thing(&format!("t{number}")).await;
    }
    let names = |page: &Value| -> Vec<String> {
        page["things"].as_array().unwrap().iter().map(|t| t["thingName"].as_str().unwrap().to_owned()).collect()
    };
    let first = api.get("/things?maxResults=3").quietly().ok().await;
    assert_eq!(names(&first), ["t1", "t2", "t3"]);
    // The last one told is gone, one before it and one behind it are new.
    api.delete("/things/t3").quietly().ok().await;
    api.thing("t0").await;
    api.thing("t33").await;
    let token = encoded(first["nextToken"].as_str().unwrap());
    let rest = api.get(format!("/things?nextToken={token}")).quietly().ok().await;
    assert_eq!(names(&rest), ["t33", "t4", "t5", "t6"]);
}

async fn a_marker_is_worth_nothing_elsewhere(api: Api) {
    let certificates = registry(&api).await;
    let all = listings(&api, &certificates[0]);
    let mut markers = Vec::new();
    for listing in &all {
        let page = listing.ask(&api, &[(listing.size, "2")]).ok().await;
        markers.push(page[listing.next].as_str().unwrap().to_owned());
    }
    for (from, marker) in markers.iter().enumerate() {
        assert!(marker.len() <= 1024);
        for (to, listing) in all.iter().enumerate() {
            let ask = listing.ask(&api, &[(listing.marker, marker)]);
            if from == to {
                ask.ok().await;
            } else {
                let refused = ask.invalid().await;
                assert!(refused.starts_with("the marker was not given by this operation"), "{refused}");
            }
        }
    }
    // Nor in another Region or account, nor changed, nor cut.
    let (certificate_list, marker) = (&all[0], &markers[0]);
    let other = api.of_account("210987654321").await;
    for elsewhere in [&api.in_region(OTHER_REGION), &other] {
        certificate_list.ask(elsewhere, &[("marker", marker)]).invalid().await;
    }
    let bytes = STANDARD.decode(marker).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        certificate_list.ask(&api, &[("marker", &STANDARD.encode(changed))]).invalid().await;
    }
    for forged in ["", "AAAA", "=", "a b", &STANDARD.encode(&bytes[1..]), &STANDARD.encode(&bytes[..bytes.len() - 1])] {
        certificate_list.ask(&api, &[("marker", forged)]).invalid().await;
    }
    certificate_list.ask(&api, &[("marker", &"A".repeat(1025))]).invalid().await;
}
