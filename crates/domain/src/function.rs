//! Functions: code of an account's own that the house calls at certain points, such as when a certificate is to be issued.
//! An ARN names one; where it is called is the operator's concern.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::scope::{AccountId, Region, Scope};

/// Characters of a function's name, and of its qualifier (Lambda API reference, Invoke).
const NAME_BYTES: usize = 64;
const QUALIFIER_BYTES: usize = 128;

/// The ARN of a function: `arn:<partition>:lambda:<region>:<account>:function:<name>[:<qualifier>]`. Two ARNs are the same
/// when their texts are: without a qualifier is another than with `$LATEST`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionArn {
    text: Arc<str>,
    scope: Scope,
    /// Where the qualifier begins in the text; the length of the text when there is none.
    qualifier_at: usize,
}

/// Not the ARN of a function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the ARN of a function: arn:aws:lambda:<region>:<account>:function:<name> is needed")]
pub struct InvalidFunctionArn;

impl FunctionArn {
    /// The ARN as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose function it is, and in which Region.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// The ARN without its qualifier.
    #[must_use]
    pub fn unqualified(&self) -> &str {
        self.text.get(..self.qualifier_at).unwrap_or_default().trim_end_matches(':')
    }

    /// The version or alias that is named.
    #[must_use]
    pub fn qualifier(&self) -> Option<&str> {
        self.text.get(self.qualifier_at..).filter(|qualifier| !qualifier.is_empty())
    }
}

impl FromStr for FunctionArn {
    type Err = InvalidFunctionArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let (fixed, qualifier) = match parts.as_slice() {
            [fixed @ .., qualifier] if parts.len() == 8 => (fixed, Some(*qualifier)),
            fixed => (fixed, None),
        };
        let ["arn", partition, "lambda", region, account, "function", name] = fixed else {
            return Err(InvalidFunctionArn);
        };
        let region: Region = region.parse().map_err(|_| InvalidFunctionArn)?;
        let account: AccountId = account.parse().map_err(|_| InvalidFunctionArn)?;
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        let is_name = (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(is_word);
        let is_qualifier =
            |text: &str| text == "$LATEST" || (1..=QUALIFIER_BYTES).contains(&text.len()) && text.bytes().all(is_word);
        if *partition != region.partition() || !is_name || !qualifier.is_none_or(is_qualifier) {
            return Err(InvalidFunctionArn);
        }
        let qualifier_at = text.len() - qualifier.map_or(0, str::len);
        Ok(Self { text: text.into(), scope: Scope::new(account, region), qualifier_at })
    }
}

impl TryFrom<String> for FunctionArn {
    type Error = InvalidFunctionArn;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FunctionArn> for String {
    fn from(arn: FunctionArn) -> Self {
        arn.as_str().to_owned()
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a scope may not have a function called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionRefusal {
    /// Not a function.
    #[error(transparent)]
    Arn(#[from] InvalidFunctionArn),
    /// A function serves the account and Region that it belongs to (developer guide, "Self-managed certificate signing
    /// using AWS IoT Core certificate provider").
    #[error("{0} is a function of another account or Region: use one of this account and Region")]
    Elsewhere(FunctionArn),
}

/// The function that `scope` names by `arn`.
///
/// # Errors
/// [`FunctionRefusal`].
pub fn own(scope: Scope, arn: &str) -> Result<FunctionArn, FunctionRefusal> {
    let arn: FunctionArn = arn.parse()?;
    if arn.scope() == scope { Ok(arn) } else { Err(FunctionRefusal::Elsewhere(arn)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_arn_of_a_function_reads_back_in_parts() {
        let long = format!("arn:aws:lambda:us-east-1:123456789012:function:{}", "n".repeat(64));
        let qualified = format!("{long}:{}", "q".repeat(128));
        for (text, unqualified, qualifier) in [
            (
                "arn:aws:lambda:us-east-1:123456789012:function:f",
                "arn:aws:lambda:us-east-1:123456789012:function:f",
                None,
            ),
            (
                "arn:aws-cn:lambda:cn-north-1:123456789012:function:sign_Csr-9:$LATEST",
                "arn:aws-cn:lambda:cn-north-1:123456789012:function:sign_Csr-9",
                Some("$LATEST"),
            ),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:f:7",
                "arn:aws:lambda:eu-west-1:123456789012:function:f",
                Some("7"),
            ),
            (&long, &long, None),
            (&qualified, &long, Some(&"q".repeat(128))),
        ] {
            let arn: FunctionArn = text.parse().unwrap();
            assert_eq!((arn.as_str(), arn.unqualified(), arn.qualifier()), (text, unqualified, qualifier));
            assert_eq!(arn.scope().account.as_str(), "123456789012");
        }
    }

    #[test]
    fn what_is_not_the_arn_of_a_function_is_refused() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function";
        for text in [
            "",
            "f",
            arn,
            &format!("{arn}:"),
            &format!("{arn}:f:"),
            &format!("{arn}:f:7:8"),
            &format!("{arn}:f/g"),
            &format!("{arn}:*"),
            &format!("{arn}:f:*"),
            &format!("{arn}:f:$OLDEST"),
            &format!("{arn}:$LATEST"),
            &format!("{arn}:f g"),
            &format!("{arn}:é"),
            &format!("{arn}:f\n"),
            &format!("{arn}:{}", "n".repeat(65)),
            &format!("{arn}:f:{}", "q".repeat(129)),
            "arn:aws:lambda:us-east-1:12345:function:f",
            "arn:aws:lambda::123456789012:function:f",
            "arn:aws:lambda:US:123456789012:function:f",
            "arn:aws:lambda:us-east-1:123456789012:layer:f",
            "arn:aws:lambda:us-east-1:123456789012:function/f",
            "arn:aws:iot:us-east-1:123456789012:function:f",
            "arn:aws-cn:lambda:us-east-1:123456789012:function:f",
            "arn:own:lambda:us-east-1:123456789012:function:f",
            "123456789012:function:f",
        ] {
            assert_eq!(text.parse::<FunctionArn>(), Err(InvalidFunctionArn), "{text}");
        }
    }

    #[test]
    fn a_scope_names_functions_of_its_own() {
        let scope = Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap());
        assert!(own(scope, "arn:aws:lambda:us-east-1:123456789012:function:f:7").is_ok());
        for other in
            ["arn:aws:lambda:us-east-1:210987654321:function:f", "arn:aws:lambda:eu-west-1:123456789012:function:f"]
        {
            assert_eq!(own(scope, other), Err(FunctionRefusal::Elsewhere(other.parse().unwrap())));
        }
        assert_eq!(own(scope, "f"), Err(FunctionRefusal::Arn(InvalidFunctionArn)));
    }

    proptest! {
        #[test]
        fn whatever_reads_is_written_as_it_was(text in "arn:aws:lambda:[a-z0-9-]{0,9}:[0-9]{11,13}:function(:[$a-zA-Z0-9_/-]{0,9}){0,3}") {
            if let Ok(arn) = text.parse::<FunctionArn>() {
                prop_assert_eq!(arn.as_str(), &text);
                let parts = arn.qualifier().map_or(arn.unqualified().to_owned(), |q| format!("{}:{q}", arn.unqualified()));
                prop_assert_eq!(parts, text);
            }
        }
    }
}
