//! The topics that begin with `$`: what clients may publish to and subscribe to ("Reserved topics", AWS IoT Core
//! developer guide). One table holds the topics, [`Service::is_here`] says which services answer on them.

use std::fmt;

use super::{TopicFilter, TopicName};

/// The services that speak over reserved topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are AWS's names of the services")]
pub enum Service {
    Events,
    FleetProvisioning,
    Jobs,
    Shadow,
    DeviceDefender,
    FileDelivery,
    SecureTunneling,
    Commands,
    DeviceLocation,
    SiteWise,
    BasicIngest,
}

impl Service {
    /// Is there somebody who reads what clients publish to the service's topics? A publish that nobody reads is
    /// refused, so that no device waits for an answer that cannot come.
    #[must_use]
    pub const fn is_here(self) -> bool {
        match self {
            Self::Events | Self::FleetProvisioning => true,
            Self::Jobs
            | Self::Shadow
            | Self::DeviceDefender
            | Self::FileDelivery
            | Self::SecureTunneling
            | Self::Commands
            | Self::DeviceLocation
            | Self::SiteWise
            | Self::BasicIngest => false,
        }
    }
}

/// Why a client may not use a reserved topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReservedTopic {
    /// Begins with `$`, and is no topic of any service.
    #[error("topics that begin with $ belong to the service, and this is none that it knows")]
    Unknown,
    /// The service publishes here.
    #[error("only the service publishes to this topic: clients can subscribe to it")]
    SubscribeOnly,
    /// The service listens here, and nobody else can.
    #[error("this topic takes what clients publish to the service: nobody can subscribe to it")]
    PublishOnly,
    /// A topic for requests to a service that this server does not have.
    #[error("this server does not offer {0} yet: what is published to its topics would be lost")]
    ServiceMissing(Service),
}

/// What clients may do with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Publish,
    Subscribe,
    Both,
}

impl Open {
    const fn to_publish(self) -> bool {
        matches!(self, Self::Publish | Self::Both)
    }

    const fn to_subscribe(self) -> bool {
        matches!(self, Self::Subscribe | Self::Both)
    }
}

use Open::{Both, Publish, Subscribe};
use Service::{
    BasicIngest, Commands, DeviceDefender, DeviceLocation, Events, FileDelivery, FleetProvisioning, Jobs,
    SecureTunneling, Shadow, SiteWise,
};

