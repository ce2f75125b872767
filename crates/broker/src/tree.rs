//! The subscriptions of one scope as a tree of topic levels.
//!
//! Looking up costs by the levels of the topic, not by the number of subscriptions: at most two ways go on from each
//! node (the level itself and `+`), so that even the worst set of filters costs under 2^9 nodes. Lists of subscribers
//! are shared with the messages under way and copied only when one of these still holds them.

use std::collections::HashMap;
use std::sync::Arc;

use gatehouse_domain::topic::{TopicFilter, TopicName};

use crate::session::{Session, SubscriptionOptions};

/// Who gets the messages of a filter.
#[derive(Clone, Debug)]
pub(crate) struct Subscriber {
    pub(crate) session: Arc<Session>,
    pub(crate) options: SubscriptionOptions,
}

impl Subscriber {
    fn number(&self) -> u64 {
        self.session.number
    }
}

/// The subscribers of one filter, by session number.
type Subscribers = Arc<Vec<Subscriber>>;

/// The subscriptions of a scope.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    /// Of the filter that ends here.
    here: Option<Subscribers>,
    /// Of the filter that ends in `#` below here.
    hash: Option<Subscribers>,
    plus: Option<Box<Node>>,
    #[expect(clippy::box_collection, reason = "most nodes are leaves, and these should be small")]
    children: Option<Box<HashMap<Box<str>, Node>>>,
}

/// The lists of subscribers that a topic leads to. Holds no lock.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    /// Apart, because one list is the usual case and needs no allocation.
    first: Option<Subscribers>,
    more: Vec<Subscribers>,
}

impl Tree {
    /// Enters a subscriber; one of the same session and filter is replaced.
    pub(crate) fn insert(&mut self, filter: &TopicFilter, subscriber: Subscriber) {
        let mut node = &mut self.root;
        for level in filter.as_str().split('/') {
            node = match level {
                "#" => return enter(&mut node.hash, subscriber),
                "+" => node.plus.get_or_insert_default(),
                name => node.children.get_or_insert_default().entry(name.into()).or_default(),
            };
        }
        enter(&mut node.here, subscriber);
    }

    /// Removes the subscriber with this session number, and the nodes that nobody needs any more.
    pub(crate) fn remove(&mut self, filter: &TopicFilter, session: u64) {
        self.root.remove(Some(filter.as_str()), session);
    }

    /// The subscribers that `topic` leads to.
    pub(crate) fn find(&self, topic: &TopicName) -> Matches {
        let mut matches = Matches::default();
        // [MQTT-4.7.2-1]: a wildcard in first place is not for topics of the service.
        self.root.find(Some(topic.as_str()), !topic.is_reserved(), &mut matches);
        matches
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_empty()
    }
}

impl Node {
    fn is_empty(&self) -> bool {
        self.here.is_none() && self.hash.is_none() && self.plus.is_none() && self.children.is_none()
    }

    // Recurses as deep as the filter has levels, which its type bounds; so does `find`, which follows existing nodes only.
    fn remove(&mut self, rest: Option<&str>, session: u64) {
        let Some(rest) = rest else { return leave(&mut self.here, session) };
        match split_level(rest) {
            ("#", _) => leave(&mut self.hash, session),
            ("+", rest) => {
                if let Some(plus) = &mut self.plus {
                    plus.remove(rest, session);
                    if plus.is_empty() {
                        self.plus = None;
                    }
                }
            }
            (name, rest) => {
                let Some(children) = &mut self.children else { return };
                let Some(child) = children.get_mut(name) else { return };
                child.remove(rest, session);
                if child.is_empty() {
                    children.remove(name);
                }
                if children.is_empty() {
                    self.children = None;
                }
            }
        }
    }

    fn find(&self, rest: Option<&str>, wildcards: bool, matches: &mut Matches) {
        let Some(rest) = rest else { return matches.add(self.here.as_ref()) };
        if wildcards {
            matches.add(self.hash.as_ref());
        }
        let (level, rest) = split_level(rest);
        if let Some(child) = self.children.as_ref().and_then(|children| children.get(level)) {
            child.find(rest, true, matches);
        }
        if let Some(plus) = self.plus.as_ref().filter(|_| wildcards) {
            plus.find(rest, true, matches);
        }
    }
}

