//! Templates that are refused, each with where and why.

use serde_json::{Value, json};

use super::{ALLOW, certificate, everything, parse, telling};
use crate::provisioning::{CERTIFICATE_ID, Template, TemplateKind};

#[test]
fn a_refusal_of_a_template_says_where_and_what() {
    let with = |change: fn(&mut Value)| {
        let mut template = everything();
        change(&mut template);
        template
    };
    let cases: Vec<(Value, &str)> = vec![
        (json!([]), "templateBody: must be an object"),
        (json!({}), "templateBody: Resources is missing"),
        (json!({ "Resources": {} }), "Resources: an AWS::IoT::Certificate is needed"),
        (
            with(|t| t["Outputs"] = json!({})),
            "templateBody.Outputs: is not known here: Parameters, Mappings, Resources, DeviceConfiguration are",
        ),
        (with(|t| t["Parameters"] = json!([])), "Parameters: must be an object"),
        (with(|t| t["Parameters"]["x"] = json!({})), "Parameters.x: Type must be \"String\""),
        (with(|t| t["Parameters"]["x"] = json!({ "Type": "Number" })), "Parameters.x: Type must be \"String\""),
        (
            with(|t| t["Parameters"]["x"] = json!({ "Type": "String", "Default": 1 })),
            "Parameters.x.Default: must be a string",
        ),
        (
            with(|t| t["Parameters"]["x"] = json!({ "Type": "String", "AllowedValues": [] })),
            "Parameters.x.AllowedValues: is not known here: Type, Default are",
        ),
        (
            with(|t| t["Parameters"][""] = json!({ "Type": "String" })),
            "Parameters.: the name must have 1 to 2048 characters",
        ),
        (
            with(|t| t["Parameters"]["AWS::Region"] = json!({ "Type": "String" })),
            "Parameters.AWS::Region: no such parameter exists: names that begin with AWS:: are reserved",
        ),
        (
            with(|t| t["Parameters"]["AWS::IoT::Certificate::CommonName"] = json!({ "Type": "String" })),
            "Parameters.AWS::IoT::Certificate::CommonName: is filled in just-in-time provisioning only: declare a \
             parameter of another name",
        ),
        (with(|t| t["Mappings"]["m"] = json!("x")), "Mappings.m: must be an object"),
        (with(|t| t["Mappings"]["m"] = json!({ "k": "x" })), "Mappings.m.k: must be an object"),
        (
            with(|t| t["Mappings"]["m"] = json!({ "k": { "l": { "Ref": "Location" } } })),
            "Mappings.m.k.l: must be a string",
        ),
        (with(|t| t["Resources"] = json!([])), "Resources: must be an object"),
        (with(|t| t["Resources"][""] = json!({})), "Resources.: a resource needs a name"),
        (with(|t| t["Resources"]["x"] = json!({})), "Resources.x: Type is missing"),
        (with(|t| t["Resources"]["x"] = json!({ "Type": "AWS::IoT::Policy" })), "Resources.x: Properties is missing"),
        (
            with(|t| t["Resources"]["x"] = json!({ "Type": "AWS::IoT::ThingGroup", "Properties": {} })),
            "Resources.x.Type: no such type is known here: AWS::IoT::Thing, AWS::IoT::Certificate and AWS::IoT::Policy are",
        ),
        (
            with(|t| t["Resources"]["thing"]["DependsOn"] = json!("policy")),
            "Resources.thing.DependsOn: is not known here: Type, Properties, OverrideSettings are",
        ),
        (
            with(|t| t["Resources"]["z"] = t["Resources"]["thing"].clone()),
            "Resources.z: a template has at most one AWS::IoT::Thing",
        ),
        (
            with(|t| t["Resources"]["z"] = certificate()),
            "Resources.z: a template has at most one AWS::IoT::Certificate",
        ),
        (
            with(|t| {
                for number in 0..8 {
                    t["Resources"][format!("p{number}")] = t["Resources"]["policy"].clone();
                }
            }),
            "Resources: a certificate may have at most 10 policies",
        ),
        (
            with(|t| t["Resources"]["thing"]["Properties"]["Foo"] = json!("x")),
            "Resources.thing.Properties.Foo: is not known here: ThingName, AttributePayload, ThingTypeName, ThingGroups, \
             BillingGroup, PackageVersions are",
        ),
        (
            with(|t| drop(t["Resources"]["thing"]["Properties"].as_object_mut().unwrap().remove("ThingName"))),
            "Resources.thing.Properties: ThingName is missing",
        ),
        (
            with(|t| t["Resources"]["thing"]["Properties"]["PackageVersions"] = json!({ "p": "1" })),
            "Resources.thing.Properties.PackageVersions: there is no catalogue of software packages here: leave \
             PackageVersions out",
        ),
        (
            with(|t| t["Resources"]["thing"]["Properties"]["ThingName"] = json!(1)),
            "Resources.thing.Properties.ThingName: must be a string or a function",
        ),
        (
            with(|t| t["Resources"]["thing"]["Properties"]["ThingName"] = json!(null)),
            "Resources.thing.Properties.ThingName: must be a string or a function",
        ),
        (
            with(|t| t["Resources"]["thing"]["Properties"]["ThingName"] = json!("a/b")),
            r#"Resources.thing.Properties.ThingName: "a/b" is not a name here: 1 to 128 letters, digits and :_- are needed"#,
        ),
        (
            with(|t| t["Resources"]["thing"]["Properties"]["ThingName"] = json!({ "Fn::Join": ["/", ["a", "b"]] })),
            r#"Resources.thing.Properties.ThingName: "a/b" is not a name here: 1 to 128 letters, digits and :_- are needed"#,
        ),
        (
            with(|t| t["Resources"]["thing"]["Properties"]["AttributePayload"]["a b"] = json!("x")),
            "Resources.thing.Properties.AttributePayload.a b: is not the name of an attribute: 1 to 128 letters, digits \
             and _.,@/:#- are needed",
        ),
        (
            with(|t| t["Resources"]["thing"]["Properties"]["AttributePayload"]["a"] = json!("b c")),
            r#"Resources.thing.Properties.AttributePayload.a: "b c" is not the value of an attribute: at most 800 letters, digits and _.,@/:#=[]- are needed"#,
        ),
        (
            with(|t| {
                drop(t["Resources"]["thing"]["Properties"].as_object_mut().unwrap().remove("ThingTypeName"));
                t["Resources"]["thing"]["Properties"]["AttributePayload"]["d"] = json!("4");
            }),
            "Resources.thing.Properties.AttributePayload: a thing without ThingTypeName may have at most 3 attributes",
        ),
        (
            with(|t| {
                for number in 0..50 {
                    t["Resources"]["thing"]["Properties"]["AttributePayload"][format!("a{number}")] = json!("4");
                }
            }),
            "Resources.thing.Properties.AttributePayload: a thing may have at most 50 attributes",
        ),
        (
            with(|t| t["Resources"]["thing"]["Properties"]["ThingGroups"] = json!({ "Fn::Split": [",", "a,b"] })),
            "Resources.thing.Properties.ThingGroups: must be a list",
        ),
        (
            with(|t| t["Resources"]["thing"]["Properties"]["ThingGroups"] = json!(vec!["g"; 11])),
            "Resources.thing.Properties.ThingGroups: a thing may be in at most 10 groups",
        ),
        (
            with(|t| t["Resources"]["thing"]["OverrideSettings"]["BillingGroup"] = json!("REPLACE")),
            "Resources.thing.OverrideSettings.BillingGroup: is not known here: AttributePayload, ThingTypeName, \
             ThingGroups are",
        ),
        (
            with(|t| t["Resources"]["thing"]["OverrideSettings"]["ATTRIBUTE_PAYLOAD"] = json!("REPLACE")),
            "Resources.thing.OverrideSettings.AttributePayload: is given in two spellings",
        ),
        (
            with(|t| t["Resources"]["thing"]["OverrideSettings"]["THING_TYPE_NAME"] = json!("MERGE")),
            "Resources.thing.OverrideSettings.THING_TYPE_NAME: must be DO_NOTHING, REPLACE or FAIL",
        ),
        (
            with(|t| t["Resources"]["thing"]["OverrideSettings"]["ThingGroups"] = json!("merge")),
            "Resources.thing.OverrideSettings.ThingGroups: must be DO_NOTHING, REPLACE, FAIL or MERGE",
        ),
        (
            with(|t| t["Resources"]["certificate"]["OverrideSettings"]["Status"] = json!("MERGE")),
            "Resources.certificate.OverrideSettings.Status: must be DO_NOTHING, REPLACE or FAIL",
        ),
        (
            with(|t| t["Resources"]["certificate"]["Properties"]["Status"] = json!("active")),
            r#"Resources.certificate.Properties.Status: "active" is not a status here: ACTIVE or INACTIVE is needed"#,
        ),
        (
            with(|t| t["Resources"]["certificate"]["Properties"]["ThingPrincipalType"] = json!("BOTH")),
            r#"Resources.certificate.Properties.ThingPrincipalType: "BOTH" is refused: EXCLUSIVE_THING or NON_EXCLUSIVE_THING is needed"#,
        ),
        (
            with(|t| t["Resources"]["policy"]["Properties"] = json!({ "PolicyName": "p", "PolicyDocument": ALLOW })),
            "Resources.policy.Properties: exactly one of PolicyName and PolicyDocument is needed",
        ),
        (
            with(|t| t["Resources"]["policy"]["Properties"] = json!({})),
            "Resources.policy.Properties: exactly one of PolicyName and PolicyDocument is needed",
        ),
        (
            with(|t| t["Resources"]["policy"]["Properties"]["PolicyName"] = json!("a b")),
            r#"Resources.policy.Properties.PolicyName: "a b" is refused: a policy name must be 1 to 128 characters of letters, digits and _+=,.@-"#,
        ),
        (
            with(|t| t["Resources"]["policy"]["OverrideSettings"] = json!({ "Status": "REPLACE" })),
            "Resources.policy.OverrideSettings.Status: is not known here: there is nothing to set",
        ),
        (
            with(|t| t["Resources"]["document"]["Properties"]["PolicyDocument"] = json!("{}")),
            "Resources.document.Properties.PolicyDocument: the policy document is refused: document: Statement is missing",
        ),
        (
            with(|t| t["Resources"]["document"]["Properties"]["PolicyDocument"] = json!({ "Version": "2012-10-17" })),
            "Resources.document.Properties.PolicyDocument: the policy document is refused: document: Statement is missing",
        ),
        (
            with(|t| t["Resources"]["document"]["Properties"]["PolicyDocument"] = json!({ "Ref": "Location" })),
            "Resources.document.Properties.PolicyDocument: must be a string or the document as an object: functions can \
             stand in it, not in its place",
        ),
        (
            with(|t| {
                t["Resources"]["made"]["Properties"]["PolicyDocument"]["Statement"][0]["Resource"] =
                    json!({ "Fn::Join": ["", ["a"]] });
            }),
            "Resources.made.Properties.PolicyDocument.Statement[0].Resource.Fn::Join: does not exist in policies: use Fn::Sub",
        ),
        (
            with(|t| {
                t["Resources"]["made"]["Properties"]["PolicyDocument"]["Statement"][0]["Resource"] =
                    json!({ "Fn::Sub": ["${v}", { "v": { "Fn::Join": ["", ["a"]] } }] });
            }),
            "Resources.made.Properties.PolicyDocument.Statement[0].Resource.Fn::Sub[1].v.Fn::Join: does not exist in \
             policies: use Fn::Sub",
        ),
        (
            with(|t| t["Resources"]["policy"]["Properties"]["PolicyName"] = json!({ "Fn::Join": ["", ["a"]] })),
            "Resources.policy.Properties.PolicyName.Fn::Join: does not exist in policies: use Fn::Sub",
        ),
        (with(|t| t["DeviceConfiguration"] = json!("x")), "DeviceConfiguration: must be an object"),
        (
            with(|t| t["DeviceConfiguration"]["x"] = json!({ "a": "b" })),
            "DeviceConfiguration.x: must be a string or a function, such as {\"Ref\": \"<parameter>\"}",
        ),
    ];
    for (template, expected) in cases {
        assert_eq!(parse(&template).unwrap_err(), expected, "{template}");
    }
}

