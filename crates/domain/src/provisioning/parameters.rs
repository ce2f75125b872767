//! Parameters: what a template declares, and the values there are for it.

use std::collections::BTreeMap;

use super::TemplateKind;
use super::members::{below, members, object, text};
use super::refusal::{InvalidTemplate, PlanRefusal, refuse, shown_name};
use crate::json::Json;
use crate::limits;
use crate::policy::NameAttribute;

/// The parameter that stands for the id of the certificate that is provisioned: always there, declared or not.
pub const CERTIFICATE_ID: &str = "AWS::IoT::Certificate::Id";

/// The namespace of parameters that are not the template's own.
const RESERVED: &str = "AWS::";
/// Where the attributes of a certificate's subject are found in it.
const OF_THE_SUBJECT: &str = "AWS::IoT::Certificate::";

/// The attribute of a certificate's subject that a parameter stands for (developer guide, "Just-in-time provisioning").
pub(super) fn subject_attribute(parameter: &str) -> Option<NameAttribute> {
    Some(match parameter.strip_prefix(OF_THE_SUBJECT)? {
        "Country" => NameAttribute::Country,
        "Organization" => NameAttribute::Organization,
        "OrganizationalUnit" => NameAttribute::OrganizationalUnit,
        "DistinguishedNameQualifier" => NameAttribute::DistinguishedNameQualifier,
        "StateName" => NameAttribute::State,
        "CommonName" => NameAttribute::CommonName,
        // That of the name's holder, 2.5.4.5, not the certificate's.
        "SerialNumber" => NameAttribute::SerialNumber,
        _ => return None,
    })
}

/// The parameters that a template declares, with their defaults.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, Option<String>>);

impl Parameters {
    /// Reads the section.
    pub(super) fn parse(json: &Json, place: &str, kind: TemplateKind) -> Result<Self, InvalidTemplate> {
        let mut declared = BTreeMap::new();
        for (name, json) in object(json, place)? {
            let place = below(place, name);
            let [of_type, default] = members(json, &place, ["Type", "Default"])?;
            if !matches!(of_type, Some(Json::Text(word)) if word == "String") {
                return Err(refuse(&place, "Type must be \"String\""));
            }
            let default = default.map(|json| text(json, &below(&place, "Default"))).transpose()?;
            may_be_declared(name, default.is_some(), kind).map_err(|problem| refuse(&place, problem))?;
            declared.insert(name.clone(), default.map(str::to_owned));
        }
        Ok(Self(declared))
    }

    /// Whether a reference to `name` means something.
    pub(super) fn knows(&self, name: &str) -> bool {
        name == CERTIFICATE_ID || self.0.contains_key(name)
    }

    /// Names with their defaults.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, default)| (name.as_str(), default.as_deref()))
    }
}

fn may_be_declared(name: &str, has_default: bool, kind: TemplateKind) -> Result<(), String> {
    if !(1..=limits::TEMPLATE_PARAMETER_KEY_CHARACTERS).contains(&name.chars().count()) {
        return Err(format!("the name must have 1 to {} characters", limits::TEMPLATE_PARAMETER_KEY_CHARACTERS));
    }
    if name == CERTIFICATE_ID {
        return Ok(());
    }
    if subject_attribute(name).is_some() {
        return match kind {
            TemplateKind::JustInTime | TemplateKind::Registration => Ok(()),
            // Devices give the parameters themselves: nobody compares them with a certificate.
            TemplateKind::Fleet => {
                Err("is filled in just-in-time provisioning only: declare a parameter of another name".to_owned())
            }
        };
    }
    if name.starts_with(RESERVED) {
        return Err(format!("no such parameter exists: names that begin with {RESERVED} are reserved"));
    }
    if kind == TemplateKind::JustInTime && !has_default {
        return Err("nobody gives it a value in just-in-time provisioning: give it a Default".to_owned());
    }
    Ok(())
}

/// The values of a template's parameters.
#[derive(Clone, Debug)]
pub(super) struct Values<'a> {
    declared: &'a Parameters,
    given: &'a BTreeMap<String, String>,
    certificate_id: CertificateIdValue,
}

/// What [`CERTIFICATE_ID`] stands for.
#[derive(Clone, Debug)]
enum CertificateIdValue {
    Known(String),
    /// There is no certificate yet: a registration names one itself.
    ByCaller,
    /// Nothing else may stand in its place.
    Missing,
}

/// A value, and who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// The template's author, or the house itself.
    Trusted(&'a str),
    /// Whoever gave the parameters.
    Given(&'a str),
}

impl<'a> Values<'a> {
    /// # Errors
    /// [`PlanRefusal::Parameter`] for a given parameter that is too long, declared or not.
    pub(super) fn new(
        kind: TemplateKind,
        declared: &'a Parameters,
        given: &'a BTreeMap<String, String>,
        certificate_id: Option<String>,
    ) -> Result<Self, PlanRefusal> {
        for (name, value) in given {
            for (what, text, limit) in [
                ("name", name, limits::TEMPLATE_PARAMETER_KEY_CHARACTERS),
                ("value", value, limits::TEMPLATE_PARAMETER_VALUE_CHARACTERS),
            ] {
                // Nobody counts through a text that is long in any case.
                if text.len() > limit * 4 || text.chars().count() > limit {
                    let problem = format!("its {what} has more than {limit} characters");
                    return Err(PlanRefusal::Parameter { name: shown_name(name), problem });
                }
            }
        }
        let certificate_id = match (certificate_id, kind) {
            (Some(id), _) => CertificateIdValue::Known(id),
            (None, TemplateKind::Registration) => CertificateIdValue::ByCaller,
            (None, TemplateKind::Fleet | TemplateKind::JustInTime) => CertificateIdValue::Missing,
        };
        Ok(Self { declared, given, certificate_id })
    }

    /// The value of the parameter `name`, which the template refers to: as given, or else its default.
    pub(super) fn find(&self, name: &str) -> Option<Value<'_>> {
        if name == CERTIFICATE_ID {
            match &self.certificate_id {
                CertificateIdValue::Known(id) => return Some(Value::Trusted(id)),
                CertificateIdValue::Missing => return None,
                CertificateIdValue::ByCaller => {}
            }
        }
        let default = self.declared.0.get(name).and_then(Option::as_deref);
        self.given.get(name).map(|value| Value::Given(value)).or_else(|| default.map(Value::Trusted))
    }
}
