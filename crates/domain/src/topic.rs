//! Topic names and filters as AWS IoT takes them, how they match, and which reserved topics are open to clients.

mod reserved;

use std::fmt;
use std::sync::Arc;

use crate::limits;

pub use reserved::{ReservedTopic, Service, may_publish, may_subscribe};

/// Begins the topics of Basic Ingest; followed by a rule name and a slash.
const BASIC_INGEST: &str = "$aws/rules/";
/// The longest rule name, in bytes (service model, `RuleName`).
const RULE_NAME_BYTES: usize = 128;

/// A topic that a message can be published to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// Why a topic name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum InvalidTopicName {
    /// No character at all ([MQTT-4.7.3-1]).
    #[error("a topic name must have at least one character")]
    Empty,
    /// Over 256 bytes.
    #[error("the topic name has more than {} bytes", limits::TOPIC_BYTES)]
    TooLong,
    /// Over 7 slashes.
    #[error("the topic name has more than {} slashes", limits::TOPIC_SLASHES)]
    TooDeep,
    /// U+0000 ([MQTT-4.7.3-2]).
    #[error("a topic name must not contain U+0000")]
    Nul,
    /// `+` or `#` ([MQTT-4.7.1-1], [MQTT-3.3.2-2]).
    #[error("a topic name must not contain the wildcards + and #")]
    Wildcard,
}

/// What a client subscribes to: a topic name in which levels may be wildcards.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(Arc<str>);

/// Why a topic filter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum InvalidTopicFilter {
    /// No character at all ([MQTT-4.7.3-1]).
    #[error("a topic filter must have at least one character")]
    Empty,
    /// Over 256 bytes.
    #[error("the topic filter has more than {} bytes", limits::TOPIC_BYTES)]
    TooLong,
    /// Over 7 slashes.
    #[error("the topic filter has more than {} slashes", limits::TOPIC_SLASHES)]
    TooDeep,
    /// U+0000 ([MQTT-4.7.3-2]).
    #[error("a topic filter must not contain U+0000")]
    Nul,
    /// A wildcard that is a part of its level, or a `#` that is not last ([MQTT-4.7.1-2], [MQTT-4.7.1-3]).
    #[error("the wildcards + and # must fill a whole level of a topic filter, and # must be the last level")]
    MisplacedWildcard,
    /// `$share/<group>/<filter>`.
    #[error("shared subscriptions ($share) are not supported yet: subscribe to the filter itself")]
    SharedSubscription,
}

impl TopicName {
    /// A topic name sent by a client: 1 to 256 bytes, at most 7 slashes, no wildcard, no U+0000. The first three levels
    /// of a Basic Ingest topic count for neither limit (AWS IoT Core quotas, "Topic size", "Maximum number of slashes").
    ///
    /// # Errors
    /// [`InvalidTopicName`] names the rule.
    pub fn parse(text: &str) -> Result<Self, InvalidTopicName> {
        if text.is_empty() {
            return Err(InvalidTopicName::Empty);
        }
        let counted = after_rule_name(text).unwrap_or(text);
        if counted.len() > limits::TOPIC_BYTES {
            return Err(InvalidTopicName::TooLong);
        }
        if slashes(counted) > limits::TOPIC_SLASHES {
            return Err(InvalidTopicName::TooDeep);
        }
        Self::of_service(text)
    }

