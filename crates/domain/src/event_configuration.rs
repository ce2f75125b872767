//! Event configurations: the switches of a scope that say which registry events are published in it ("Registry events",
//! AWS IoT Core developer guide). All are off until somebody asks for them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a switch is for (service model, `EventType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventType {
    /// Things are made, changed and deleted.
    Thing,
    /// Thing groups are made, changed and deleted.
    ThingGroup,
    /// Thing types are made, changed, deprecated and deleted.
    ThingType,
    /// Things enter and leave thing groups.
    ThingGroupMembership,
    /// Thing groups enter and leave thing groups.
    ThingGroupHierarchy,
    /// Things get a type and lose it.
    ThingTypeAssociation,
    /// Jobs. Nothing is published for it.
    Job,
    /// What becomes of jobs on things. Nothing is published for it.
    JobExecution,
    /// Policies. Nothing is published for it, and AWS documents no topic.
    Policy,
    /// Certificates. What AWS documents for it is published whatever the switch says.
    Certificate,
    /// CA certificates. What AWS documents for it is published whatever the switch says.
    CaCertificate,
}

impl EventType {
    /// Every type.
    pub const ALL: [Self; 11] = [
        Self::Thing,
        Self::ThingGroup,
        Self::ThingType,
        Self::ThingGroupMembership,
        Self::ThingGroupHierarchy,
        Self::ThingTypeAssociation,
        Self::Job,
        Self::JobExecution,
        Self::Policy,
        Self::Certificate,
        Self::CaCertificate,
    ];

    /// The word of the service model, e.g. `THING_GROUP`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Thing => "THING",
            Self::ThingGroup => "THING_GROUP",
            Self::ThingType => "THING_TYPE",
            Self::ThingGroupMembership => "THING_GROUP_MEMBERSHIP",
            Self::ThingGroupHierarchy => "THING_GROUP_HIERARCHY",
            Self::ThingTypeAssociation => "THING_TYPE_ASSOCIATION",
            Self::Job => "JOB",
            Self::JobExecution => "JOB_EXECUTION",
            Self::Policy => "POLICY",
            Self::Certificate => "CERTIFICATE",
            Self::CaCertificate => "CA_CERTIFICATE",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The switches of a scope. The default is all off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventConfigurations(BTreeSet<EventType>);

impl EventConfigurations {
    /// Whether the switch is on.
    #[must_use]
    pub fn is_enabled(&self, event_type: EventType) -> bool {
        self.0.contains(&event_type)
    }
}

impl FromIterator<EventType> for EventConfigurations {
    /// These are on, the others off.
    fn from_iter<I: IntoIterator<Item = EventType>>(enabled: I) -> Self {
        Self(enabled.into_iter().collect())
    }
}

/// A switch is named and not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "eventConfigurations names {0} without saying whether it is on: give it Enabled, true or false, or leave it out"
)]
pub struct NotSaid(pub EventType);

/// UpdateEventConfigurations: `current` with the switches that are given; the others stay.
///
/// # Errors
/// [`NotSaid`] when one is named without a position.
pub fn update(
    current: &EventConfigurations,
    given: &BTreeMap<EventType, Option<bool>>,
) -> Result<EventConfigurations, NotSaid> {
    let mut enabled = current.0.clone();
    for (event_type, is_on) in given {
        if is_on.ok_or(NotSaid(*event_type))? {
            enabled.insert(*event_type);
        } else {
            enabled.remove(event_type);
        }
    }
    Ok(EventConfigurations(enabled))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn types_read_as_the_model_has_them() {
        for event_type in EventType::ALL {
            assert_eq!(serde_json::to_value(event_type).unwrap(), event_type.as_str());
        }
    }

    #[test]
    fn an_update_sets_what_it_names() {
        use EventType::{Job, Thing, ThingGroup};
        let on = |types: &[EventType]| types.iter().copied().collect::<EventConfigurations>();
        for (before, given, after) in [
            (on(&[]), vec![], Ok(on(&[]))),
            (on(&[]), vec![(Thing, Some(true)), (Job, Some(true))], Ok(on(&[Thing, Job]))),
            (on(&[Thing]), vec![], Ok(on(&[Thing]))),
            (on(&[Thing]), vec![(Thing, Some(true))], Ok(on(&[Thing]))),
            (on(&[Thing, Job]), vec![(Thing, Some(false)), (ThingGroup, Some(true))], Ok(on(&[ThingGroup, Job]))),
            (on(&[]), vec![(Thing, Some(false))], Ok(on(&[]))),
            (on(&[]), vec![(Thing, Some(true)), (Job, None)], Err(NotSaid(Job))),
        ] {
            assert_eq!(update(&before, &given.iter().copied().collect()), after, "{before:?} {given:?}");
        }
    }

    fn types() -> impl Strategy<Value = EventType> {
        prop::sample::select(EventType::ALL.as_slice())
    }

    proptest! {
        #[test]
        fn a_switch_stands_as_it_was_set_last(
            before in prop::collection::vec(types(), 0..11),
            given in prop::collection::btree_map(types(), any::<bool>(), 0..11),
        ) {
            let before: EventConfigurations = before.into_iter().collect();
            let asked = given.iter().map(|(event_type, is_on)| (*event_type, Some(*is_on))).collect();
            let after = update(&before, &asked).unwrap();
            for event_type in EventType::ALL {
                let expected = given.get(&event_type).copied().unwrap_or(before.is_enabled(event_type));
                prop_assert_eq!(after.is_enabled(event_type), expected, "{}", event_type);
            }
            prop_assert_eq!(update(&after, &asked), Ok(after.clone()));
            let kept = serde_json::to_string(&after).unwrap();
            prop_assert_eq!(serde_json::from_str::<EventConfigurations>(&kept).unwrap(), after);
        }
    }
}
