//! Text patterns: literal text, `*`, `?` and `${variable}`, cut into tokens once and matched token by token.
//!
//! Cost: matching takes at most on the order of n² steps for a text of n characters, however the pattern looks. A
//! mismatch returns to the last `*` only, whose start moves forward at most n times, and between two mismatches every
//! token takes at least one character of the text.

use std::borrow::Cow;

use super::context::{Context, ContextValue};
use super::key::Key;

/// The longest value that is substituted for a certificate's variable, in characters (developer guide, "X.509
/// Certificate policy variable limitations").
const CERTIFICATE_VALUE_CHARACTERS: usize = 1024;
/// Variables whose values are held on the stack while a pattern is matched.
const INLINE_VARIABLES: usize = 4;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    tokens: Box<[Token]>,
    variable_count: usize,
}

/// A part of a pattern. Literals are never empty, and two `*` never follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Literal(Box<str>),
    /// The value of a key. `slot` is its number among the pattern's variables.
    Variable {
        key: Key,
        slot: usize,
    },
    /// `?`
    AnyOne,
    /// `*`
    AnyRun,
}

/// What is special in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Syntax {
    /// `*` and `?` are wildcards.
    pub(super) wildcards: bool,
    /// `${…}` is replaced. Not so in documents of version 2008-10-17.
    pub(super) variables: bool,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidPattern {
    #[error("a policy variable opened with ${{ is not closed with }}")]
    Unterminated,
    #[error(
        "${{{0}}} is not a policy variable: a name like ${{iot:ClientId}}, or one of ${{*}} ${{?}} ${{$}}, is needed"
    )]
    UnknownSyntax(String),
}

/// What comparing a text with patterns came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Yes,
    No,
    /// It cannot be said: a variable has no value, or the text cannot be read.
    Unknown,
}

impl From<bool> for Match {
    fn from(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }
}

impl Match {
    /// The outcome of alternatives: `Yes` if any is, else `Unknown` if any is.
    pub(super) fn any(alternatives: impl IntoIterator<Item = Self>) -> Self {
        let mut outcome = Self::No;
        for alternative in alternatives {
            match alternative {
                Self::Yes => return Self::Yes,
                Self::Unknown => outcome = Self::Unknown,
                Self::No => {}
            }
        }
        outcome
    }
}

impl Pattern {
    pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Self, InvalidPattern> {
        tokenise(text, syntax).map(Self::from_tokens)
    }

    pub(super) fn from_tokens(mut tokens: Vec<Token>) -> Self {
        let mut variable_count = 0;
        for token in &mut tokens {
            if let Token::Variable { slot, .. } = token {
                *slot = variable_count;
                variable_count += 1;
            }
        }
        Self { tokens: tokens.into(), variable_count }
    }

    /// Whether the whole of `text` is of this pattern. `Unknown` exactly when a variable has no value.
    pub(super) fn matches(&self, text: &str, context: &dyn Context) -> Match {
        self.with_values(context, |values| {
            glob(&self.tokens, text, |token, rest| match token {
                Token::Literal(literal) => rest.strip_prefix(&**literal),
                Token::Variable { slot, .. } => rest.strip_prefix(values.get(*slot).map(|value| &**value)?),
                Token::AnyOne => skip_character(rest),
                Token::AnyRun => None,
            })
        })
    }

    /// As [`Pattern::matches`] for a pattern without wildcards, where case does not matter.
    pub(super) fn equals_ignoring_case(&self, text: &str, context: &dyn Context) -> Match {
        self.with_values(context, |values| {
            let parts = self.tokens.iter().map(|token| match token {
                Token::Literal(literal) => &**literal,
                Token::Variable { slot, .. } => values.get(*slot).map_or("", |value| &**value),
                Token::AnyOne | Token::AnyRun => "",
            });
            let wanted = parts.flat_map(str::chars).flat_map(char::to_lowercase);
            wanted.eq(text.chars().flat_map(char::to_lowercase))
        })
    }

