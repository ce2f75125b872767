//! Just-in-time provisioning: parameters from the subject of a certificate.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{certificate, id};
use crate::policy::{DistinguishedName, NameAttribute};
use crate::provisioning::{PlanRefusal, Template, TemplateKind, just_in_time_parameters};

/// A just-in-time template that declares these, with their defaults, and names a thing by the first.
fn just_in_time(declared: &[(&str, Option<&str>)]) -> Result<Template, String> {
    let section: serde_json::Map<String, Value> = declared
        .iter()
        .map(|(name, default)| {
            let default =
                default.map_or(json!({ "Type": "String" }), |text| json!({ "Type": "String", "Default": text }));
            ((*name).to_owned(), default)
        })
        .collect();
    let thing = json!({ "Type": "AWS::IoT::Thing", "Properties": { "ThingName": { "Ref": declared[0].0 } } });
    let template = json!({ "Parameters": section, "Resources": { "c": certificate(), "t": thing } }).to_string();
    Template::parse(&template, TemplateKind::JustInTime).map_err(|invalid| invalid.to_string())
}

#[test]
fn just_in_time_parameters_are_those_of_the_subject() {
    let subject: DistinguishedName = [
        (NameAttribute::CommonName, "first"),
        (NameAttribute::CommonName, "second"),
        (NameAttribute::OrganizationalUnit, "unit"),
        (NameAttribute::Country, "DE"),
        (NameAttribute::State, "BY"),
        (NameAttribute::Organization, "O"),
        (NameAttribute::DistinguishedNameQualifier, "q"),
        (NameAttribute::SerialNumber, "7"),
        (NameAttribute::Title, "nobody asks"),
    ]
    .into_iter()
    .map(|(attribute, value)| (attribute, value.to_owned()))
    .collect();
    let full = |word: &str| format!("AWS::IoT::Certificate::{word}");
    let words = [
        ("CommonName", "first"),
        ("Country", "DE"),
        ("DistinguishedNameQualifier", "q"),
        ("Organization", "O"),
        ("OrganizationalUnit", "unit"),
        ("SerialNumber", "7"),
        ("StateName", "BY"),
    ];
    let names: Vec<String> = words.iter().map(|(word, _)| full(word)).chain([full("Id")]).collect();
    let declared: Vec<(&str, Option<&str>)> = names.iter().map(|name| (name.as_str(), None)).collect();
    let template = just_in_time(&declared).unwrap();
    let found = just_in_time_parameters(&template, &subject).unwrap();
    assert_eq!(found, words.iter().map(|(word, value)| (full(word), (*value).to_owned())).collect());
    assert_eq!(template.plan(&found, Some(id())).unwrap().thing.unwrap().name.as_str(), "first");

    // What is not declared is not asked for; what is, must be there or have a default.
    let nothing = DistinguishedName::default();
    let name = full("CommonName");
    let refused = just_in_time_parameters(&just_in_time(&[(&name, None)]).unwrap(), &nothing).unwrap_err();
    assert_eq!(refused, PlanRefusal::NotInSubject(name.clone()));
    let with_default = just_in_time(&[(&name, Some("default"))]).unwrap();
    assert_eq!(just_in_time_parameters(&with_default, &nothing), Ok(BTreeMap::new()));
    let plan = with_default.plan(&BTreeMap::new(), Some(id())).unwrap();
    assert_eq!(plan.thing.unwrap().name.as_str(), "default");

    // Nobody gives others.
    assert!(just_in_time(&[("SerialNumber", Some("x"))]).is_ok());
    assert_eq!(
        just_in_time(&[("SerialNumber", None)]).unwrap_err(),
        "Parameters.SerialNumber: nobody gives it a value in just-in-time provisioning: give it a Default"
    );
    for unknown in ["AWS::IoT::Certificate::Title", "AWS::IoT::Certificate::SerialNo", "AWS::Region"] {
        assert!(just_in_time(&[(unknown, None)]).is_err(), "{unknown}");
    }
}
