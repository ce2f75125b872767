//! The text of Fn::Sub: plain text, `${name}`, and `${!name}` for `${name}` itself (AWS CloudFormation user guide,
//! "Fn::Sub").

/// A part of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// As it stands.
    Text(String),
    /// The name between the braces.
    Name(String),
}

/// Takes a text apart.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        plain.push_str(before);
        let (name, after) = after.split_once('}').ok_or("a ${ has no }: write $ and { apart, or close it")?;
        match name.strip_prefix('!') {
            Some(literal) => plain.extend(["${", literal, "}"]),
            None if name.is_empty() => return Err("${} names nothing".to_owned()),
            None => {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Name(name.to_owned()));
            }
        }
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_braces_and_an_exclamation_mark_takes_their_meaning() {
        let (text, name) = (|text: &str| Part::Text(text.to_owned()), |name: &str| Part::Name(name.to_owned()));
        let cases = [
            ("", vec![]),
            ("plain $ { } text", vec![text("plain $ { } text")]),
            ("${a}", vec![name("a")]),
            (
                "x${a}${AWS::IoT::Certificate::Id}y",
                vec![text("x"), name("a"), name("AWS::IoT::Certificate::Id"), text("y")],
            ),
            ("${!iot:ClientId}", vec![text("${iot:ClientId}")]),
            ("a${!}b${c}$", vec![text("a${}b"), name("c"), text("$")]),
            ("$${a}", vec![text("$"), name("a")]),
        ];
        for (given, expected) in cases {
            assert_eq!(parts(given), Ok(expected), "{given}");
        }
        for wrong in ["${", "a${b", "${}", "${a}${"] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }
}
