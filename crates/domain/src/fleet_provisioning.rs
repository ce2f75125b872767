//! Fleet provisioning over MQTT: which topics take requests, where answers go, and how refusals are named (developer
//! guide, "Device provisioning MQTT API").

use std::fmt;

use crate::topic::TopicName;

/// How a request and its answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadFormat {
    /// RFC 8259.
    Json,
    /// RFC 8949.
    Cbor,
}

impl PayloadFormat {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "json" => Some(Self::Json),
            "cbor" => Some(Self::Cbor),
            _ => None,
        }
    }
}

/// What a device asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FleetOperation<'a> {
    /// A key pair made here, and a certificate for it.
    CreateKeysAndCertificate,
    /// A certificate for a key of the device's own.
    CreateCertificateFromCsr,
    /// To become a thing by this template, whose name the topic gives; unread.
    RegisterThing {
        /// As it stands in the topic.
        template_name: &'a str,
    },
}

impl FleetOperation<'_> {
    /// The operation's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateKeysAndCertificate => "CreateKeysAndCertificate",
            Self::CreateCertificateFromCsr => "CreateCertificateFromCsr",
            Self::RegisterThing { .. } => "RegisterThing",
        }
    }
}

/// Reads the topic of a request; `None` for every other topic.
#[must_use]
pub fn request(topic: &TopicName) -> Option<(FleetOperation<'_>, PayloadFormat)> {
    let rest = topic.as_str().strip_prefix("$aws/")?;
    let mut levels = rest.split('/');
    let operation = match (levels.next()?, levels.next()?) {
        ("certificates", "create") => FleetOperation::CreateKeysAndCertificate,
        ("certificates", "create-from-csr") => FleetOperation::CreateCertificateFromCsr,
        ("provisioning-templates", template_name) if levels.next()? == "provision" => {
            FleetOperation::RegisterThing { template_name }
        }
        _ => return None,
    };
    let format = PayloadFormat::parse(levels.next()?)?;
    levels.next().is_none().then_some((operation, format))
}

/// Said to those who ask where no answer can come: over HTTPS, or by a will.
pub const NEEDS_A_CONNECTION: &str =
    "requests of fleet provisioning are answered over the MQTT connection that they come from: publish this over one";

/// The topic that the answer to a request on `topic` goes to.
#[must_use]
pub fn answer_topic(topic: &TopicName, is_accepted: bool) -> Option<TopicName> {
    let last = if is_accepted { "accepted" } else { "rejected" };
    TopicName::of_service(&format!("{topic}/{last}")).ok()
}

/// The names of refusals, `errorCode` in the answer. AWS has published three of them; the others follow their form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FleetError {
    /// The payload cannot be read, or has members that the operation does not know.
    InvalidPayload,
    /// The certificate signing request is not acceptable.
    InvalidCsr,
    /// The token is not one of this scope's, not for whom it was given to, used, or too old.
    InvalidCertificateOwnershipToken,
    /// The parameters do not fit the template.
    InvalidParameters,
    /// There is no such template.
    ResourceNotFound,
    /// The template is not switched on, or not one for fleets.
    TemplateDisabled,
    /// What exists stands against the template.
    ResourceConflict,
    /// What the template names does not exist, or may not be used so.
    ResourceRegistrationFailure,
    /// The pre-provisioning hook did not allow it, or the template's role does not.
    AccessDenied,
    /// Too many requests.
    Throttling,
    /// It cannot be done now.
    ServiceUnavailable,
    /// A failure of the server's.
    InternalError,
}

impl FleetError {
    /// `statusCode` in the answer: the HTTP status that the same refusal has over HTTP.
    #[must_use]
    pub const fn status_code(self) -> u16 {
        match self {
            Self::InvalidPayload
            | Self::InvalidCsr
            | Self::InvalidCertificateOwnershipToken
            | Self::InvalidParameters
            | Self::ResourceRegistrationFailure => 400,
            Self::AccessDenied | Self::TemplateDisabled => 403,
            Self::ResourceNotFound => 404,
            Self::ResourceConflict => 409,
            Self::Throttling => 429,
            Self::ServiceUnavailable => 503,
            Self::InternalError => 500,
        }
    }
}

impl FleetError {
    /// `errorCode` in the answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidPayload => "InvalidPayload",
            Self::InvalidCsr => "InvalidCsr",
            Self::InvalidCertificateOwnershipToken => "InvalidCertificateOwnershipToken",
            Self::InvalidParameters => "InvalidParameters",
            Self::ResourceNotFound => "ResourceNotFound",
            Self::TemplateDisabled => "TemplateDisabled",
            Self::ResourceConflict => "ResourceConflict",
            Self::ResourceRegistrationFailure => "ResourceRegistrationFailure",
            Self::AccessDenied => "AccessDenied",
            Self::Throttling => "Throttling",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::InternalError => "InternalError",
        }
    }
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> TopicName {
        TopicName::parse(text).unwrap()
    }

    #[test]
    fn requests_are_told_by_their_topics() {
        use FleetOperation::{CreateCertificateFromCsr, CreateKeysAndCertificate, RegisterThing};
        use PayloadFormat::{Cbor, Json};
        for (text, expected) in [
            ("$aws/certificates/create/json", Some((CreateKeysAndCertificate, Json))),
            ("$aws/certificates/create/cbor", Some((CreateKeysAndCertificate, Cbor))),
            ("$aws/certificates/create-from-csr/cbor", Some((CreateCertificateFromCsr, Cbor))),
            ("$aws/provisioning-templates/t/provision/json", Some((RegisterThing { template_name: "t" }, Json))),
            ("$aws/provisioning-templates//provision/json", Some((RegisterThing { template_name: "" }, Json))),
            ("$aws/certificates/create/xml", None),
            ("$aws/certificates/create", None),
            ("$aws/certificates/create/json/accepted", None),
            ("$aws/certificates/Create/json", None),
            ("$aws/provisioning-templates/a/b/provision/json", None),
            ("$aws/provisioning-templates/t/provision/json/rejected", None),
            ("$aws/provisioning-templates/t/other/json", None),
            ("aws/certificates/create/json", None),
        ] {
            assert_eq!(request(&topic(text)), expected, "{text}");
        }
    }

    #[test]
    fn answers_go_below_the_request() {
        let request = topic("$aws/certificates/create/json");
        assert_eq!(answer_topic(&request, true).unwrap().as_str(), "$aws/certificates/create/json/accepted");
        assert_eq!(answer_topic(&request, false).unwrap().as_str(), "$aws/certificates/create/json/rejected");
    }

    #[test]
    fn a_refusal_has_its_name_and_its_status() {
        assert_eq!(FleetError::InvalidCertificateOwnershipToken.to_string(), "InvalidCertificateOwnershipToken");
        assert_eq!(FleetError::AccessDenied.status_code(), 403);
    }
}
