//! ARNs of functions (AWS Lambda), which the service calls to ask what it cannot know.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::scope::{AccountId, Region, Scope};

/// The ARN of a function: `arn:<partition>:lambda:<region>:<account>:function:<name>`, and `:<version or alias>` behind it
/// or not (Lambda API reference, `FunctionArn`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionArn {
    text: Arc<str>,
    scope: Scope,
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

    /// Whose function it is.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }
}

impl FromStr for FunctionArn {
    type Err = InvalidFunctionArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let (parts, qualifier) = match parts.as_slice() {
            [parts @ .., qualifier] if parts.len() == 7 => (parts, Some(*qualifier)),
            parts => (parts, None),
        };
        let ["arn", partition, "lambda", region, account, "function", name] = parts else {
            return Err(InvalidFunctionArn);
        };
        let region: Region = region.parse().map_err(|_| InvalidFunctionArn)?;
        let account: AccountId = account.parse().map_err(|_| InvalidFunctionArn)?;
        let is_word = |text: &str, longest: usize| {
            (1..=longest).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let is_qualified = qualifier.is_none_or(|qualifier| qualifier == "$LATEST" || is_word(qualifier, 128));
        if *partition == region.partition() && is_word(name, 64) && is_qualified {
            Ok(Self { text: text.into(), scope: Scope::new(account, region) })
        } else {
            Err(InvalidFunctionArn)
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_function_reads_back_as_it_was_written() {
        for text in [
            "arn:aws:lambda:us-east-1:123456789012:function:f",
            "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:pre_Provision-1:live",
            &format!("arn:aws:lambda:us-east-1:123456789012:function:{}:7", "n".repeat(64)),
        ] {
            let arn: FunctionArn = text.parse().unwrap();
            assert_eq!((arn.as_str(), arn.scope().account.as_str()), (text, "123456789012"));
        }
    }

    #[test]
    fn what_is_not_the_arn_of_a_function_is_refused() {
        for text in [
            "",
            "f",
            "arn:aws:lambda:us-east-1:123456789012:function",
            "arn:aws:lambda:us-east-1:123456789012:function:",
            "arn:aws:lambda:us-east-1:123456789012:function:f:",
            "arn:aws:lambda:us-east-1:123456789012:function:f:a:b",
            "arn:aws:lambda:us-east-1:123456789012:function:f:$OLDEST",
            "arn:aws:lambda:us-east-1:123456789012:function:*",
            "arn:aws:lambda:us-east-1:123456789012:function:a/b",
            "arn:aws:lambda:us-east-1:123456789012:layer:f",
            "arn:aws:lambda::123456789012:function:f",
            "arn:aws:lambda:us-east-1:1234:function:f",
            "arn:aws-cn:lambda:us-east-1:123456789012:function:f",
            "arn:aws:iot:us-east-1:123456789012:function:f",
            &format!("arn:aws:lambda:us-east-1:123456789012:function:{}", "n".repeat(65)),
            &format!("arn:aws:lambda:us-east-1:123456789012:function:f:{}", "n".repeat(129)),
        ] {
            assert_eq!(text.parse::<FunctionArn>(), Err(InvalidFunctionArn), "{text}");
        }
    }
}
