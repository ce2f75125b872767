//! Gathers an operation's input from path, query, headers and body into one JSON object keyed by member name, as the
//! model says where each member travels.

use http::HeaderMap;
use serde_json::{Map, Number, Value};

use super::route::Labels;
use crate::error::Error;
use crate::facts::{Facts, Kind, Location, Member, Shape};
use crate::query::{InvalidQuery, Query};

/// The parts of a request that carry an input.
pub(super) struct Parts<'a> {
    pub(super) labels: Labels,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// Binds `parts` to the members of shape `name`.
///
/// # Errors
/// `InvalidRequestException` for what cannot be read as the member it stands for.
pub(super) fn bind(facts: &Facts, name: &str, parts: Parts<'_>) -> Result<Value, Error> {
    let Some(shape) = facts.shape(name) else { return Err(Error::Internal(format!("the model lacks shape {name}"))) };
    let mut query = Query::parse(parts.query)?;
    let mut input = body(shape, parts.body)?;
    for (member_name, member) in &shape.members {
        let wire_name = member.name.as_deref().unwrap_or(member_name);
        let text = match member.location {
            Some(Location::Uri) => parts.labels.iter().find(|(label, _)| *label == wire_name).map(|(_, t)| t.clone()),
            Some(Location::QueryString) => query.take(wire_name)?,
            Some(Location::Header) => header(parts.headers, wire_name)?,
            Some(Location::Headers | Location::StatusCode) | None => continue,
        };
        if let Some(text) = text {
            input.insert(member_name.clone(), scalar(facts, member, member_name, &text)?);
        }
    }
    query.finish()?;
    Ok(Value::Object(input))
}

impl From<InvalidQuery> for Error {
    fn from(invalid: InvalidQuery) -> Self {
        Self::invalid(invalid.to_string())
    }
}

fn body(shape: &Shape, body: &[u8]) -> Result<Map<String, Value>, Error> {
    let blank = body.iter().all(u8::is_ascii_whitespace);
    if blank {
        return Ok(Map::new());
    }
    let mut value: Value = serde_json::from_slice(body)
        .map_err(|error| Error::invalid(format!("the body is not a JSON document in UTF-8: {error}")))?;
    drop_nulls(&mut value);
    if let Some(payload) = &shape.payload {
        return Ok(Map::from_iter([(payload.clone(), value)]));
    }
    let Value::Object(members) = value else {
        return Err(Error::invalid("the body must be a JSON object"));
    };
    for name in members.keys() {
        if let Some(location) = shape.members.get(name).and_then(|member| member.location) {
            return Err(Error::invalid(format!(
                "the member '{name}' travels in the {}, not in the body",
                place(location)
            )));
        }
    }
    Ok(members)
}

/// A member that is null counts as absent, as for AWS. (serde_json bounds how deep a document nests.)
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

const fn place(location: Location) -> &'static str {
    match location {
        Location::Uri => "path",
        Location::QueryString => "query",
        Location::Header | Location::Headers => "headers",
        Location::StatusCode => "status",
    }
}

fn header(headers: &HeaderMap, name: &str) -> Result<Option<String>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::invalid(format!("the header '{name}' is given more than once")));
    }
    let text = value.to_str().map_err(|_| Error::invalid(format!("the header '{name}' is not ASCII text")))?;
    Ok(Some(text.to_owned()))
}

/// A member that travels as text, in the type the model gives it.
fn scalar(facts: &Facts, member: &Member, name: &str, text: &str) -> Result<Value, Error> {
    let kind = facts.shape(&member.shape).map_or(Kind::String, |shape| shape.kind);
    let mistyped = |wanted: &str| Error::invalid(format!("the value '{text}' at '{name}' must be {wanted}"));
    match kind {
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        Kind::Boolean => Err(mistyped("true or false")),
        Kind::Integer | Kind::Long => {
            text.parse::<i64>().map(|n| Value::Number(n.into())).map_err(|_| mistyped("an integer"))
        }
        Kind::Double => {
            text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number).ok_or_else(|| mistyped("a number"))
        }
        Kind::Timestamp => timestamp(text)
            .map(|n| Value::Number(n.into()))
            .ok_or_else(|| mistyped("an ISO 8601 time such as 2026-01-02T03:04:05Z")),
        Kind::String | Kind::Blob | Kind::Structure | Kind::List | Kind::Map => Ok(Value::String(text.to_owned())),
    }
}

/// Query timestamps are ISO 8601 in UTC.
fn timestamp(text: &str) -> Option<i64> {
    time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .ok()
        .map(time::OffsetDateTime::unix_timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::IOT;
    use serde_json::json;

    fn bound(shape: &str, labels: Labels, query: &str, body: &str) -> Result<Value, String> {
        bind(&IOT, shape, Parts { labels, query, headers: &HeaderMap::new(), body: body.as_bytes() })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn members_are_gathered_from_where_they_travel() {
        assert_eq!(
            bound("UpdateCertificateRequest", vec![("certificateId", "ab".into())], "newStatus=ACTIVE", ""),
            Ok(json!({"certificateId": "ab", "newStatus": "ACTIVE"}))
        );
        assert_eq!(
            bound(
                "CreateCertificateFromCsrRequest",
                vec![],
                "setAsActive=true",
                r#"{"certificateSigningRequest":"x"}"#
            ),
            Ok(json!({"certificateSigningRequest": "x", "setAsActive": true}))
        );
        assert_eq!(
            bound("ListCertificatesRequest", vec![], "pageSize=5&isAscendingOrder=False", " \n"),
            Ok(json!({"pageSize": 5, "ascendingOrder": false}))
        );
    }

    #[test]
    fn what_cannot_be_bound_is_refused() {
        let refused = [
            bound("ListCertificatesRequest", vec![], "pageSize=x", ""),
            bound("ListCertificatesRequest", vec![], "pageSize=1&pageSize=2", ""),
            bound("ListCertificatesRequest", vec![], "nope=1", ""),
            bound("ListCertificatesRequest", vec![], "marker=%ff", ""),
            bound("CreateCertificateFromCsrRequest", vec![], "setAsActive=maybe", ""),
            bound("CreateCertificateFromCsrRequest", vec![], "", "{"),
            bound("CreateCertificateFromCsrRequest", vec![], "", "[]"),
            bound("CreateCertificateFromCsrRequest", vec![], "", r#"{"setAsActive":true}"#),
        ];
        for outcome in refused {
            assert!(outcome.clone().is_err_and(|text| text.starts_with("InvalidRequestException: ")), "{outcome:?}");
        }
    }
}
