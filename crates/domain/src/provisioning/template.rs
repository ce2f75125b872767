//! A template as a whole: its sections, and how they become a plan.

use std::collections::BTreeMap;

use super::certificate::CertificateResource;
use super::evaluate::Evaluation;
use super::expression::Known;
use super::mappings::Mappings;
use super::members::{below, members, object, text};
use super::parameters::{Parameters, Values};
use super::plan::Plan;
use super::policy::PolicyResource;
use super::property::{Property, any};
use super::refusal::{InvalidTemplate, PlanRefusal, refuse};
use super::thing::ThingResource;
use crate::certificate::CertificateId;
use crate::json::Json;
use crate::limits;

/// The deepest nesting of a template: room for a policy's document with functions in functions.
const DEPTH: usize = 32;
/// What is refused when the body as a whole is.
const BODY: &str = "templateBody";

/// Who provisions by a template, and where its parameters come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateKind {
    /// Fleet provisioning: parameters come from the device and the pre-provisioning hook, the certificate is the one that
    /// the device was given.
    Fleet,
    /// Just-in-time provisioning: parameters come from the certificate that the device connects with.
    JustInTime,
    /// RegisterThing and bulk registration: all comes from the caller.
    Registration,
}

/// A template, read and found well formed.
#[derive(Clone, Debug)]
pub struct Template {
    kind: TemplateKind,
    parameters: Parameters,
    mappings: Mappings,
    thing: Option<ThingResource>,
    certificate: CertificateResource,
    policies: Vec<PolicyResource>,
    device_configuration: Vec<(String, Property<String>)>,
}

/// A resource as it is written.
pub(super) struct Resource<'j> {
    pub(super) logical_name: &'j str,
    pub(super) properties: &'j Json,
    pub(super) overrides: Option<&'j Json>,
    place: String,
}

impl Resource<'_> {
    pub(super) fn properties_place(&self) -> String {
        format!("{}.Properties", self.place)
    }

    pub(super) fn overrides_place(&self) -> String {
        format!("{}.OverrideSettings", self.place)
    }
}

impl Template {
    /// Reads a template of at most [`limits::TEMPLATE_BODY_BYTES`].
    ///
    /// # Errors
    /// [`InvalidTemplate`] says where the first fault is and what is needed there. What can be known without parameters is
    /// looked at here: references, constants, names, policies that are written out.
    pub fn parse(body: &str, kind: TemplateKind) -> Result<Self, InvalidTemplate> {
        if body.len() > limits::TEMPLATE_BODY_BYTES {
            let (bytes, limit) = (body.len(), limits::TEMPLATE_BODY_BYTES);
            return Err(refuse(BODY, format!("has {bytes} bytes, of which {limit} are allowed")));
        }
        let json = Json::parse(body, DEPTH)
            .map_err(|error| refuse(BODY, format!("not the JSON of a provisioning template: {error}")))?;
        let sections = ["Parameters", "Mappings", "Resources", "DeviceConfiguration"];
        object(&json, BODY)?;
        let [parameters, mappings, resources, device_configuration] = members(&json, BODY, sections)?;
        let parameters = parameters.map(|json| Parameters::parse(json, "Parameters", kind)).transpose()?;
        let parameters = parameters.unwrap_or_default();
        let mappings = mappings.map(|json| Mappings::parse(json, "Mappings")).transpose()?.unwrap_or_default();
        let known = Known { parameters: &parameters, mappings: &mappings, joins: true };

        let Some(resources) = resources else { return Err(refuse(BODY, "Resources is missing")) };
        let (thing, certificate, policies) = read_resources(resources, kind, known)?;
        let device_configuration = match device_configuration {
            None => Vec::new(),
            Some(json) => read_device_configuration(json, kind, known)?,
        };
        Ok(Self { kind, thing, certificate, policies, device_configuration, parameters, mappings })
    }

