//! Policy documents: from JSON to compiled statements, strictly.
//!
//! Grammar: developer guide, "AWS IoT Core policies"; IAM user guide, "Grammar of the IAM JSON policy language". What is
//! not understood is refused, never skipped: a misspelt `Condition` must not make a statement unconditional.

use super::pattern::clip;
use super::statement::Statement;
use crate::json::Json;
use crate::limits;

/// The deepest nesting a policy can have: document, list of statements, statement, condition, operator, list of values.
const DEPTH: usize = 6;

/// A policy document, valid and compiled.
#[derive(Clone, Debug)]
pub struct PolicyDocument {
    statements: Box<[Statement]>,
}

/// Why a text is no policy document: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct InvalidPolicy {
    place: String,
    problem: String,
}

impl PolicyDocument {
    /// Reads and compiles a document.
    ///
    /// # Errors
    /// [`InvalidPolicy`] says where the first fault is and what is needed there.
    pub fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        let place = "document";
        let characters = text.chars().count();
        if characters > limits::POLICY_CHARACTERS_RAW {
            let limit = limits::POLICY_CHARACTERS_RAW;
            return Err(refuse(place, format!("{characters} characters, of which {limit} are allowed")));
        }
        let dense = text.chars().filter(|character| !character.is_whitespace()).count();
        if dense > limits::POLICY_CHARACTERS {
            let limit = limits::POLICY_CHARACTERS;
            return Err(refuse(place, format!("{dense} characters without white space, of which {limit} are allowed")));
        }
        let json =
            Json::parse(text, DEPTH).map_err(|error| refuse(place, format!("not the JSON of a policy: {error}")))?;
        let [version, id, statements] = members(&json, place, ["Version", "Id", "Statement"])?;
        optional_text(id, "Id")?;
        let variables = knows_variables(version)?;
        let statements = match statements {
            Some(Json::List(list)) if !list.is_empty() => list
                .iter()
                .enumerate()
                .map(|(index, json)| Statement::parse(json, &format!("Statement[{index}]"), variables))
                .collect::<Result<_, _>>()?,
            Some(json @ Json::Object(_)) => [Statement::parse(json, "Statement", variables)?].into(),
            Some(_) => return Err(refuse("Statement", "must be an object or a list of at least one object")),
            None => return Err(refuse(place, "Statement is missing")),
        };
        Ok(Self { statements })
    }

    pub(super) fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter()
    }
}

/// Whether the version knows policy variables. A document without version is of the older one, in which `${…}` is plain
/// text (IAM user guide, "Version").
fn knows_variables(version: Option<&Json>) -> Result<bool, InvalidPolicy> {
    match version {
        Some(Json::Text(text)) if text == "2012-10-17" => Ok(true),
        Some(Json::Text(text)) if text == "2008-10-17" => Ok(false),
        None => Ok(false),
        Some(_) => Err(refuse("Version", "must be \"2012-10-17\" or \"2008-10-17\"")),
    }
}

/// The values of an object's members, in the order of `names`. Any other member is refused.
pub(super) fn members<'j, const N: usize>(
    json: &'j Json,
    place: &str,
    names: [&str; N],
) -> Result<[Option<&'j Json>; N], InvalidPolicy> {
    let Json::Object(given) = json else { return Err(refuse(place, "must be an object")) };
    let mut found = [None; N];
    for (name, value) in given {
        let slot = names.iter().position(|known| known == name).and_then(|index| found.get_mut(index));
        let Some(slot) = slot else {
            let known = names.join(", ");
            return Err(refuse(place, format!("\"{}\" is not an element here: {known} are", clip(name))));
        };
        *slot = Some(value);
    }
    Ok(found)
}

pub(super) fn optional_text(json: Option<&Json>, place: &str) -> Result<(), InvalidPolicy> {
    match json {
        None | Some(Json::Text(_)) => Ok(()),
        Some(_) => Err(refuse(place, "must be a string")),
    }
}