    /// A topic name of the service's own, or one that has been judged before: the limits of clients do not hold.
    ///
    /// # Errors
    /// [`InvalidTopicName`] for what no topic name can be.
    pub fn of_service(text: &str) -> Result<Self, InvalidTopicName> {
        if text.is_empty() {
            return Err(InvalidTopicName::Empty);
        }
        if text.bytes().any(|b| b == 0) {
            return Err(InvalidTopicName::Nul);
        }
        if text.bytes().any(|b| b == b'+' || b == b'#') {
            return Err(InvalidTopicName::Wildcard);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does it begin with `$`, and so belong to the service?
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('$')
    }
}

impl TopicFilter {
    /// A topic filter sent by a client: 1 to 256 bytes, at most 7 slashes, whole-level wildcards, no U+0000.
    ///
    /// # Errors
    /// [`InvalidTopicFilter`] names the rule.
    pub fn parse(text: &str) -> Result<Self, InvalidTopicFilter> {
        if text.is_empty() {
            return Err(InvalidTopicFilter::Empty);
        }
        // Before the limits: the prefix would not count for them.
        if text.starts_with("$share/") {
            return Err(InvalidTopicFilter::SharedSubscription);
        }
        if text.len() > limits::TOPIC_BYTES {
            return Err(InvalidTopicFilter::TooLong);
        }
        if slashes(text) > limits::TOPIC_SLASHES {
            return Err(InvalidTopicFilter::TooDeep);
        }
        if text.bytes().any(|b| b == 0) {
            return Err(InvalidTopicFilter::Nul);
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            let well_placed = match level {
                "+" => true,
                "#" => levels.peek().is_none(),
                _ => !level.contains(['+', '#']),
            };
            if !well_placed {
                return Err(InvalidTopicFilter::MisplacedWildcard);
            }
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does it begin with `$`, and so ask for messages of the service?
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('$')
    }
}

/// Does a message to `topic` go to the subscribers of `filter`? Differs from MQTT in that `#` does not stand for the
/// level above it: `sensor/#` leaves `sensor` out ("MQTT", section on differences from the specifications).
#[must_use]
pub fn matches(filter: &TopicFilter, topic: &TopicName) -> bool {
    // [MQTT-4.7.2-1]
    if topic.is_reserved() && filter.as_str().starts_with(['+', '#']) {
        return false;
    }
    let mut topic_levels = topic.as_str().split('/');
    for filter_level in filter.as_str().split('/') {
        match (filter_level, topic_levels.next()) {
            (_, None) => return false,
            ("#", Some(_)) => return true,
            ("+", Some(_)) => {}
            (literal, Some(level)) if literal == level => {}
            _ => return false,
        }
    }
    topic_levels.next().is_none()
}

/// What follows `$aws/rules/<ruleName>/`, when `text` is a Basic Ingest topic.
fn after_rule_name(text: &str) -> Option<&str> {
    let (rule_name, rest) = text.strip_prefix(BASIC_INGEST)?.split_once('/')?;
    let is_rule_name = (1..=RULE_NAME_BYTES).contains(&rule_name.len())
        && rule_name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_rule_name.then_some(rest)
}

fn slashes(text: &str) -> usize {
    text.bytes().filter(|b| *b == b'/').count()
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names_keep_the_rules() {
        use InvalidTopicName::{Empty, Nul, TooDeep, TooLong, Wildcard};
        let rule = |rest: &str| format!("$aws/rules/{}/{rest}", "r".repeat(128));
        let table: [(String, Option<InvalidTopicName>); 19] = [
            ("a".into(), None),
            ("/".into(), None),
            ("//a b//".into(), None),
            ("\u{e9}/\u{1f321}".into(), None),
            ("a/b/c/d/e/f/g/h".into(), None),
            ("a/b/c/d/e/f/g/h/".into(), Some(TooDeep)),
            ("x".repeat(256), None),
            ("x".repeat(257), Some(TooLong)),
            ("\u{e9}".repeat(129), Some(TooLong)),
            (String::new(), Some(Empty)),
            ("a\0".into(), Some(Nul)),
            ("a/+".into(), Some(Wildcard)),
            ("a#".into(), Some(Wildcard)),
            (rule("a/b/c/d/e/f/g/h"), None),
            (rule("a/b/c/d/e/f/g/h/i"), Some(TooDeep)),
            (rule(&"x".repeat(256)), None),
            (rule(&"x".repeat(257)), Some(TooLong)),
            // What is no rule name is no exemption from the limits.
            (format!("$aws/rules/{}/x", "r".repeat(300)), Some(TooLong)),
            ("$aws/rules//a/b/c/d/e/f/g/h".into(), Some(TooDeep)),
        ];
        for (text, refused) in table {
            assert_eq!(TopicName::parse(&text).err(), refused, "{text:?}");
        }
    }

    #[test]
    fn topic_filters_keep_the_rules() {
        use InvalidTopicFilter::{Empty, MisplacedWildcard, Nul, SharedSubscription, TooDeep, TooLong};
        let table: [(&str, Option<InvalidTopicFilter>); 20] = [
            ("#", None),
            ("+", None),
            ("+/+", None),
            ("a/+/b/#", None),
            ("/#", None),
            ("$aws/events/#", None),
            ("+/b/c/d/e/f/g/#", None),
            ("+/b/c/d/e/f/g/h/#", Some(TooDeep)),
            ("", Some(Empty)),
            ("a\0", Some(Nul)),
            ("a+", Some(MisplacedWildcard)),
            ("+a/b", Some(MisplacedWildcard)),
            ("a/#/b", Some(MisplacedWildcard)),
            ("a#", Some(MisplacedWildcard)),
            ("a/#/", Some(MisplacedWildcard)),
            ("##", Some(MisplacedWildcard)),
            ("$share/group/a", Some(SharedSubscription)),
            ("$share/", Some(SharedSubscription)),
            ("$shared/a", None),
            ("$share", None),
        ];
        for (text, refused) in table {
            assert_eq!(TopicFilter::parse(text).err(), refused, "{text:?}");
        }
        assert_eq!(TopicFilter::parse(&"x".repeat(257)).err(), Some(TooLong));
    }

    #[test]
    fn filters_match_level_by_level_and_hash_leaves_its_parent_out() {
        let table = [
            ("sensor/#", "sensor/", true),
            ("sensor/#", "sensor/a", true),
            ("sensor/#", "sensor/a/b", true),
            ("sensor/#", "sensor", false),
            ("#", "a", true),
            ("#", "/", true),
            ("#", "$aws/a", false),
            ("+/a", "$aws/a", false),
            ("+", "a", true),
            ("+", "a/b", false),
            ("+", "/a", false),
            ("/+", "/a", true),
            ("+/+", "/a", true),
            ("+/+", "/", true),
            ("a/+", "a/", true),
            ("a/+", "a", false),
            ("a/+/c", "a/b/c", true),
            ("a/+/#", "a/b", false),
            ("a/+/#", "a/b/c", true),
            ("a/b", "a/b", true),
            ("a/b", "A/b", false),
            ("a", "a/", false),
            ("a/", "a", false),
            ("$aws/#", "$aws/a", true),
            ("$aws/+", "$aws/a", true),
            ("a/#", "a/$b", true),
        ];
        for (filter, topic, expected) in table {
            let parsed = (TopicFilter::parse(filter).unwrap(), TopicName::parse(topic).unwrap());
            assert_eq!(matches(&parsed.0, &parsed.1), expected, "{filter} {topic}");
        }
    }
}