/// The reserved topics. A level `{}` is any one name, `{a|b}` one of these words, `**` one level or more to the end.
const TABLE: &[(Service, Open, &str)] = &[
    (Events, Subscribe, "$aws/events/certificates/registered/{}"),
    (Events, Subscribe, "$aws/events/presence/{connected|disconnected|connect_failed}/{}"),
    (Events, Subscribe, "$aws/events/subscriptions/{subscribed|unsubscribed}/{}"),
    // Client ids may have slashes.
    (Events, Subscribe, "$aws/events/presence/{connected|disconnected|connect_failed}/{}/**"),
    (Events, Subscribe, "$aws/events/subscriptions/{subscribed|unsubscribed}/{}/**"),
    (Events, Subscribe, "$aws/events/{thing|thingGroup|thingType}/{}/{created|updated|deleted}"),
    (Events, Subscribe, "$aws/events/thingTypeAssociation/thing/{}/{}"),
    (Events, Subscribe, "$aws/events/thingTypeAssociation/thing/{}/thingType/{}/{added|removed}"),
    (Events, Subscribe, "$aws/events/thingGroupMembership/thingGroup/{}/thing/{}/{added|removed}"),
    (Events, Subscribe, "$aws/events/thingGroupHierarchy/thingGroup/{}/childThingGroup/{}/{added|removed}"),
    (
        Events,
        Subscribe,
        "$aws/events/job/{}/{completed|canceled|deleted|cancellation_in_progress|deletion_in_progress}",
    ),
    (Events, Subscribe, "$aws/events/jobExecution/{}/{succeeded|failed|rejected|canceled|timed_out|removed|deleted}"),
    (FleetProvisioning, Publish, "$aws/certificates/{create|create-from-csr}/{json|cbor}"),
    (FleetProvisioning, Subscribe, "$aws/certificates/{create|create-from-csr}/{json|cbor}/{accepted|rejected}"),
    (FleetProvisioning, Publish, "$aws/provisioning-templates/{}/provision/{json|cbor}"),
    (FleetProvisioning, Subscribe, "$aws/provisioning-templates/{}/provision/{json|cbor}/{accepted|rejected}"),
    (Jobs, Publish, "$aws/things/{}/jobs/{get|start-next}"),
    (Jobs, Subscribe, "$aws/things/{}/jobs/{get|start-next}/{accepted|rejected}"),
    (Jobs, Publish, "$aws/things/{}/jobs/{}/{get|update}"),
    (Jobs, Subscribe, "$aws/things/{}/jobs/{}/{get|update}/{accepted|rejected}"),
    (Jobs, Subscribe, "$aws/things/{}/jobs/{notify|notify-next}"),
    (Shadow, Both, "$aws/things/{}/shadow/{get|update|delete}"),
    (Shadow, Subscribe, "$aws/things/{}/shadow/{get|update|delete}/{accepted|rejected}"),
    (Shadow, Subscribe, "$aws/things/{}/shadow/update/{delta|documents}"),
    (Shadow, Both, "$aws/things/{}/shadow/name/{}/{get|update|delete}"),
    (Shadow, Subscribe, "$aws/things/{}/shadow/name/{}/{get|update|delete}/{accepted|rejected}"),
    (Shadow, Subscribe, "$aws/things/{}/shadow/name/{}/update/{delta|documents}"),
    (DeviceDefender, Publish, "$aws/things/{}/defender/metrics/{json|cbor}"),
    (DeviceDefender, Subscribe, "$aws/things/{}/defender/metrics/{json|cbor}/{accepted|rejected}"),
    (FileDelivery, Publish, "$aws/things/{}/streams/{}/{get|describe}/{json|cbor}"),
    (FileDelivery, Subscribe, "$aws/things/{}/streams/{}/{data|description|rejected}/{json|cbor}"),
    (SecureTunneling, Subscribe, "$aws/things/{}/tunnels/notify"),
    (Commands, Subscribe, "$aws/commands/{things|clients}/{}/executions/{}/request"),
    (Commands, Subscribe, "$aws/commands/{things|clients}/{}/executions/{}/request/{json|cbor}"),
    (Commands, Publish, "$aws/commands/{things|clients}/{}/executions/{}/response"),
    (Commands, Publish, "$aws/commands/{things|clients}/{}/executions/{}/response/{json|cbor}"),
    (Commands, Subscribe, "$aws/commands/{things|clients}/{}/executions/{}/response/{accepted|rejected}"),
    (Commands, Subscribe, "$aws/commands/{things|clients}/{}/executions/{}/response/{accepted|rejected}/{json|cbor}"),
    (DeviceLocation, Publish, "$aws/device_location/{}/get_position_estimate"),
    (DeviceLocation, Subscribe, "$aws/device_location/{}/get_position_estimate/{accepted|rejected}"),
    (SiteWise, Subscribe, "$aws/sitewise/asset-models/**"),
    (BasicIngest, Publish, "$aws/rules/{}"),
    (BasicIngest, Publish, "$aws/rules/{}/**"),
];

/// May a client publish to `topic`, as far as reserved topics go? Topics without `$` always pass.
///
/// # Errors
/// [`ReservedTopic`] says why not.
pub fn may_publish(topic: &TopicName) -> Result<(), ReservedTopic> {
    if !topic.is_reserved() {
        return Ok(());
    }
    let mut known = TABLE.iter().filter(|(_, _, pattern)| overlaps(pattern, topic.as_str())).peekable();
    if known.peek().is_none() {
        // No client speaks for the service, also about events that the table does not know.
        let is_event = topic.as_str().starts_with("$aws/events/");
        return Err(if is_event { ReservedTopic::SubscribeOnly } else { ReservedTopic::Unknown });
    }
    match known.find(|(_, open, _)| open.to_publish()) {
        Some((service, _, _)) if service.is_here() => Ok(()),
        Some((service, _, _)) => Err(ReservedTopic::ServiceMissing(*service)),
        None => Err(ReservedTopic::SubscribeOnly),
    }
}