    /// What the template comes to with these parameters. The same of both gives the same plan. Parameters that the
    /// template does not declare are passed over. `certificate_id` names the certificate that is provisioned, where there is
    /// one already; no parameter takes its place.
    ///
    /// # Errors
    /// [`PlanRefusal`] says what has no value, or which part of the template has one that is refused.
    pub fn plan(
        &self,
        parameters: &BTreeMap<String, String>,
        certificate_id: Option<CertificateId>,
    ) -> Result<Plan, PlanRefusal> {
        let certificate_id = certificate_id.map(|id| id.to_string());
        let values = Values::new(self.kind, &self.parameters, parameters, certificate_id)?;
        let evaluation = &mut Evaluation::new(values, &self.mappings);
        let told = |(name, value): &(String, Property<String>), evaluation: &mut Evaluation<'_>| {
            value.value(evaluation).map(|value| (name.clone(), value))
        };
        Ok(Plan {
            certificate: self.certificate.plan(evaluation)?,
            thing: self.thing.as_ref().map(|thing| thing.plan(evaluation)).transpose()?,
            policies: self.policies.iter().map(|policy| policy.plan(evaluation)).collect::<Result<_, _>>()?,
            device_configuration: self
                .device_configuration
                .iter()
                .map(|given| told(given, evaluation))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Who provisions by it.
    #[must_use]
    pub const fn kind(&self) -> TemplateKind {
        self.kind
    }

    pub(super) const fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

type Resources = (Option<ThingResource>, CertificateResource, Vec<PolicyResource>);

fn read_resources(json: &Json, kind: TemplateKind, known: Known<'_>) -> Result<Resources, InvalidTemplate> {
    let (mut thing, mut certificate, mut policies) = (None, None, Vec::new());
    for (logical_name, json) in object(json, "Resources")? {
        let place = below("Resources", logical_name);
        if logical_name.is_empty() {
            return Err(refuse(&place, "a resource needs a name"));
        }
        let [of_type, properties, overrides] = members(json, &place, ["Type", "Properties", "OverrideSettings"])?;
        let Some(of_type) = of_type else { return Err(refuse(&place, "Type is missing")) };
        let of_type = text(of_type, &below(&place, "Type"))?;
        let Some(properties) = properties else { return Err(refuse(&place, "Properties is missing")) };
        let resource = Resource { logical_name, properties, overrides, place };
        let is_second = match of_type {
            "AWS::IoT::Thing" => thing.replace(ThingResource::parse(&resource, known)?).is_some(),
            "AWS::IoT::Certificate" => {
                certificate.replace(CertificateResource::parse(&resource, kind, known)?).is_some()
            }
            "AWS::IoT::Policy" => {
                policies.push(PolicyResource::parse(&resource, known)?);
                false
            }
            _ => {
                let known = "AWS::IoT::Thing, AWS::IoT::Certificate and AWS::IoT::Policy are";
                return Err(refuse(&below(&resource.place, "Type"), format!("no such type is known here: {known}")));
            }
        };
        if is_second {
            return Err(refuse(&resource.place, format!("a template has at most one {of_type}")));
        }
    }
    let limit = limits::POLICIES_PER_CERTIFICATE;
    if u32::try_from(policies.len()).is_ok_and(|count| count > limit) {
        return Err(refuse("Resources", format!("a certificate may have at most {limit} policies")));
    }
    let certificate = certificate.ok_or_else(|| refuse("Resources", "an AWS::IoT::Certificate is needed"))?;
    Ok((thing, certificate, policies))
}

fn read_device_configuration(
    json: &Json,
    kind: TemplateKind,
    known: Known<'_>,
) -> Result<Vec<(String, Property<String>)>, InvalidTemplate> {
    let place = "DeviceConfiguration";
    if kind != TemplateKind::Fleet {
        return Err(refuse(place, "exists in fleet provisioning only: nobody would be told"));
    }
    let entry = |(name, json): &(String, Json)| {
        Property::parse(json, below(place, name), known, any).map(|value| (name.clone(), value))
    };
    object(json, place)?.iter().map(entry).collect()
}
