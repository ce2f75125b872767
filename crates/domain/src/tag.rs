//! Rules of tags.

use std::collections::BTreeMap;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
