//! ARN patterns: of resources, and of the Arn condition operators.
//!
//! The IAM user guide says two things about `*` in the parts of an ARN before the resource: that it stands for text
//! within a part, and that at a part's end it may run over the colon ("IAM JSON policy elements: Resource"). The
//! difference is a hole: `arn:aws:iot:*:*:topic/safe/*` read the second way also covers the topic `x:topic/safe/y`. So
//! there are two readings, and whoever compiles a pattern says which: narrow where a match lets something through, wide
//! where it stops something.

use super::context::Context;
use super::key::Key;
use super::pattern::{InvalidPattern, Match, Pattern, Syntax, Token, tokenise};

/// Parts of an ARN before the resource: `arn`, partition, service, region, account.
const PARTS_BEFORE_RESOURCE: usize = 5;

/// A compiled ARN pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ArnPattern {
    /// Compared with the ARN as one text.
    Whole(Pattern),
    /// Compared part by part: five parts, then the resource, which may contain colons.
    Parts(Box<[Pattern]>),
}

/// How far wildcards reach in the parts before the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// To the end of the part.
    Narrow,
    /// Beyond.
    Wide,
}

impl ArnPattern {
    pub(super) fn parse(text: &str, syntax: Syntax, reading: Reading) -> Result<Self, InvalidPattern> {
        let tokens = tokenise(text, syntax)?;
        if reading == Reading::Wide || first_parts_are_literal(&tokens) {
            return Ok(Self::Whole(Pattern::from_tokens(tokens)));
        }
        let parts = split(&tokens);
        // With fewer parts (`arn:aws:iot:*`), the last asterisk is meant to cover the missing ones.
        Ok(if parts.len() <= PARTS_BEFORE_RESOURCE {
            Self::Whole(Pattern::from_tokens(tokens))
        } else {
            Self::Parts(parts.into_iter().map(Pattern::from_tokens).collect())
        })
    }

    pub(super) fn matches(&self, arn: &str, context: &dyn Context) -> Match {
        let patterns = match self {
            Self::Whole(pattern) => return pattern.matches(arn, context),
            Self::Parts(patterns) => patterns,
        };
        let mut parts = arn.splitn(PARTS_BEFORE_RESOURCE + 1, ':');
        let mut outcome = Match::Yes;
        for pattern in patterns {
            // An absent part (the resource is `*`, not an ARN) equals no pattern.
            let part = parts.next();
            match (pattern.matches(part.unwrap_or(""), context), part) {
                (Match::Unknown, _) => return Match::Unknown,
                (Match::No, _) | (_, None) => outcome = Match::No,
                (Match::Yes, Some(_)) => {}
            }
        }
        outcome
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        let patterns = match self {
            Self::Whole(pattern) => std::slice::from_ref(pattern),
            Self::Parts(patterns) => patterns,
        };
        patterns.iter().flat_map(Pattern::keys)
    }
}

/// Whether nothing before the resource can vary, so that both readings are one.
fn first_parts_are_literal(tokens: &[Token]) -> bool {
    matches!(tokens.first(), Some(Token::Literal(text)) if text.matches(':').count() >= PARTS_BEFORE_RESOURCE)
}

/// Cuts the tokens at the first five colons that stand in literal text.
fn split(tokens: &[Token]) -> Vec<Vec<Token>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    for token in tokens {
        let Token::Literal(text) = token else {
            part.push(token.clone());
            continue;
        };
        let mut rest = &**text;
        while parts.len() < PARTS_BEFORE_RESOURCE
            && let Some((before, after)) = rest.split_once(':')
        {
            if !before.is_empty() {
                part.push(Token::Literal(before.into()));
            }
            parts.push(std::mem::take(&mut part));
            rest = after;
        }
        if !rest.is_empty() {
            part.push(Token::Literal(rest.into()));
        }
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::super::context::NoContext;
    use super::*;

    const ALL: Syntax = Syntax { wildcards: true, variables: true };

    fn matches(pattern: &str, arn: &str, reading: Reading) -> bool {
        ArnPattern::parse(pattern, ALL, reading).unwrap().matches(arn, &NoContext) == Match::Yes
    }

    #[test]
    fn both_readings_agree_on_ordinary_arns() {
        let arn = "arn:aws:iot:us-east-1:123456789012:topic/a:b/c";
        let cases = [
            ("*", true),
            ("arn:*", true),
            ("arn:aws:iot:*", true),
            ("arn:aws:iot:us-east-1:123456789012:*", true),
            ("arn:aws:iot:*:*:topic/*", true),
            ("arn:aws*:iot:us-*-?:123456789012:topic/a:b/?", true),
            ("arn:aws:iot:us-east-1:123456789012:topic/a:b/c", true),
            ("arn:aws:iot:*:*:topic/a:b", false),
            ("arn:aws:iot:*:*:topic/A:b/c", false),
            ("arn:aws:iot:us-east-1:210987654321:*", false),
            ("arn:aws:s3:*:*:*", false),
        ];
        for (pattern, expected) in cases {
            for reading in [Reading::Narrow, Reading::Wide] {
                assert_eq!(matches(pattern, arn, reading), expected, "{pattern} {reading:?}");
            }
        }
    }

    #[test]
    fn a_topic_cannot_pose_as_the_end_of_an_arn_in_the_narrow_reading() {
        let arn = "arn:aws:iot:us-east-1:123456789012:topic/evil:topic/safe/x";
        assert!(!matches("arn:aws:iot:*:*:topic/safe/*", arn, Reading::Narrow));
        assert!(matches("arn:aws:iot:*:*:topic/safe/*", arn, Reading::Wide));
    }

    #[test]
    fn only_a_lone_asterisk_covers_what_is_not_an_arn() {
        for reading in [Reading::Narrow, Reading::Wide] {
            assert!(matches("*", "*", reading));
            assert!(!matches("arn:aws:iot:*:*:*", "*", reading));
            assert!(!matches("*:*:*:*:*:*", "*", reading));
        }
    }
}