    /// The keys of the pattern's variables.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Variable { key, .. } => Some(key),
            _ => None,
        })
    }

    /// Runs `test` with the values of the variables, which are looked up once.
    fn with_values(&self, context: &dyn Context, test: impl FnOnce(&[Cow<'_, str>]) -> bool) -> Match {
        let mut inline = [const { Cow::Borrowed("") }; INLINE_VARIABLES];
        let mut spilled = Vec::new();
        let values = match inline.get_mut(..self.variable_count) {
            Some(values) => values,
            None => {
                spilled.resize(self.variable_count, Cow::Borrowed(""));
                spilled.as_mut_slice()
            }
        };
        for (value, key) in values.iter_mut().zip(self.keys()) {
            match substitute(key, context) {
                Some(found) => *value = found,
                None => return Match::Unknown,
            }
        }
        test(values).into()
    }
}

/// The text put in the place of a variable, if it has one.
///
/// A set has no single text. An empty value counts as none: else `client/${name}*` would mean `client/*` to whoever has
/// an empty name. A certificate's name is not substituted when it is longer than 1024 characters or contains a
/// wildcard of policies or topic filters (developer guide, "X.509 Certificate policy variable limitations").
fn substitute<'c>(key: &Key, context: &'c dyn Context) -> Option<Cow<'c, str>> {
    let ContextValue::One(value) = context.value(key) else { return None };
    let refused = key.is_certificate_name()
        && (value.contains(['*', '$', '+', '?', '#']) || value.chars().count() > CERTIFICATE_VALUE_CHARACTERS);
    (!value.is_empty() && !refused).then_some(value)
}

/// Cuts a text into tokens. Variables get their slots in [`Pattern::from_tokens`].
pub(super) fn tokenise(text: &str, syntax: Syntax) -> Result<Vec<Token>, InvalidPattern> {
    let mut tokens = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or("");
        let opened = rest.strip_prefix("${").filter(|_| syntax.variables);
        let special = match (character, opened) {
            (_, Some(opened)) => {
                let (name, after) = opened.split_once('}').ok_or(InvalidPattern::Unterminated)?;
                rest = after;
                match name {
                    "*" | "?" | "$" => {
                        literal.push_str(name);
                        continue;
                    }
                    _ => Token::Variable {
                        key: Key::parse(name).map_err(|_| InvalidPattern::UnknownSyntax(clip(name)))?,
                        slot: 0,
                    },
                }
            }
            ('*', None) if syntax.wildcards => {
                rest = after;
                Token::AnyRun
            }
            ('?', None) if syntax.wildcards => {
                rest = after;
                Token::AnyOne
            }
            _ => {
                rest = after;
                literal.push(character);
                continue;
            }
        };
        if !literal.is_empty() {
            tokens.push(Token::Literal(std::mem::take(&mut literal).into()));
        }
        if special != Token::AnyRun || tokens.last() != Some(&Token::AnyRun) {
            tokens.push(special);
        }
    }
    if !literal.is_empty() {
        tokens.push(Token::Literal(literal.into()));
    }
    Ok(tokens)
}

/// Whether `tokens` cover the whole of `text`. `take` says what is left of a text when a token other than `*` has taken
/// its part from the front, if it can; it must take at least one character, and always the same number.
pub(super) fn glob<'t>(tokens: &[Token], text: &'t str, take: impl Fn(&Token, &'t str) -> Option<&'t str>) -> bool {
    let (mut wanted, mut rest) = (tokens, text);
    let mut last_run: Option<(&[Token], &str)> = None;
    loop {
        match wanted.split_first() {
            Some((Token::AnyRun, [])) => return true,
            Some((Token::AnyRun, after)) => {
                last_run = Some((after, rest));
                wanted = after;
                continue;
            }
            Some((token, after)) => {
                if let Some(left) = take(token, rest) {
                    (wanted, rest) = (after, left);
                    continue;
                }
            }
            None if rest.is_empty() => return true,
            None => {}
        }
        // Let the last `*` take one character more and try again from there. Earlier ones need not be tried: what
        // stands between two `*` was found at its first place, which leaves the most text to the rest.
        let Some((after, start)) = last_run else { return false };
        let Some(start) = skip_character(start) else { return false };
        last_run = Some((after, start));
        (wanted, rest) = (after, start);
    }
}

fn skip_character(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next()?;
    Some(characters.as_str())
}

/// The beginning of a text from outside, short enough for a message.
pub(super) fn clip(text: &str) -> String {
    crate::clip::clip(text, 64)
}

#[cfg(test)]
mod tests {
    use super::super::context::NoContext;
    use super::*;

    const ALL: Syntax = Syntax { wildcards: true, variables: true };

    struct Named(&'static str);

    impl Context for Named {
        fn value(&self, key: &Key) -> ContextValue<'_> {
            match key {
                Key::ClientId | Key::Certificate(..) => ContextValue::One(self.0.into()),
                Key::ConnectAttributes => ContextValue::Many(vec!["LastWill".into()]),
                _ => ContextValue::Absent,
            }
        }
    }

