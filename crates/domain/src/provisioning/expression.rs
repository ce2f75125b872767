//! Expressions: strings, references and functions, read once and checked against what the template declares.
//!
//! Forms: developer guide, "Provisioning templates"; AWS CloudFormation user guide, "Intrinsic function reference".

use super::mappings::Mappings;
use super::members::{below, object, text};
use super::parameters::Parameters;
use super::refusal::{InvalidTemplate, refuse, shown_name};
use super::substitution::{Part, parts};
use crate::json::Json;

/// What stands for a text.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    /// The text itself.
    Text(String),
    /// `{"Ref": "<parameter>"}`
    Reference(String),
    /// `{"Fn::Join": ["<delimiter>", <list>]}`
    Join { delimiter: String, list: List },
    /// `{"Fn::Select": [<index>, <list>]}`
    Select { index: Box<Expression>, list: List },
    /// `{"Fn::FindInMap": ["<map>", "<key>", "<key>"]}`
    FindInMap(Box<[Expression; 3]>),
    /// `{"Fn::Sub": ["<text>", {"<variable>": <value>}]}`
    Substitute { variables: Vec<Expression>, pieces: Vec<Piece> },
}

/// What stands for a list of texts.
#[derive(Clone, Debug)]
pub(super) enum List {
    /// One by one.
    Items(Vec<Expression>),
    /// `{"Fn::Split": ["<delimiter>", <text>]}`
    Split { delimiter: String, text: Box<Expression> },
}

/// A piece of the text of Fn::Sub.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(String),
    /// The variable at this place of the list.
    Variable(usize),
    /// A parameter.
    Reference(String),
}

/// What an expression can speak of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) parameters: &'a Parameters,
    pub(super) mappings: &'a Mappings,
    /// Whether Fn::Join exists: not in policies (developer guide, "Intrinsic functions").
    pub(super) joins: bool,
}

/// Name and argument of a function, when the object is one.
///
/// # Errors
/// When a function stands beside something else.
pub(super) fn function<'j>(
    members: &'j [(String, Json)],
    place: &str,
) -> Result<Option<(&'j str, &'j Json)>, InvalidTemplate> {
    let is_function = |name: &str| name == "Ref" || name.starts_with("Fn::");
    match members {
        [(name, argument)] if is_function(name) => Ok(Some((name, argument))),
        _ => match members.iter().find(|(name, _)| is_function(name)) {
            Some((name, _)) => Err(refuse(&below(place, name), "a function stands alone in its object")),
            None => Ok(None),
        },
    }
}

impl Expression {
    /// Reads what stands at `place`.
    pub(super) fn parse(json: &Json, place: &str, known: Known<'_>) -> Result<Self, InvalidTemplate> {
        let members = match json {
            Json::Text(text) => return Ok(Self::Text(text.clone())),
            Json::Object(members) => members,
            _ => return Err(refuse(place, "must be a string or a function")),
        };
        let Some((name, argument)) = function(members, place)? else {
            return Err(refuse(place, "must be a string or a function, such as {\"Ref\": \"<parameter>\"}"));
        };
        let place = &below(place, name);
        match name {
            "Ref" => reference(text(argument, place)?, place, known).map(Self::Reference),
            "Fn::Join" if !known.joins => Err(refuse(place, "does not exist in policies: use Fn::Sub")),
            "Fn::Join" => {
                let [delimiter, list] = arguments(argument, place, "a delimiter and a list")?;
                let delimiter = text(delimiter, &at(place, 0))?.to_owned();
                Ok(Self::Join { delimiter, list: List::parse(list, &at(place, 1), known)? })
            }
            "Fn::Select" => {
                let [index, list] = arguments(argument, place, "an index and a list")?;
                select(index, list, place, known)
            }
            "Fn::FindInMap" => find_in_map(argument, place, known),
            "Fn::Sub" => substitute(argument, place, known),
            "Fn::Split" => Err(refuse(place, "gives a list: it can stand in Fn::Select or Fn::Join only")),
            _ => Err(refuse(
                place,
                "no such function exists: Ref, Fn::Join, Fn::Select, Fn::FindInMap, Fn::Split and Fn::Sub do",
            )),
        }
    }

    /// Whether it has the same value whatever the parameters are.
    pub(super) fn is_constant(&self) -> bool {
        match self {
            Self::Text(_) => true,
            Self::Reference(_) => false,
            Self::Join { list, .. } => list.is_constant(),
            Self::Select { index, list } => index.is_constant() && list.is_constant(),
            Self::FindInMap(arguments) => arguments.iter().all(Self::is_constant),
            Self::Substitute { variables, pieces } => {
                variables.iter().all(Self::is_constant)
                    && !pieces.iter().any(|piece| matches!(piece, Piece::Reference(_)))
            }
        }
    }
}

