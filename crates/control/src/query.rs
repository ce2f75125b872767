//! The query of a request: which parameter was given what, each once.

/// Parameters that nobody has asked for yet.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

/// Why a query is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// An escape that is none, or bytes that are no UTF-8.
    #[error("the query string is not percent-encoded UTF-8")]
    Encoding,
    /// A parameter stands twice.
    #[error("the query parameter '{0}' is given more than once")]
    Repeated(String),
    /// Nobody asked for the parameter.
    #[error("the query parameter '{0}' is unknown to this operation")]
    Unknown(String),
}

impl Query {
    /// Reads what stands behind the `?`.
    ///
    /// # Errors
    /// [`InvalidQuery::Encoding`].
    pub fn parse(query: &str) -> Result<Self, InvalidQuery> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Form encoding writes a space as +; botocore writes %20, browsers and curl may not.
            let decoded = |text: &str| percent_decode(&text.replace('+', " "));
            decoded(name).zip(decoded(value)).ok_or(InvalidQuery::Encoding)
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    /// Takes out the parameter `name`.
    ///
    /// # Errors
    /// [`InvalidQuery::Repeated`].
    pub fn take(&mut self, name: &str) -> Result<Option<String>, InvalidQuery> {
        let mut found = None;
        while let Some(at) = self.0.iter().position(|(n, _)| n == name) {
            let (_, value) = self.0.remove(at);
            if found.replace(value).is_some() {
                return Err(InvalidQuery::Repeated(name.to_owned()));
            }
        }
        Ok(found)
    }

    /// Drops the parameters whose names `is_meant_for_others`.
    pub fn forget(&mut self, is_meant_for_others: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| !is_meant_for_others(name));
    }

    /// Whether every parameter was taken: a misspelt one should not be ignored.
    ///
    /// # Errors
    /// [`InvalidQuery::Unknown`].
    pub fn finish(&self) -> Result<(), InvalidQuery> {
        self.0.first().map_or(Ok(()), |(name, _)| Err(InvalidQuery::Unknown(name.clone())))
    }
}

/// Undoes percent-encoding once. `None` when a `%` is not followed by two hex digits or the result is not UTF-8.
#[must_use]
pub fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}