    fn matches(pattern: &str, text: &str, context: &dyn Context) -> Match {
        Pattern::parse(pattern, ALL).unwrap().matches(text, context)
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "", true),
            ("?", "", false),
            ("?", "é", true),
            ("??", "é", false),
            ("a*", "a", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("a*b?c*", "a/x/bbxc", true),
            ("*ab", "aab", true),
            ("*?b", "b", false),
            ("a?*", "a", false),
            ("topic/some/*/topic", "topic/some/a/b/topic", true),
            ("topic/some/*/topic", "topic/some/+/topic", true),
            ("topic/some/+/topic", "topic/some/x/topic", false),
            ("topic/#", "topic/a", false),
            ("$aws/*", "$aws/things", true),
            ("a${*}b", "a*b", true),
            ("a${*}b", "axb", false),
            ("${?}${$}{x}", "?${x}", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text, &NoContext), expected.into(), "{pattern} {text}");
        }
    }

    #[test]
    fn a_wildcard_in_a_value_is_a_plain_character() {
        for value in ["*", "?", "${iot:ClientId}", "$", "a*"] {
            let context = Named(value);
            assert_eq!(matches("client/${iot:ClientId}", "client/x", &context), Match::No, "{value}");
            assert_eq!(matches("client/${iot:ClientId}", "client/xyz", &context), Match::No, "{value}");
            assert_eq!(matches("client/${iot:ClientId}", &format!("client/{value}"), &context), Match::Yes, "{value}");
        }
    }

    #[test]
    fn a_variable_without_usable_value_leaves_the_outcome_open() {
        for pattern in ["x${iot:DomainName}", "${foo:bar}", "${iot:ConnectAttributes}"] {
            assert_eq!(matches(pattern, "x", &Named("v")), Match::Unknown, "{pattern}");
        }
        assert_eq!(matches("client/${iot:ClientId}*", "client/any", &Named("")), Match::Unknown);
    }

    #[test]
    fn certificate_names_with_wildcards_are_not_substituted() {
        let pattern = "topic/${iot:Certificate.Subject.CommonName}";
        assert_eq!(matches(pattern, "topic/a", &Named("a")), Match::Yes);
        for value in ["+", "a#", "a*", "?", "$aws"] {
            assert_eq!(matches(pattern, &format!("topic/{value}"), &Named(value)), Match::Unknown, "{value}");
        }
    }

    #[test]
    fn many_variables_are_matched_too() {
        let pattern = "${iot:ClientId}/".repeat(9);
        assert_eq!(matches(&pattern, &"ab/".repeat(9), &Named("ab")), Match::Yes);
        assert_eq!(matches(&pattern, &"ab/".repeat(8), &Named("ab")), Match::No);
    }

    #[test]
    fn broken_variables_are_refused() {
        for bad in ["${", "a${iot:ClientId", "${}", "${iot}", "${iot:Cli*}", "${iot:a, 'b'}", "${${iot:ClientId}}"] {
            assert!(Pattern::parse(bad, ALL).is_err(), "{bad}");
        }
        let literal = Pattern::parse("${", Syntax { variables: false, ..ALL }).unwrap();
        assert_eq!(literal.matches("${", &NoContext), Match::Yes);
    }

    #[test]
    fn case_is_folded_beyond_ascii_when_asked() {
        let pattern = Pattern::parse("Zoë${iot:ClientId}", Syntax { wildcards: false, variables: true }).unwrap();
        assert_eq!(pattern.equals_ignoring_case("zOËab", &Named("AB")), Match::Yes);
        assert_eq!(pattern.equals_ignoring_case("zOËa", &Named("AB")), Match::No);
    }

    /// A matcher that tries every `*` again would need on the order of 2000^1000 steps here.
    #[test]
    fn a_pattern_full_of_asterisks_is_matched_in_bounded_work() {
        let text = format!("{}b", "a".repeat(2_000));
        assert_eq!(matches(&"a*".repeat(1_000), &text, &NoContext), Match::Yes);
        assert_eq!(matches(&format!("{}c", "a*".repeat(1_000)), &text, &NoContext), Match::No);
        assert_eq!(matches(&format!("{}c", "*?a".repeat(700)), &text, &NoContext), Match::No);
        assert_eq!(matches(&format!("{}c", "*${iot:ClientId}".repeat(120)), &text, &Named("aa")), Match::No);
    }

    #[test]
    fn matching_takes_at_most_quadratic_work() {
        use std::cell::Cell;
        for length in [10_usize, 100, 1_000] {
            let text = "a".repeat(length);
            for pattern in
                ["a*".repeat(length) + "b", "*aa".repeat(length) + "b", "*".to_owned() + &"a".repeat(length / 2) + "b"]
            {
                let steps = Cell::new(0_usize);
                let tokens = tokenise(&pattern, ALL).unwrap();
                let matched = glob(&tokens, &text, |token, rest| {
                    steps.set(steps.get() + 1);
                    match token {
                        Token::Literal(literal) => rest.strip_prefix(&**literal),
                        _ => skip_character(rest),
                    }
                });
                assert!(!matched);
                assert!(steps.get() <= (length + 1) * (length + 2), "{} steps for {length}", steps.get());
            }
        }
    }
}