#[test]
fn a_body_is_json_of_ten_kilobytes_in_which_nothing_stands_twice() {
    let read = |body: &str| Template::parse(body, TemplateKind::Fleet).map(drop).map_err(|invalid| invalid.to_string());
    let body = json!({ "Resources": { "c": certificate() } }).to_string();
    assert_eq!(read(&format!("{body}{}", " ".repeat(10_240 - body.len()))), Ok(()));
    assert_eq!(
        read(&format!("{body}{}", " ".repeat(10_241 - body.len()))),
        Err("templateBody: has 10241 bytes, of which 10240 are allowed".to_owned())
    );
    for wrong in [
        "",
        "x",
        "{",
        &format!("{body}{body}"),
        &body.replace(r#""Resources":"#, r#""Resources":{},"Resources":"#),
        &body.replace(r#""Resources":"#, r#""Resources":{},"\u0052esources":"#),
        &body.replace(r#""Ref":"#, r#""Ref":"a","Ref":"#),
        &"[".repeat(10_000),
    ] {
        let refused = read(wrong).unwrap_err();
        assert!(refused.starts_with("templateBody: not the JSON of a provisioning template: "), "{refused}");
    }
    // As deep as it may be, and deeper.
    let nested = |depth: usize| {
        let (mut expression, mut level) = (json!("x"), 0);
        while level < depth {
            expression = json!({ "Fn::Sub": ["${v}", { "v": expression }] });
            level += 1;
        }
        parse(&telling(&expression)).map(drop)
    };
    assert_eq!(nested(10), Ok(()));
    assert!(nested(11).unwrap_err().contains("nested deeper than 32 levels"));
}

#[test]
fn devices_bring_the_certificate_they_have() {
    for kind in [TemplateKind::Fleet, TemplateKind::JustInTime] {
        for properties in [
            json!({ "CertificateId": "ab".repeat(32) }),
            json!({ "CertificateId": { "Ref": "a" } }),
            json!({ "CertificateId": { "Fn::Sub": format!("${{{CERTIFICATE_ID}}}") } }),
            json!({ "CertificateSigningRequest": { "Ref": "a" } }),
            json!({ "CertificatePem": { "Ref": "a" } }),
            json!({ "CertificatePem": { "Ref": "a" }, "CACertificatePem": { "Ref": "a" } }),
        ] {
            let template = json!({
                "Parameters": { "a": { "Type": "String", "Default": "ab".repeat(32) } },
                "Resources": { "c": { "Type": "AWS::IoT::Certificate", "Properties": properties } },
            });
            let refused = Template::parse(&template.to_string(), kind).unwrap_err().to_string();
            assert!(refused.contains("the certificate is the one that the device has"), "{refused}");
        }
    }
}

#[test]
fn only_fleet_provisioning_tells_devices_something() {
    let template = telling(&json!("x"));
    for kind in [TemplateKind::JustInTime, TemplateKind::Registration] {
        let mut template = template.clone();
        template["Parameters"] = json!({});
        let refused = Template::parse(&template.to_string(), kind).unwrap_err().to_string();
        assert_eq!(refused, "DeviceConfiguration: exists in fleet provisioning only: nobody would be told");
    }
}