/// May a client subscribe to `filter`, as far as reserved topics go? A filter passes when at least one topic that it
/// stands for is open to subscribers; a filter that begins with a wildcard stands for no reserved topic and passes.
/// Topics of services that are not here pass as well: a subscription without messages does no harm.
///
/// # Errors
/// [`ReservedTopic`] says why not.
pub fn may_subscribe(filter: &TopicFilter) -> Result<(), ReservedTopic> {
    if !filter.is_reserved() {
        return Ok(());
    }
    let mut known = TABLE.iter().filter(|(_, _, pattern)| overlaps(pattern, filter.matched())).peekable();
    if known.peek().is_none() {
        return Err(ReservedTopic::Unknown);
    }
    if known.any(|(_, open, _)| open.to_subscribe()) { Ok(()) } else { Err(ReservedTopic::PublishOnly) }
}

/// Is there a topic that both the table's `pattern` and `filter` stand for? (A topic name is a filter without wildcards.)
fn overlaps(pattern: &str, filter: &str) -> bool {
    let mut filter_levels = filter.split('/');
    for wanted in pattern.split('/') {
        match (wanted, filter_levels.next()) {
            (_, None) => return false,
            (_, Some("#")) | ("**", Some(_)) => return true,
            (_, Some("+")) => {}
            (wanted, Some(level)) if level_fits(wanted, level) => {}
            _ => return false,
        }
    }
    filter_levels.next().is_none()
}