impl Matches {
    fn add(&mut self, list: Option<&Subscribers>) {
        let Some(list) = list.map(Arc::clone) else { return };
        if self.first.is_none() {
            self.first = Some(list);
        } else {
            self.more.push(list);
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Calls `deliver` once for each session, with its highest QoS: of overlapping subscriptions the highest decides
    /// ([MQTT-3.3.5-1] in 3.1.1, [MQTT-3.3.4-2] in 5; further copies, which the standards allow, are not sent).
    /// `publisher` is the session whose message it is.
    pub(crate) fn for_each_session(&self, publisher: Option<u64>, mut deliver: impl FnMut(&Subscriber)) {
        let is_addressed =
            |subscriber: &&Subscriber| !(subscriber.options.no_local && publisher == Some(subscriber.number()));
        let Some(first) = &self.first else { return };
        if self.more.is_empty() {
            return first.iter().filter(is_addressed).for_each(deliver);
        }
        let lists = std::iter::once(first).chain(&self.more);
        let mut all: Vec<&Subscriber> = lists.flat_map(|list| list.iter()).filter(is_addressed).collect();
        all.sort_unstable_by(|a, b| a.number().cmp(&b.number()).then(b.options.qos.cmp(&a.options.qos)));
        all.dedup_by_key(|subscriber| subscriber.number());
        all.into_iter().for_each(&mut deliver);
    }
}

fn split_level(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(level, rest)| (level, Some(rest)))
}

fn enter(list: &mut Option<Subscribers>, subscriber: Subscriber) {
    let list = Arc::make_mut(list.get_or_insert_default());
    match list.binary_search_by_key(&subscriber.number(), Subscriber::number) {
        Ok(at) => {
            if let Some(entry) = list.get_mut(at) {
                *entry = subscriber;
            }
        }
        Err(at) => list.insert(at, subscriber),
    }
}

fn leave(list: &mut Option<Subscribers>, session: u64) {
    let Some(entries) = list else { return };
    if let Ok(at) = entries.binary_search_by_key(&session, Subscriber::number) {
        if entries.len() == 1 {
            *list = None;
        } else {
            Arc::make_mut(entries).remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gatehouse_domain::client_id::ClientId;
    use gatehouse_domain::topic::matches;
    use gatehouse_mqtt::Qos;
    use proptest::prelude::*;

    use super::*;
    use crate::{Connecting, Mailbox};

    fn session_of(number: u64) -> Session {
        let connecting = Connecting {
            client_id: ClientId::parse(&number.to_string()).unwrap(),
            protocol_level: 4,
            clean_start: true,
            expiry_secs: 0,
            mailbox: Arc::new(Mailbox::new()),
            info: Arc::new(crate::tests::info()),
        };
        Session::new(number, None, &connecting, 0)
    }

    fn subscriber(session: u64, qos: Qos) -> Subscriber {
        Subscriber { session: Arc::new(session_of(session)), options: SubscriptionOptions::new(qos) }
    }

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::parse(text).unwrap()
    }

    fn found(tree: &Tree, topic: &TopicName) -> Vec<(u64, Qos)> {
        let mut found = Vec::new();
        tree.find(topic).for_each_session(None, |subscriber| found.push((subscriber.number(), subscriber.options.qos)));
        found.sort_unstable();
        found
    }

    fn topics() -> impl Strategy<Value = TopicName> {
        let level = prop_oneof![Just(""), Just("a"), Just("b"), Just("$aws"), Just("$")];
        prop::collection::vec(level, 1..5)
            .prop_filter_map("not a topic name", |levels| TopicName::parse(&levels.join("/")).ok())
    }

    fn filters() -> impl Strategy<Value = TopicFilter> {
        let level = prop_oneof![Just(""), Just("a"), Just("b"), Just("$aws"), Just("+"), Just("#")];
        prop::collection::vec(level, 1..5)
            .prop_filter_map("not a topic filter", |levels| TopicFilter::parse(&levels.join("/")).ok())
    }

    fn qos() -> impl Strategy<Value = Qos> {
        prop_oneof![Just(Qos::AtMostOnce), Just(Qos::AtLeastOnce)]
    }

    proptest! {
        #[test]
        fn the_tree_finds_whom_the_naive_matcher_finds_and_each_once(
            steps in prop::collection::vec((0..6_u64, filters(), prop::option::weighted(0.7, qos())), 0..60),
            topics in prop::collection::vec(topics(), 1..20),
        ) {
            let mut tree = Tree::default();
            let mut model = BTreeMap::new();
            for (session, filter, qos) in steps {
                match qos {
                    Some(qos) => {
                        tree.insert(&filter, subscriber(session, qos));
                        model.insert((session, filter), qos);
                    }
                    None => {
                        tree.remove(&filter, session);
                        model.remove(&(session, filter));
                    }
                }
            }
            for topic in &topics {
                let mut expected = BTreeMap::new();
                for ((session, filter), qos) in &model {
                    if matches(filter, topic) {
                        let highest = expected.entry(*session).or_insert(*qos);
                        *highest = (*highest).max(*qos);
                    }
                }
                prop_assert_eq!(found(&tree, topic), expected.into_iter().collect::<Vec<_>>(), "{}", topic);
            }
            for (session, filter) in model.into_keys() {
                prop_assert!(!tree.is_empty());
                tree.remove(&filter, session);
            }
            prop_assert!(tree.is_empty());
        }
    }

    #[test]
    fn the_deepest_filter_matches_at_its_own_depth() {
        let mut tree = Tree::default();
        tree.insert(&filter("+/+/+/+/+/+/+/#"), subscriber(1, Qos::AtMostOnce));
        assert_eq!(found(&tree, &TopicName::parse("a/b/c/d/e/f/g/h").unwrap()).len(), 1);
        assert_eq!(found(&tree, &TopicName::parse("a/b/c/d/e/f/g").unwrap()).len(), 0);
    }

    #[test]
    fn removing_what_is_not_there_changes_nothing() {
        let mut tree = Tree::default();
        tree.remove(&filter("a/+/#"), 1);
        tree.insert(&filter("a/+/#"), subscriber(1, Qos::AtMostOnce));
        for other in ["a", "a/+", "a/#", "a/b/#", "+/+/#", "#"] {
            tree.remove(&filter(other), 1);
        }
        tree.remove(&filter("a/+/#"), 2);
        assert_eq!(found(&tree, &TopicName::parse("a/b/c").unwrap()), [(1, Qos::AtMostOnce)]);
    }

    #[test]
    fn a_message_under_way_keeps_the_subscribers_it_found() {
        let mut tree = Tree::default();
        tree.insert(&filter("a"), subscriber(1, Qos::AtMostOnce));
        let under_way = tree.find(&TopicName::parse("a").unwrap());
        tree.insert(&filter("a"), subscriber(2, Qos::AtMostOnce));
        tree.remove(&filter("a"), 1);
        let mut sessions = Vec::new();
        under_way.for_each_session(None, |subscriber| sessions.push(subscriber.number()));
        assert_eq!(sessions, [1]);
    }
}