impl List {
    fn parse(json: &Json, place: &str, known: Known<'_>) -> Result<Self, InvalidTemplate> {
        match json {
            Json::List(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(index, item)| Expression::parse(item, &at(place, index), known));
                items.collect::<Result<_, _>>().map(Self::Items)
            }
            Json::Object(members) => match function(members, place)? {
                Some(("Fn::Split", argument)) => {
                    let place = &below(place, "Fn::Split");
                    let [delimiter, of] = arguments(argument, place, "a delimiter and a text")?;
                    let delimiter = text(delimiter, &at(place, 0))?.to_owned();
                    if delimiter.is_empty() {
                        return Err(refuse(&at(place, 0), "the delimiter is empty"));
                    }
                    let text = Box::new(Expression::parse(of, &at(place, 1), known)?);
                    Ok(Self::Split { delimiter, text })
                }
                _ => Err(refuse(place, "must be a list, or Fn::Split, which gives one")),
            },
            _ => Err(refuse(place, "must be a list, or Fn::Split, which gives one")),
        }
    }

    fn is_constant(&self) -> bool {
        match self {
            Self::Items(items) => items.iter().all(Expression::is_constant),
            Self::Split { text, .. } => text.is_constant(),
        }
    }
}

fn reference(name: &str, place: &str, known: Known<'_>) -> Result<String, InvalidTemplate> {
    if known.parameters.knows(name) {
        return Ok(name.to_owned());
    }
    // The first words are AWS's.
    let name = shown_name(name);
    Err(refuse(place, format!("Cannot resolve reference value: {name} is not declared in Parameters")))
}

fn select(index: &Json, list: &Json, place: &str, known: Known<'_>) -> Result<Expression, InvalidTemplate> {
    let index = match index {
        Json::Scalar(number) => Expression::Text(number.clone()),
        other => Expression::parse(other, &at(place, 0), known)?,
    };
    let list = List::parse(list, &at(place, 1), known)?;
    if let (Expression::Text(index), List::Items(items)) = (&index, &list) {
        select_from(index, items).map_err(|problem| refuse(&at(place, 0), problem))?;
    } else if let Expression::Text(index) = &index {
        position(index).map_err(|problem| refuse(&at(place, 0), problem))?;
    }
    Ok(Expression::Select { index: Box::new(index), list })
}

fn position(index: &str) -> Result<usize, String> {
    let is_number = (1..=4).contains(&index.len()) && index.bytes().all(|digit| digit.is_ascii_digit());
    index
        .parse()
        .ok()
        .filter(|_| is_number)
        .ok_or_else(|| "the index must be a number of at most four digits".to_owned())
}

/// The item of a list at an index.
///
/// # Errors
/// What is wrong with the index.
pub(super) fn select_from<'a, T>(index: &str, items: &'a [T]) -> Result<&'a T, String> {
    let position = position(index)?;
    items.get(position).ok_or_else(|| {
        format!(
            "the index {position} is beyond the end of the list, which has {} items: the first has index 0",
            items.len()
        )
    })
}

fn find_in_map(argument: &Json, place: &str, known: Known<'_>) -> Result<Expression, InvalidTemplate> {
    let [map, first, second] = arguments(argument, place, "the name of a map and two keys")?;
    let [map, first, second] = [(0, map), (1, first), (2, second)].map(|(index, json)| (at(place, index), json));
    let parse = |(place, json): &(String, &Json)| Expression::parse(json, place, known);
    let expressions = [parse(&map)?, parse(&first)?, parse(&second)?];
    let unknown = match &expressions {
        [Expression::Text(map), Expression::Text(first), Expression::Text(second)] => {
            known.mappings.find(map, first, second).is_none()
        }
        [Expression::Text(map), ..] => !known.mappings.has(map),
        _ => false,
    };
    if unknown {
        return Err(refuse(place, "Mappings has no such entry"));
    }
    Ok(Expression::FindInMap(Box::new(expressions)))
}

fn substitute(argument: &Json, place: &str, known: Known<'_>) -> Result<Expression, InvalidTemplate> {
    let (pattern, given) = match argument {
        Json::Text(pattern) => (pattern.as_str(), &[][..]),
        _ => {
            let [pattern, given] = arguments(argument, place, "a text and an object of variables")?;
            (text(pattern, &at(place, 0))?, object(given, &at(place, 1))?)
        }
    };
    let mut names = Vec::new();
    let mut variables = Vec::new();
    for (name, value) in given {
        names.push(name.as_str());
        variables.push(Expression::parse(value, &below(&at(place, 1), name), known)?);
    }
    let piece = |part| match part {
        Part::Text(text) => Ok(Piece::Text(text)),
        // A variable stands before a parameter of the same name.
        Part::Name(name) => match names.iter().position(|known| *known == name) {
            Some(index) => Ok(Piece::Variable(index)),
            None if known.parameters.knows(&name) => Ok(Piece::Reference(name)),
            None => {
                let name = shown_name(&name);
                Err(refuse(
                    place,
                    format!(
                        "Cannot resolve reference value: {name} is neither a variable nor declared in Parameters; \
                         ${{!{name}}} stands for the text ${{{name}}}"
                    ),
                ))
            }
        },
    };
    let parts = parts(pattern).map_err(|problem| refuse(place, problem))?;
    let pieces = parts.into_iter().map(piece).collect::<Result<_, _>>()?;
    Ok(Expression::Substitute { variables, pieces })
}

/// The arguments of a function that takes so many.
fn arguments<'j, const N: usize>(json: &'j Json, place: &str, what: &str) -> Result<[&'j Json; N], InvalidTemplate> {
    let Json::List(list) = json else { return Err(refuse(place, format!("must be a list of {what}"))) };
    let list: Vec<&Json> = list.iter().collect();
    list.try_into().map_err(|_| refuse(place, format!("must be a list of {what}")))
}

fn at(place: &str, index: usize) -> String {
    format!("{place}[{index}]")
}