pub(super) fn refuse(place: &str, problem: impl ToString) -> InvalidPolicy {
    InvalidPolicy { place: place.to_owned(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(rest: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{rest}}}]}}"#)
    }

    fn refusal(text: &str) -> String {
        PolicyDocument::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn documents_of_the_documented_grammar_are_taken() {
        let plain = r#""Action":"iot:Publish","Resource":"*""#;
        for text in [
            statement(plain),
            statement(
                r#""Action":["*","iot:Get*","iot:?onnect","greengrass:Discover"],"Resource":["arn:aws:iot:*:*:*"]"#,
            ),
            statement(r#""NotAction":"iot:Connect","NotResource":"arn:aws:iot:us-east-1:1:topic/${iot:ClientId}""#),
            statement(&format!(r#""Sid":"any text",{plain},"Condition":{{}}"#)),
            statement(&format!(
                r#"{plain},"Condition":{{"Bool":{{"aws:SecureTransport":true}},"NumericEquals":{{"a:b":[1,-2.5]}}}}"#
            )),
            statement(&format!(
                r#"{plain},"Condition":{{"ForAllValues:StringEquals":{{"iot:ConnectAttributes":[]}}}}"#
            )),
            format!(r#" {{"Id":"x","Version":"2008-10-17","Statement":{{"Effect":"Deny",{plain}}}}} "#),
            format!(r#"{{"Statement":{{"Effect":"Deny",{plain}}}}}"#),
            statement(
                r#""Action":"iot:*","Resource":"arn:aws:iot:r:1:topic/${*}${?}${$}$aws${iot:Connection.Thing.Attributes[a]}""#,
            ),
        ] {
            assert!(PolicyDocument::parse(&text).is_ok(), "{text}: {:?}", PolicyDocument::parse(&text).err());
        }
    }

    #[test]
    fn a_refusal_says_where_and_what() {
        let action = r#""Action":"iot:Publish""#;
        let both = r#""Action":"iot:Publish","Resource":"*""#;
        let resource = r#""Resource":"*""#;
        let cases = [
            ("[]".to_owned(), "document: must be an object"),
            ("{}".to_owned(), "document: Statement is missing"),
            (
                r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
                "Statement: must be an object or a list of at least one object",
            ),
            (r#"{"Version":"2012-10-17","Statement":["x"]}"#.to_owned(), "Statement[0]: must be an object"),
            (
                format!(r#"{{"Version":"2015-10-17","Statement":{{"Effect":"Allow",{both}}}}}"#),
                "Version: must be \"2012-10-17\" or \"2008-10-17\"",
            ),
            (
                format!(r#"{{"Statements":1,"Statement":{{"Effect":"Allow",{both}}}}}"#),
                "document: \"Statements\" is not an element here: Version, Id, Statement are",
            ),
            (format!(r#"{{"Id":1,"Statement":{{"Effect":"Allow",{both}}}}}"#), "Id: must be a string"),
            (
                format!(r#"{{"Statement":{{"Effect":"allow",{both}}}}}"#),
                "Statement.Effect: must be \"Allow\" or \"Deny\"",
            ),
            (format!(r#"{{"Statement":[{{"Effect":"Allow",{both}}},{{{both}}}]}}"#), "Statement[1]: Effect is missing"),
            (
                statement(&format!(r#"{both},"Principal":"*""#)),
                "Statement[0]: \"Principal\" is not an element here: Sid, Effect, Action, NotAction, Resource, NotResource, Condition are",
            ),
            (
                statement(&format!(r#"{both},"condition":{{}}"#)),
                "Statement[0]: \"condition\" is not an element here: Sid, Effect, Action, NotAction, Resource, NotResource, Condition are",
            ),
            (statement(action), "Statement[0]: Resource or NotResource is missing"),
            (statement(resource), "Statement[0]: Action or NotAction is missing"),
            (statement(&format!(r#"{both},"NotAction":"*""#)), "Statement[0]: Action and NotAction exclude each other"),
            (
                statement(&format!(r#"{both},"NotResource":"*""#)),
                "Statement[0]: Resource and NotResource exclude each other",
            ),
            (
                statement(&format!(r#"{resource},"Action":[]"#)),
                "Statement[0].Action: must be a string or a list of at least one string",
            ),
            (
                statement(&format!(r#"{resource},"Action":[1]"#)),
                "Statement[0].Action: must contain nothing but strings",
            ),
            (
                statement(&format!(r#"{resource},"Action":"Publish""#)),
                "Statement[0].Action: \"Publish\" is not an action: service:Name such as iot:Publish, or *, is needed",
            ),
            (
                statement(&format!(r#"{resource},"Action":"iot:${{iot:ClientId}}""#)),
                "Statement[0].Action: \"iot:${iot:ClientId}\" is not an action: service:Name such as iot:Publish, or *, is needed",
            ),
            (
                statement(&format!(r#"{action},"Resource":"topic/a""#)),
                "Statement[0].Resource: \"topic/a\" is not a resource: an ARN or * is needed",
            ),
            (
                statement(&format!(r#"{action},"NotResource":"arn:${{iot:ClientId""#)),
                "Statement[0].NotResource: a policy variable opened with ${ is not closed with }",
            ),
            (
                statement(&format!(r#"{action},"Resource":"arn:${{x}}""#)),
                "Statement[0].Resource: ${x} is not a policy variable: a name like ${iot:ClientId}, or one of ${*} ${?} ${$}, is needed",
            ),
            (
                statement(&format!(r#"{both},"Condition":[]"#)),
                "Statement[0].Condition: must be an object of condition operators",
            ),
            (
                statement(&format!(r#"{both},"Condition":{{"StringSimilar":{{"a:b":"c"}}}}"#)),
                "Statement[0].Condition.StringSimilar: not a condition operator",
            ),
            (
                statement(&format!(r#"{both},"Condition":{{"StringLike":{{}}}}"#)),
                "Statement[0].Condition.StringLike: must be an object with at least one context key",
            ),
            (
                statement(&format!(r#"{both},"Condition":{{"StringLike":{{"x":"y"}}}}"#)),
                "Statement[0].Condition.StringLike.x: not a context key: a name like iot:ClientId is needed",
            ),
            (
                statement(&format!(r#"{both},"Condition":{{"StringLike":{{"a:b":null}}}}"#)),
                "Statement[0].Condition.StringLike.a:b: must be a string, number or boolean, or a list of these",
            ),
            (
                statement(&format!(r#"{both},"Condition":{{"IpAddress":{{"aws:SourceIp":"10.0.0.0/40"}}}}"#)),
                "Statement[0].Condition.IpAddress.aws:SourceIp: \"10.0.0.0/40\" is not an IP address or a block like 192.0.2.0/24",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(refusal(&text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_strict_json_is_refused() {
        for text in ["", "x", "{", r#"{"Statement":{}} {}"#, r#"{"Version":"2012-10-17","Version":"2012-10-17"}"#] {
            assert!(refusal(text).starts_with("document: not the JSON of a policy: "), "{text}");
        }
        let twice = statement(r#""Effect":"Deny","Action":"*","Resource":"*""#);
        assert!(refusal(&twice).contains("the name \"Effect\" occurs twice in one object"), "{}", refusal(&twice));
    }

    #[test]
    fn white_space_counts_only_for_the_outer_limit() {
        let padded = |sid: &str, space: usize| {
            statement(&format!(r#""Sid":"{sid}","Action":"*",{}"Resource":"*""#, " ".repeat(space)))
        };
        let frame = padded("", 0).chars().count();
        let full = "ä".repeat(limits::POLICY_CHARACTERS - frame);
        let space = limits::POLICY_CHARACTERS_RAW - limits::POLICY_CHARACTERS;
        assert!(PolicyDocument::parse(&padded(&full, space)).is_ok());
        assert!(refusal(&padded(&format!("{full}ä"), 0)).contains("2049 characters without white space"));
        assert!(refusal(&padded(&full, space + 1)).contains("404601 characters"));
    }
}
