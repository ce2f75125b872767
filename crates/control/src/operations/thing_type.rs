//! What the operations of thing types share: how properties and dates travel, and whether a thing may have a type.

use std::collections::BTreeSet;

use gatehouse_domain::name::ThingName;
use gatehouse_domain::thing_type::{GivenProperties, Properties, PropertiesRefusal, in_use, properties};
use gatehouse_store::ThingTypeRecord;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::wire::{EpochSeconds, unknown_thing_type};

/// Properties as a caller gives them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GivenThingTypeProperties {
    thing_type_description: Option<String>,
    searchable_attributes: Option<Vec<String>>,
    mqtt5_configuration: Option<Mqtt5Configuration>,
}

/// What is to travel with MQTT 5 messages. Nothing does here, so all that matters is whether something was asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mqtt5Configuration {
    #[serde(default)]
    propagating_attributes: Vec<IgnoredAny>,
}

impl GivenThingTypeProperties {
    /// `current` with these in its place.
    ///
    /// # Errors
    /// `InvalidRequestException` for what breaks a rule.
    pub(super) fn applied_to(this: Option<&Self>, current: &Properties) -> Result<Properties, Error> {
        let Self { thing_type_description, searchable_attributes, mqtt5_configuration } =
            this.cloned().unwrap_or_default();
        let given = GivenProperties {
            description: thing_type_description,
            searchable_attributes,
            propagating_attributes: mqtt5_configuration.map_or(0, |asked| asked.propagating_attributes.len()),
        };
        properties(current, given).map_err(|refusal: PropertiesRefusal| Error::invalid(refusal.to_string()))
    }
}

/// Properties as an answer has them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThingTypeProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    thing_type_description: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    searchable_attributes: BTreeSet<String>,
}

impl From<Properties> for ThingTypeProperties {
    fn from(properties: Properties) -> Self {
        Self { thing_type_description: properties.description, searchable_attributes: properties.searchable_attributes }
    }
}

/// When a type was made, and whether it takes things.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThingTypeMetadata {
    deprecated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecation_date: Option<EpochSeconds>,
    creation_date: EpochSeconds,
}

impl ThingTypeMetadata {
    pub(super) fn of(record: &ThingTypeRecord) -> Self {
        Self {
            deprecated: record.deprecated_at.is_some(),
            deprecation_date: record.deprecated_at.map(EpochSeconds),
            creation_date: EpochSeconds(record.created_at),
        }
    }
}

/// The thing type of this name.
///
/// # Errors
/// `ResourceNotFoundException` when the scope has none.
pub(super) async fn existing_type(call: &Call, name: &ThingName) -> Result<ThingTypeRecord, Error> {
    call.store().thing_type(call.scope, name).await?.ok_or_else(|| unknown_thing_type(name))
}

/// Makes sure that a thing may be associated with the type. The type's row is only read: why that is enough, its table
/// in the store tells.
///
/// # Errors
/// `ResourceNotFoundException` for a type that does not exist, `InvalidRequestException` for a deprecated one.
pub(super) async fn may_associate(call: &Call, name: &ThingName) -> Result<(), Error> {
    let record = existing_type(call, name).await?;
    in_use(&record.name, record.deprecated_at).map_err(|refusal| Error::invalid(refusal.to_string()))
}
