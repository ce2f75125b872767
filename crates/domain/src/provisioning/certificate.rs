//! `AWS::IoT::Certificate`: which certificate is provisioned, and its status.

use super::TemplateKind;
use super::evaluate::Evaluation;
use super::expression::Known;
use super::members::{below, members};
use super::overrides::{Override, Settings};
use super::parameters::CERTIFICATE_ID;
use super::plan::{CertificatePlan, CertificateSource};
use super::property::Property;
use super::refusal::{InvalidTemplate, PlanRefusal, refuse, shown_value};
use super::template::Resource;
use crate::certificate::{CertificateId, CertificateStatus};
use crate::limits;
use crate::thing::ThingPrincipalType;

/// The certificate of a template.
#[derive(Clone, Debug)]
pub(super) struct CertificateResource {
    logical_name: String,
    source: Source,
    status: Option<Property<CertificateStatus>>,
    thing_principal_type: Option<Property<ThingPrincipalType>>,
    status_override: Override,
}

#[derive(Clone, Debug)]
enum Source {
    Id(Property<CertificateId>),
    Csr(Property<String>),
    Pem { pem: Property<String>, ca_pem: Option<Property<String>> },
}

impl CertificateResource {
    pub(super) fn parse(
        resource: &Resource<'_>,
        kind: TemplateKind,
        known: Known<'_>,
    ) -> Result<Self, InvalidTemplate> {
        let place = &resource.properties_place();
        let [id, csr, pem, ca_pem, status, principal_type] = members(
            resource.properties,
            place,
            [
                "CertificateId",
                "CertificateSigningRequest",
                "CertificatePem",
                "CACertificatePem",
                "Status",
                "ThingPrincipalType",
            ],
        )?;
        let source = match (id, csr, pem, ca_pem) {
            (Some(id), None, None, None) => {
                let id = Property::parse(id, below(place, "CertificateId"), known, certificate_id)?;
                if kind != TemplateKind::Registration && !id.is_reference_to(CERTIFICATE_ID) {
                    return Err(not_the_certificate(&below(place, "CertificateId")));
                }
                Source::Id(id)
            }
            (None, Some(_), None, None) if kind != TemplateKind::Registration => {
                return Err(not_the_certificate(&below(place, "CertificateSigningRequest")));
            }
            (None, None, Some(_), _) if kind != TemplateKind::Registration => {
                return Err(not_the_certificate(&below(place, "CertificatePem")));
            }
            (None, Some(csr), None, None) => {
                Source::Csr(Property::parse(csr, below(place, "CertificateSigningRequest"), known, signing_request)?)
            }
            (None, None, Some(pem), ca_pem) => {
                let read = |json, name| Property::parse(json, below(place, name), known, certificate_pem);
                let ca_pem = ca_pem.map(|json| read(json, "CACertificatePem")).transpose()?;
                Source::Pem { pem: read(pem, "CertificatePem")?, ca_pem }
            }
            _ => {
                return Err(refuse(
                    place,
                    "exactly one of CertificateId, CertificateSigningRequest and CertificatePem is needed, the last of \
                     them with CACertificatePem or without",
                ));
            }
        };
        let settings = Settings::parse(resource.overrides, resource.overrides_place(), [["Status", "STATUS"]])?;
        let principal_type = principal_type
            .map(|json| Property::parse(json, below(place, "ThingPrincipalType"), known, thing_principal_type));
        Ok(Self {
            logical_name: resource.logical_name.to_owned(),
            source,
            status: status
                .map(|json| Property::parse(json, below(place, "Status"), known, certificate_status))
                .transpose()?,
            thing_principal_type: principal_type.transpose()?,
            status_override: settings.plain(0)?,
        })
    }

    pub(super) fn plan(&self, evaluation: &mut Evaluation<'_>) -> Result<CertificatePlan, PlanRefusal> {
        let source = match &self.source {
            Source::Id(id) => CertificateSource::Id(id.value(evaluation)?),
            Source::Csr(csr) => CertificateSource::Csr(csr.value(evaluation)?),
            Source::Pem { pem, ca_pem } => CertificateSource::Pem {
                pem: pem.value(evaluation)?,
                ca_pem: ca_pem.as_ref().map(|pem| pem.value(evaluation)).transpose()?,
            },
        };
        let status = self.status.as_ref().map(|status| status.value(evaluation)).transpose()?;
        let principal_type = self.thing_principal_type.as_ref().map(|of_type| of_type.value(evaluation)).transpose()?;
        Ok(CertificatePlan {
            logical_name: self.logical_name.clone(),
            source,
            status: status.unwrap_or(CertificateStatus::Active),
            thing_principal_type: principal_type.unwrap_or_default(),
            status_override: self.status_override,
        })
    }
}

fn not_the_certificate(place: &str) -> InvalidTemplate {
    refuse(
        place,
        format!(
            "the certificate is the one that the device has: CertificateId must be {{\"Ref\": \"{CERTIFICATE_ID}\"}}, and \
             nothing else names it"
        ),
    )
}

fn certificate_id(text: &str) -> Result<CertificateId, String> {
    text.parse().map_err(|_| format!("{} is not a certificate id: 64 hexadecimal digits are needed", shown_value(text)))
}

fn signing_request(text: &str) -> Result<String, String> {
    of_length(text, limits::CSR_CHARACTERS)
}

fn certificate_pem(text: &str) -> Result<String, String> {
    of_length(text, limits::CERTIFICATE_PEM_CHARACTERS)
}

fn of_length(text: &str, limit: usize) -> Result<String, String> {
    if (1..=limit).contains(&text.chars().count()) {
        Ok(text.to_owned())
    } else {
        Err(format!("1 to {limit} characters are needed"))
    }
}

/// Examples write it in both ways.
fn certificate_status(text: &str) -> Result<CertificateStatus, String> {
    match text {
        "ACTIVE" | "Active" => Ok(CertificateStatus::Active),
        "INACTIVE" | "Inactive" => Ok(CertificateStatus::Inactive),
        _ => Err(format!("{} is not a status here: ACTIVE or INACTIVE is needed", shown_value(text))),
    }
}

fn thing_principal_type(text: &str) -> Result<ThingPrincipalType, String> {
    match text {
        "EXCLUSIVE_THING" => Ok(ThingPrincipalType::ExclusiveThing),
        "NON_EXCLUSIVE_THING" => Ok(ThingPrincipalType::NonExclusiveThing),
        _ => Err(format!("{} is refused: EXCLUSIVE_THING or NON_EXCLUSIVE_THING is needed", shown_value(text))),
    }
}
