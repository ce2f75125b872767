//! What CreateThing and UpdateThing share: how a thing's configuration travels, and how it is kept.

use std::collections::BTreeMap;

use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing::Configuration;
use gatehouse_store::ThingRecord;
use serde::Deserialize;

/// Attributes as both operations take them.
#[derive(Debug, Deserialize)]
pub(super) struct AttributePayload {
    pub(super) attributes: Option<BTreeMap<String, String>>,
    /// Only UpdateThing heeds it.
    #[serde(default)]
    pub(super) merge: bool,
}

/// What a stored thing is configured with, which is in this billing group.
pub(super) fn configuration(record: &ThingRecord, billing_group_name: Option<ThingName>) -> Configuration {
    Configuration {
        thing_type_name: record.thing_type_name.clone(),
        attributes: record.attributes.clone(),
        billing_group_name,
    }
}
