//! Pages and markers. A marker is opaque to the caller: the cursor of the last item, sealed with a MAC over the
//! operation and the scope it was given in, so that it survives restarts and is worth nothing anywhere else.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::Page;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// Bytes of the MAC that a marker carries.
const TAG_BYTES: usize = 16;

/// Seals and opens markers.
pub struct MarkerKey(hmac::Key);

impl MarkerKey {
    /// From a secret that all nodes of a deployment share.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn tag(&self, operation: &str, scope: Scope, cursor: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [operation.as_bytes(), scope.account.as_str().as_bytes(), scope.region.as_str().as_bytes()] {
            // Each part ends in a byte that it cannot contain.
            context.update(part);
            context.update(&[0]);
        }
        context.update(cursor);
        context.sign()
    }

    /// A MAC for `purpose`, which is no operation's name, as text for URLs.
    pub(crate) fn mac(&self, purpose: &str, scope: Scope, text: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.tag(purpose, scope, text))
    }

    /// Whether `mac` is what [`Self::mac`] answers.
    pub(crate) fn is_mac(&self, purpose: &str, scope: Scope, text: &[u8], mac: &str) -> bool {
        let expected = self.mac(purpose, scope, text);
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), mac.as_bytes()).is_ok()
    }

    fn seal(&self, operation: &str, scope: Scope, cursor: &impl Serialize) -> Result<String, Error> {
        let mut bytes = serde_json::to_vec(cursor).map_err(|error| Error::Internal(error.to_string()))?;
        let tag = self.tag(operation, scope, &bytes);
        bytes.extend_from_slice(tag.as_ref().get(..TAG_BYTES).unwrap_or_default());
        Ok(STANDARD.encode(bytes))
    }

    fn open<C: DeserializeOwned>(&self, operation: &str, scope: Scope, marker: &str) -> Option<C> {
        let bytes = STANDARD.decode(marker).ok()?;
        let (cursor, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        let expected = self.tag(operation, scope, cursor);
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref().get(..TAG_BYTES)?, tag).ok()?;
        serde_json::from_slice(cursor).ok()
    }
}

/// What a caller asked of a listing.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest<'a> {
    /// The marker or token of the page before.
    pub marker: Option<&'a str>,
    /// Items wanted.
    pub size: Option<u32>,
    /// Oldest first.
    pub is_ascending: bool,
}

impl<'a> PageRequest<'a> {
    /// From the members that listings by marker have.
    #[must_use]
    pub fn new(marker: &'a Option<String>, size: Option<u32>, is_ascending: bool) -> Self {
        Self { marker: marker.as_deref(), size, is_ascending }
    }
}

/// The position of an item in a listing by time.
pub type TimeCursor<T> = (Timestamp, T);
/// The position of a certificate in a listing by time.
pub type CertificateCursor = TimeCursor<CertificateId>;

/// A listing of one operation in one scope.
pub struct Pager<'a> {
    pub(crate) key: &'a MarkerKey,
    pub(crate) operation: &'static str,
    pub(crate) scope: Scope,
}

impl Pager<'_> {
    /// Reads the page that `request` asks for: `read` is called with one item more than fits, `cursor` names an item's
    /// place. Answers the items and the marker of the next page, if there is one.
    ///
    /// # Errors
    /// `InvalidRequestException` for a marker that was not given by this operation in this scope.
    pub async fn page<C, T, F>(
        &self,
        request: PageRequest<'_>,
        read: impl FnOnce(Page<C>) -> F,
        cursor: impl Fn(&T) -> C,
    ) -> Result<(Vec<T>, Option<String>), Error>
    where
        C: Serialize + DeserializeOwned,
        F: Future<Output = Result<Vec<T>, gatehouse_store::Error>>,
    {
        let size = request.size.unwrap_or(limits::PAGE_SIZE_DEFAULT).clamp(1, limits::PAGE_SIZE_MAX);
        let after = match request.marker {
            None => None,
            Some(marker) => Some(self.key.open(self.operation, self.scope, marker).ok_or_else(|| {
                Error::invalid(
                    "the marker was not given by this operation in this account and Region: start without one",
                )
            })?),
        };
        let page = Page { after, ascending: request.is_ascending, limit: size.saturating_add(1) };
        let mut items = read(page).await?;
        let keep = usize::try_from(size).unwrap_or(usize::MAX);
        let more = items.len() > keep;
        items.truncate(keep);
        let marker = match items.last() {
            Some(last) if more => Some(self.key.seal(self.operation, self.scope, &cursor(last))?),
            _ => None,
        };
        Ok((items, marker))
    }
}

/// The page of a short list that is read whole, in ascending order of `cursor`.
#[must_use]
pub fn page_of<T, C: Ord>(items: Vec<T>, page: &Page<C>, cursor: impl Fn(&T) -> &C) -> Vec<T> {
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let is_behind = |item: &T| page.after.as_ref().is_none_or(|after| cursor(item) > after);
    items.into_iter().filter(is_behind).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope(account: u64) -> Scope {
        use gatehouse_domain::scope::AccountId;
        Scope::new(AccountId::from_number(account), "us-east-1".parse().unwrap())
    }

    #[test]
    fn a_marker_opens_only_where_it_was_given() {
        let key = MarkerKey::new(&[7; 32]);
        let marker = key.seal("ListThings", scope(1), &"t").unwrap();
        let open = |operation, scope| key.open::<String>(operation, scope, &marker);
        assert_eq!(open("ListThings", scope(1)).as_deref(), Some("t"));
        assert_eq!(open("ListThings", scope(2)), None);
        assert_eq!(open("ListPolicies", scope(1)), None);
        assert_eq!(MarkerKey::new(&[8; 32]).open::<String>("ListThings", scope(1), &marker), None);
        // The model's pattern for markers.
        assert!(marker.trim_end_matches('=').bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/'));
    }

    #[test]
    fn a_short_list_is_paged_too() {
        let page = |after, limit| page_of(vec![1, 3, 5], &Page { after, ascending: true, limit }, |item| item);
        assert_eq!(page(None, 2), [1, 3]);
        assert_eq!(page(Some(1), 9), [3, 5]);
        // The item of the cursor may be gone.
        assert_eq!(page(Some(2), 1), [3]);
        assert!(page(Some(5), 9).is_empty());
    }

    proptest! {
        #[test]
        fn a_changed_marker_does_not_open(position in 0usize..100, bit in 0u8..8, forged in ".{0,80}") {
            let key = MarkerKey::new(&[7; 32]);
            let marker = key.seal("ListThings", scope(1), &"a thing").unwrap();
            let mut bytes = STANDARD.decode(&marker).unwrap();
            let position = position % bytes.len();
            bytes[position] ^= 1 << bit;
            prop_assert_eq!(key.open::<String>("ListThings", scope(1), &STANDARD.encode(bytes)), None);
            prop_assert_eq!(key.open::<String>("ListThings", scope(1), &forged), None);
        }
    }
}
