//! The parameters of just-in-time provisioning: what a template asks of a certificate's subject.

use std::collections::BTreeMap;

use super::parameters::subject_attribute;
use super::refusal::{PlanRefusal, shown_name};
use super::template::Template;
use crate::policy::DistinguishedName;

/// The parameters that `template` declares and the subject of the certificate has; of an attribute that stands there more
/// than once, the first. ([`super::CERTIFICATE_ID`] is [`Template::plan`]'s to fill.)
///
/// # Errors
/// [`PlanRefusal::NotInSubject`] for one that is declared without a default and that the subject does not have.
pub fn just_in_time_parameters(
    template: &Template,
    subject: &DistinguishedName,
) -> Result<BTreeMap<String, String>, PlanRefusal> {
    let mut parameters = BTreeMap::new();
    for (name, default) in template.parameters().iter() {
        let Some(attribute) = subject_attribute(name) else { continue };
        match (subject.values(attribute).next(), default) {
            (Some(value), _) => {
                parameters.insert(name.to_owned(), value.to_owned());
            }
            (None, Some(_)) => {}
            (None, None) => return Err(PlanRefusal::NotInSubject(shown_name(name))),
        }
    }
    Ok(parameters)
}