fn level_fits(wanted: &str, level: &str) -> bool {
    match wanted.strip_prefix('{').and_then(|words| words.strip_suffix('}')) {
        Some("") => !level.is_empty(),
        Some(words) => words.split('|').any(|word| word == level),
        None => wanted == level,
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Events => "events",
            Self::FleetProvisioning => "fleet provisioning",
            Self::Jobs => "jobs",
            Self::Shadow => "device shadows",
            Self::DeviceDefender => "Device Defender",
            Self::FileDelivery => "MQTT-based file delivery",
            Self::SecureTunneling => "secure tunneling",
            Self::Commands => "remote commands",
            Self::DeviceLocation => "device location",
            Self::SiteWise => "SiteWise",
            Self::BasicIngest => "Basic Ingest",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ReservedTopic::{PublishOnly, ServiceMissing, SubscribeOnly, Unknown};
    use super::*;

    #[test]
    fn clients_publish_to_no_reserved_topic_without_a_service_behind_it() {
        let table = [
            ("a/b", Ok(())),
            ("a/$aws", Ok(())),
            ("$aws/events/presence/connected/c", Err(SubscribeOnly)),
            ("$aws/events/presence/connected/a/b", Err(SubscribeOnly)),
            ("$aws/events/thing/t/created", Err(SubscribeOnly)),
            ("$aws/events/thingTypeAssociation/thing/t/thingType/y/added", Err(SubscribeOnly)),
            ("$aws/events/anything", Err(SubscribeOnly)),
            ("$aws/events", Err(Unknown)),
            ("$aws/things/t/shadow/update", Err(ServiceMissing(Shadow))),
            ("$aws/things/t/shadow/update/accepted", Err(SubscribeOnly)),
            ("$aws/things/t/shadow/name/s/get", Err(ServiceMissing(Shadow))),
            ("$aws/things/t/jobs/$next/get", Err(ServiceMissing(Jobs))),
            ("$aws/things/t/jobs/notify", Err(SubscribeOnly)),
            ("$aws/certificates/create/json", Ok(())),
            ("$aws/certificates/create/json/accepted", Err(SubscribeOnly)),
            ("$aws/certificates/create-from-csr/cbor", Ok(())),
            ("$aws/provisioning-templates/t/provision/cbor", Ok(())),
            ("$aws/provisioning-templates/t/provision/cbor/rejected", Err(SubscribeOnly)),
            ("$aws/certificates/create/xml", Err(Unknown)),
            ("$aws/rules/r", Err(ServiceMissing(BasicIngest))),
            ("$aws/rules/r/a/b", Err(ServiceMissing(BasicIngest))),
            ("$aws/things//shadow/update", Err(Unknown)),
            ("$aws/things/t/shadow/update/", Err(Unknown)),
            ("$AWS/things/t/shadow/update", Err(Unknown)),
            ("$SYS/uptime", Err(Unknown)),
            ("$", Err(Unknown)),
        ];
        for (topic, expected) in table {
            assert_eq!(may_publish(&TopicName::parse(topic).unwrap()), expected, "{topic}");
        }
    }

    /// A topic of the table's row, with all its levels but the first to be replaced by wildcards.
    fn topics_of_rows() -> impl Strategy<Value = (Open, Vec<String>)> {
        prop::sample::select(TABLE).prop_map(|(_, open, pattern)| {
            let level = |wanted: &str| match wanted {
                "{}" | "**" => "x".to_owned(),
                words => words.trim_matches(['{', '}']).split('|').next().unwrap_or_default().to_owned(),
            };
            (open, pattern.split('/').map(level).collect())
        })
    }

    proptest! {
        #[test]
        fn a_filter_that_stands_for_an_open_topic_is_open(
            (open, mut levels) in topics_of_rows(),
            pluses in any::<[bool; 10]>(),
            hash_from in prop::option::of(1..10_usize),
        ) {
            for (level, _) in levels.iter_mut().zip(pluses).skip(1).filter(|(_, plus)| *plus) {
                *level = "+".into();
            }
            if let Some(from) = hash_from.filter(|from| *from < levels.len()) {
                levels.truncate(from);
                levels.push("#".into());
            }
            // Not parsed: some topics of the service have more levels than a client's filter may have.
            let filter = TopicFilter(levels.join("/").into());
            let answer = may_subscribe(&filter);
            prop_assert_ne!(answer, Err(Unknown), "{}", &filter);
            if open.to_subscribe() {
                prop_assert_eq!(answer, Ok(()), "{}", &filter);
            }
        }
    }

    #[test]
    fn clients_subscribe_where_the_service_publishes() {
        let table = [
            ("#", Ok(())),
            ("+/events/#", Ok(())),
            ("a/b", Ok(())),
            ("$aws/#", Ok(())),
            ("$aws/events/#", Ok(())),
            ("$aws/events/presence/+/+", Ok(())),
            ("$aws/events/presence/connected/+", Ok(())),
            ("$aws/events/presence/connected/a/b", Ok(())),
            ("$aws/events/presence/nonsense/+", Err(Unknown)),
            ("$aws/events/thing/+/created", Ok(())),
            ("$aws/events/thingTypeAssociation/thing/t/y", Ok(())),
            ("$aws/events/thingTypeAssociation/thing/t/thingType/y/added", Ok(())),
            ("$aws/events/thingTypeAssociation/thing/+/thingType/+/+", Ok(())),
            ("$aws/events/thingTypeAssociation/thing/t/thingType/y/updated", Err(Unknown)),
            ("$aws/events/thingGroupMembership/thingGroup/g/thing/t/removed", Ok(())),
            ("$aws/events/thingGroupHierarchy/thingGroup/p/childThingGroup/+/added", Ok(())),
            ("$aws/things/t/jobs/#", Ok(())),
            ("$aws/things/+/jobs/notify-next", Ok(())),
            ("$aws/things/t/jobs/get/+", Ok(())),
            ("$aws/things/t/jobs/get", Err(PublishOnly)),
            ("$aws/things/t/shadow/update", Ok(())),
            ("$aws/things/t/shadow/update/delta", Ok(())),
            ("$aws/certificates/create/json", Err(PublishOnly)),
            ("$aws/certificates/create/+/accepted", Ok(())),
            ("$aws/commands/things/t/executions/+/request/json", Ok(())),
            ("$aws/sitewise/asset-models/#", Ok(())),
            ("$aws/rules/r/a", Err(PublishOnly)),
            ("$aws/rules/#", Err(PublishOnly)),
            ("$aws", Err(Unknown)),
            ("$SYS/#", Err(Unknown)),
            ("$aws/things/t/shadow/update/+/+", Err(Unknown)),
        ];
        for (filter, expected) in table {
            assert_eq!(may_subscribe(&TopicFilter::parse(filter).unwrap()), expected, "{filter}");
        }
    }
}
