//! Functions: their values, and what is no function.

use serde_json::{Value, json};

use super::{parse, telling, told};
use crate::provisioning::CERTIFICATE_ID;

#[test]
fn functions_have_the_values_of_their_documentation() {
    let given = [("a", "one"), ("b", "x,y,,z"), ("undeclared", "ignored")];
    let sub = |text: &str| json!({ "Fn::Sub": text });
    let split = json!({ "Fn::Split": [",", { "Ref": "b" }] });
    let cases = [
        (json!("plain ${a} text"), "plain ${a} text"),
        (json!({ "Ref": "a" }), "one"),
        (json!({ "Ref": "c" }), "from * the author"),
        (json!({ "Ref": CERTIFICATE_ID }), &*"ab".repeat(32)),
        (json!({ "Fn::Join": ["", []] }), ""),
        (json!({ "Fn::Join": ["-", ["thing", { "Ref": "a" }, "7"]] }), "thing-one-7"),
        (json!({ "Fn::Join": ["/", split] }), "x/y//z"),
        (json!({ "Fn::Select": [0, split] }), "x"),
        (json!({ "Fn::Select": ["3", split] }), "z"),
        (json!({ "Fn::Select": [2, split] }), ""),
        (json!({ "Fn::Select": [1, ["p", { "Ref": "a" }]] }), "one"),
        (json!({ "Fn::Select": [{ "Fn::Select": [1, ["0", "1"]] }, ["p", "q"]] }), "q"),
        (
            json!({ "Fn::Split": [",", "a"] }),
            "at parse: DeviceConfiguration.told.Fn::Split: gives a list: it can stand in Fn::Select or Fn::Join only",
        ),
        (json!({ "Fn::FindInMap": ["places", "south", "url"] }), "https://s.test"),
        (
            json!({ "Fn::FindInMap": ["places", { "Fn::Sub": "${d}", }, "url"] }),
            "at parse: DeviceConfiguration.told.Fn::FindInMap[1].Fn::Sub: Cannot resolve reference value: d is neither a variable nor declared in Parameters; ${!d} stands for the text ${d}",
        ),
        (sub("<${a}${c}>"), "<onefrom * the author>"),
        (sub("${!a} $ {a} ${a}"), "${a} $ {a} one"),
        (sub(&format!("${{{CERTIFICATE_ID}}}")), &*"ab".repeat(32)),
        (json!({ "Fn::Sub": ["${a}+${v}", { "v": { "Fn::Join": [".", ["1", { "Ref": "a" }]] } }] }), "one+1.one"),
        // A variable stands before a parameter of its name.
        (json!({ "Fn::Sub": ["${a}", { "a": "variable" }] }), "variable"),
        (json!({ "Fn::Join": ["", [{ "Fn::Sub": ["${v}", { "v": { "Fn::Select": [0, split] } }] }, "!"] ] }), "x!"),
    ];
    for (expression, expected) in cases {
        let found = told(&expression, &given).unwrap_or_else(|refused| refused);
        assert_eq!(found, expected, "{expression}");
    }
}

#[test]
fn a_value_is_never_read_again() {
    for hostile in ["${c}", "${!c}", r#"{"Ref":"c"}"#, "a\"}]}", "\u{0}\n", "{{", "%{c}"] {
        for expression in [
            json!({ "Ref": "a" }),
            json!({ "Fn::Sub": "${a}" }),
            json!({ "Fn::Sub": ["${v}", { "v": { "Ref": "a" } }] }),
            json!({ "Fn::Join": ["", [{ "Ref": "a" }]] }),
            json!({ "Fn::Select": [0, { "Fn::Split": ["|", { "Ref": "a" }] }] }),
        ] {
            assert_eq!(told(&expression, &[("a", hostile)]), Ok(hostile.to_owned()), "{expression}");
        }
    }
}

#[test]
fn what_has_no_value_says_what_is_missing() {
    type Case<'a> = (Value, &'a [(&'a str, &'a str)], &'a str);
    let long = "v".repeat(4096);
    let cases: &[Case<'_>] = &[
        (json!({ "Ref": "a" }), &[("b", "x")], "Cannot resolve reference value: a"),
        (json!({ "Fn::Sub": "${b}" }), &[("a", "x")], "Cannot resolve reference value: b"),
        (
            json!({ "Fn::Select": [{ "Ref": "a" }, ["x"]] }),
            &[("a", "1")],
            "DeviceConfiguration.told: Fn::Select: the index 1 is beyond the end of the list, which has 1 items: the first has index 0",
        ),
        (
            json!({ "Fn::Select": [{ "Ref": "a" }, ["x"]] }),
            &[("a", "-1")],
            "DeviceConfiguration.told: Fn::Select: the index must be a number of at most four digits",
        ),
        (
            json!({ "Fn::Select": [7, { "Fn::Split": [",", { "Ref": "a" }] }] }),
            &[("a", "x,y")],
            "DeviceConfiguration.told: Fn::Select: the index 7 is beyond the end of the list, which has 2 items: the first has index 0",
        ),
        (
            json!({ "Fn::FindInMap": ["places", { "Ref": "a" }, "url"] }),
            &[("a", "a very long place that does not exist")],
            r#"DeviceConfiguration.told: Fn::FindInMap: Mappings has no entry for "places", "a very long plac…", "url""#,
        ),
        (
            json!({ "Fn::Sub": "${a}${a}${a}${a}${a}" }),
            &[("a", &long)],
            "DeviceConfiguration.told: a text becomes longer than 16384 bytes",
        ),
        (
            json!("x"),
            &[("a", "fine"), ("other", &format!("{long}v"))],
            "the parameter other is refused: its value has more than 4096 characters",
        ),
    ];
    for (expression, given, expected) in cases {
        assert_eq!(told(expression, given), Err((*expected).to_owned()), "{expression}");
    }
    // In characters, and of names too.
    assert!(told(&json!("x"), &[("a", &"ü".repeat(4096))]).is_ok());
    assert!(told(&json!("x"), &[("a", &"ü".repeat(4097))]).is_err());
    assert!(told(&json!("x"), &[(&"n".repeat(2049), "v")]).is_err());
}

