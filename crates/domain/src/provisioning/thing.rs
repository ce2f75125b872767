//! `AWS::IoT::Thing`: a thing, what it is configured with, and where it belongs.

use super::evaluate::Evaluation;
use super::expression::Known;
use super::members::{below, members, object};
use super::overrides::Settings;
use super::plan::{ThingOverrides, ThingPlan};
use super::property::{Property, attribute_value, is_attribute_name, name};
use super::refusal::{InvalidTemplate, PlanRefusal, refuse};
use super::template::Resource;
use crate::json::Json;
use crate::limits;
use crate::name::ThingName;

/// The thing of a template.
#[derive(Clone, Debug)]
pub(super) struct ThingResource {
    logical_name: String,
    name: Property<ThingName>,
    attributes: Vec<(String, Property<String>)>,
    thing_type_name: Option<Property<ThingName>>,
    groups: Vec<Property<ThingName>>,
    billing_group: Option<Property<ThingName>>,
    overrides: ThingOverrides,
}

impl ThingResource {
    pub(super) fn parse(resource: &Resource<'_>, known: Known<'_>) -> Result<Self, InvalidTemplate> {
        let place = &resource.properties_place();
        let [thing_name, attributes, thing_type, groups, billing_group, packages] = members(
            resource.properties,
            place,
            ["ThingName", "AttributePayload", "ThingTypeName", "ThingGroups", "BillingGroup", "PackageVersions"],
        )?;
        let named = |json, member| Property::parse(json, below(place, member), known, name);
        let Some(thing_name) = thing_name else { return Err(refuse(place, "ThingName is missing")) };
        if packages.is_some() {
            return Err(refuse(
                &below(place, "PackageVersions"),
                "there is no catalogue of software packages here: leave PackageVersions out",
            ));
        }
        let settings = Settings::parse(
            resource.overrides,
            resource.overrides_place(),
            [
                ["AttributePayload", "ATTRIBUTE_PAYLOAD"],
                ["ThingTypeName", "THING_TYPE_NAME"],
                ["ThingGroups", "THING_GROUPS"],
            ],
        )?;
        Ok(Self {
            logical_name: resource.logical_name.to_owned(),
            name: named(thing_name, "ThingName")?,
            attributes: read_attributes(attributes, &below(place, "AttributePayload"), thing_type.is_some(), known)?,
            thing_type_name: thing_type.map(|json| named(json, "ThingTypeName")).transpose()?,
            groups: read_groups(groups, &below(place, "ThingGroups"), known)?,
            billing_group: billing_group.map(|json| named(json, "BillingGroup")).transpose()?,
            overrides: ThingOverrides {
                attributes: settings.merging(0)?,
                thing_type_name: settings.plain(1)?,
                groups: settings.merging(2)?,
            },
        })
    }

    pub(super) fn plan(&self, evaluation: &mut Evaluation<'_>) -> Result<ThingPlan, PlanRefusal> {
        let mut groups: Vec<ThingName> = Vec::new();
        for group in &self.groups {
            let group = group.value(evaluation)?;
            // Two parameters may name the same.
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let attribute = |(name, value): &(String, Property<String>), evaluation: &mut Evaluation<'_>| {
            value.value(evaluation).map(|value| (name.clone(), value))
        };
        let optional = |property: &Option<Property<ThingName>>, evaluation: &mut Evaluation<'_>| {
            property.as_ref().map(|property| property.value(evaluation)).transpose()
        };
        Ok(ThingPlan {
            logical_name: self.logical_name.clone(),
            name: self.name.value(evaluation)?,
            attributes: self.attributes.iter().map(|given| attribute(given, evaluation)).collect::<Result<_, _>>()?,
            thing_type_name: optional(&self.thing_type_name, evaluation)?,
            groups,
            billing_group: optional(&self.billing_group, evaluation)?,
            overrides: self.overrides,
        })
    }
}

fn read_attributes(
    json: Option<&Json>,
    place: &str,
    is_typed: bool,
    known: Known<'_>,
) -> Result<Vec<(String, Property<String>)>, InvalidTemplate> {
    let Some(json) = json else { return Ok(Vec::new()) };
    let given = object(json, place)?;
    let limit = if is_typed { limits::THING_ATTRIBUTES_TYPED } else { limits::THING_ATTRIBUTES };
    if given.len() > limit {
        let kind = if is_typed { "a thing" } else { "a thing without ThingTypeName" };
        return Err(refuse(place, format!("{kind} may have at most {limit} attributes")));
    }
    let attribute = |(name, value): &(String, Json)| {
        let place = below(place, name);
        if !is_attribute_name(name) {
            let needed = "is not the name of an attribute: 1 to 128 letters, digits and _.,@/:#- are needed";
            return Err(refuse(&place, needed));
        }
        Ok((name.clone(), Property::parse(value, place, known, attribute_value)?))
    };
    given.iter().map(attribute).collect()
}

fn read_groups(
    json: Option<&Json>,
    place: &str,
    known: Known<'_>,
) -> Result<Vec<Property<ThingName>>, InvalidTemplate> {
    let groups = match json {
        None => return Ok(Vec::new()),
        Some(Json::List(groups)) => groups,
        Some(_) => return Err(refuse(place, "must be a list")),
    };
    if groups.len() > limits::THING_GROUPS_PER_THING {
        return Err(refuse(place, format!("a thing may be in at most {} groups", limits::THING_GROUPS_PER_THING)));
    }
    let groups = groups.iter().enumerate();
    groups.map(|(index, group)| Property::parse(group, format!("{place}[{index}]"), known, name)).collect()
}
