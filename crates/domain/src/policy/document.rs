//! Policy documents: from JSON to compiled statements, strictly.
//!
//! Grammar: developer guide, "AWS IoT Core policies"; IAM user guide, "Grammar of the IAM JSON policy language". What is
//! not understood is refused, never skipped: a misspelt `Condition` must not make a statement unconditional.

use super::json::Json;
use super::pattern::clip;
use super::statement::Statement;
use crate::limits;

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
        let json = Json::parse(text).map_err(|error| refuse(place, format!("not the JSON of a policy: {error}")))?;
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