#[test]
fn malformed_functions_are_refused() {
    let cases = [
        (
            json!({ "Ref": "AWS::Region" }),
            "Ref: Cannot resolve reference value: AWS::Region is not declared in Parameters",
        ),
        (json!({ "Ref": "A" }), "Ref: Cannot resolve reference value: A is not declared in Parameters"),
        (json!({ "Ref": ["a"] }), "Ref: must be a string"),
        (json!({ "Ref": "a", "x": "y" }), "Ref: a function stands alone in its object"),
        (
            json!({ "Fn::GetAtt": ["a", "b"] }),
            "Fn::GetAtt: no such function exists: Ref, Fn::Join, Fn::Select, Fn::FindInMap, Fn::Split and Fn::Sub do",
        ),
        (json!({ "Fn::Join": "a" }), "Fn::Join: must be a list of a delimiter and a list"),
        (json!({ "Fn::Join": ["a"] }), "Fn::Join: must be a list of a delimiter and a list"),
        (json!({ "Fn::Join": ["a", [], []] }), "Fn::Join: must be a list of a delimiter and a list"),
        (json!({ "Fn::Join": [{ "Ref": "a" }, []] }), "Fn::Join[0]: must be a string"),
        (json!({ "Fn::Join": ["", "a"] }), "Fn::Join[1]: must be a list, or Fn::Split, which gives one"),
        (json!({ "Fn::Join": ["", { "Ref": "a" }] }), "Fn::Join[1]: must be a list, or Fn::Split, which gives one"),
        (json!({ "Fn::Join": ["", ["a", null]] }), "Fn::Join[1][1]: must be a string or a function"),
        (
            json!({ "Fn::Select": [2, ["a", "b"]] }),
            "Fn::Select[0]: the index 2 is beyond the end of the list, which has 2 items: the first has index 0",
        ),
        (json!({ "Fn::Select": ["x", ["a"]] }), "Fn::Select[0]: the index must be a number of at most four digits"),
        (json!({ "Fn::Select": [-1, ["a"]] }), "Fn::Select[0]: the index must be a number of at most four digits"),
        (
            json!({ "Fn::Select": [1.0, ["a"]] }),
            "Fn::Select[0]: the index 1 is beyond the end of the list, which has 1 items: the first has index 0",
        ),
        (json!({ "Fn::Select": [null, ["a"]] }), "Fn::Select[0]: must be a string or a function"),
        (
            json!({ "Fn::Select": [true, { "Fn::Split": [",", { "Ref": "a" }] }] }),
            "Fn::Select[0]: the index must be a number of at most four digits",
        ),
        (
            json!({ "Fn::Select": [0, { "Fn::Split": ["", "a"] }] }),
            "Fn::Select[1].Fn::Split[0]: the delimiter is empty",
        ),
        (
            json!({ "Fn::Select": [0, { "Fn::Split": ["a"] }] }),
            "Fn::Select[1].Fn::Split: must be a list of a delimiter and a text",
        ),
        (
            json!({ "Fn::FindInMap": ["places", "north"] }),
            "Fn::FindInMap: must be a list of the name of a map and two keys",
        ),
        (json!({ "Fn::FindInMap": ["nowhere", { "Ref": "a" }, "url"] }), "Fn::FindInMap: Mappings has no such entry"),
        (json!({ "Fn::FindInMap": ["places", "south", "key"] }), "Fn::FindInMap: Mappings has no such entry"),
        (json!({ "Fn::Sub": "${" }), "Fn::Sub: a ${ has no }: write $ and { apart, or close it"),
        (json!({ "Fn::Sub": [{ "Ref": "a" }, {}] }), "Fn::Sub[0]: must be a string"),
        (json!({ "Fn::Sub": ["x", []] }), "Fn::Sub[1]: must be an object"),
        (json!({ "Fn::Sub": ["x", { "v": [] }] }), "Fn::Sub[1].v: must be a string or a function"),
        (json!({ "Fn::Sub": {} }), "Fn::Sub: must be a list of a text and an object of variables"),
        (json!({ "x": "y" }), ": must be a string or a function, such as {\"Ref\": \"<parameter>\"}"),
        (json!({}), ": must be a string or a function, such as {\"Ref\": \"<parameter>\"}"),
        (json!(true), ": must be a string or a function"),
    ];
    for (expression, expected) in cases {
        let joint = if expected.starts_with(':') { "" } else { "." };
        let expected = format!("DeviceConfiguration.told{joint}{expected}");
        assert_eq!(parse(&telling(&expression)).map(drop), Err(expected), "{expression}");
    }
}
