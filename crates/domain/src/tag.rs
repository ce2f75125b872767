//! Rules of tags.

use std::collections::BTreeMap;

use crate::arn::Resource;
use crate::limits;

/// Why tags are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagRefusal {
    /// More than fifty.
    #[error("a resource may have at most {} tags", limits::TAGS_PER_RESOURCE)]
    TooMany,
    /// The key belongs to AWS.
    #[error("the tag key {0:?} begins with aws:, which is reserved")]
    Reserved(String),
    /// The same key twice in one request.
    #[error("the tag key {0:?} is given more than once")]
    Repeated(String),
}

/// The tags of a resource after adding `given`; a key that exists takes the new value.
///
/// # Errors
/// [`TagRefusal`] names the rule that stands against it.
pub fn add(
    current: &BTreeMap<String, String>,
    given: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, TagRefusal> {
    let mut fresh = BTreeMap::new();
    for (key, value) in given {
        if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            return Err(TagRefusal::Reserved(key));
        }
        if let Some(_earlier) = fresh.insert(key.clone(), value) {
            return Err(TagRefusal::Repeated(key));
        }
    }
    let mut tags = current.clone();
    tags.extend(fresh);
    if tags.len() > limits::TAGS_PER_RESOURCE { Err(TagRefusal::TooMany) } else { Ok(tags) }
}

/// The tags of a resource without `keys`; a key that no tag has is passed over.
#[must_use]
pub fn remove<'a>(
    current: &BTreeMap<String, String>,
    keys: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<String, String> {
    let mut tags = current.clone();
    for key in keys {
        tags.remove(key);
    }
    tags
}

/// Whether a resource with the tags `current` has all that are `wanted`.
#[must_use]
pub fn has_all(current: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| current.get(key) == Some(value))
}

/// The kinds of resources that carry tags, besides those that have a variant of [`Resource`] (developer guide, "Tagging
/// your AWS IoT resources").
const TAGGED_KINDS: [&str; 11] = [
    "authorizer",
    "cacert",
    "dimension",
    "domainconfiguration",
    "job",
    "jobtemplate",
    "mitigationaction",
    "rule",
    "scheduledaudit",
    "securityprofile",
    "stream",
];

/// Whether resources of this kind carry tags: things and client certificates do not.
#[must_use]
pub fn is_taggable(resource: &Resource) -> bool {
    match resource {
        Resource::Certificate(_) | Resource::Thing(_) => false,
        Resource::Policy(_)
        | Resource::ThingGroup(_)
        | Resource::ThingType(_)
        | Resource::BillingGroup(_)
        | Resource::RoleAlias(_)
        | Resource::CertificateProvider(_)
        | Resource::ProvisioningTemplate(_) => true,
        Resource::Other(text) => text.split_once('/').is_some_and(|(kind, _)| TAGGED_KINDS.contains(&kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::Arn;

    fn pairs(keys: &[&str]) -> Vec<(String, String)> {
        keys.iter().map(|k| ((*k).to_owned(), "v".to_owned())).collect()
    }

    #[test]
    fn tags_are_added_within_the_rules() {
        let none = BTreeMap::new();
        assert_eq!(add(&none, pairs(&["a", "b"])).unwrap().len(), 2);
        assert_eq!(add(&none, pairs(&["a", "a"])), Err(TagRefusal::Repeated("a".into())));
        assert_eq!(add(&none, pairs(&["AWS:x"])), Err(TagRefusal::Reserved("AWS:x".into())));
        let many: Vec<String> = (0..51).map(|i| i.to_string()).collect();
        assert_eq!(add(&none, many.into_iter().map(|k| (k, String::new()))), Err(TagRefusal::TooMany));
    }

    #[test]
    fn tags_go_by_their_key() {
        let tags = add(&BTreeMap::new(), pairs(&["a", "b"])).unwrap();
        assert_eq!(remove(&tags, ["a", "x"]), add(&BTreeMap::new(), pairs(&["b"])).unwrap());
    }

    #[test]
    fn all_wanted_tags_are_there_with_their_values() {
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let current = tags(&[("a", "1"), ("b", "")]);
        for (wanted, expected) in [
            (tags(&[]), true),
            (tags(&[("a", "1")]), true),
            (current.clone(), true),
            (tags(&[("a", "2")]), false),
            (tags(&[("c", "")]), false),
        ] {
            assert_eq!(has_all(&current, &wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn things_and_client_certificates_carry_no_tags() {
        let taggable = |name: &str| {
            is_taggable(&Arn::parse(&format!("arn:aws:iot:us-east-1:123456789012:{name}")).unwrap().resource)
        };
        for name in [
            "policy/p",
            "thinggroup/g",
            "thingtype/t",
            "billinggroup/b",
            "rolealias/a",
            "certificateprovider:c",
            "provisioningtemplate/t",
            "cacert/c",
            "domainconfiguration/d/abcde",
        ] {
            assert!(taggable(name), "{name}");
        }
        for name in ["thing/t", &format!("cert/{}", "ab".repeat(32)), "topic/a", "client/c", "index/i"] {
            assert!(!taggable(name), "{name}");
        }
    }
}
