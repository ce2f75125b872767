//! What calls name by name, by ARN, or by both.

use crate::arn::{Arn, InvalidArn};
use crate::name::ThingName;
use crate::scope::Scope;

/// A resource that a call names. Whether it exists is another question, and it may lie in another scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its ARN.
    pub arn: Arn,
    /// Its name.
    pub name: ThingName,
}

/// Why nothing is named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamingRefusal {
    /// Neither name nor ARN.
    #[error("give its name or its ARN")]
    Neither,
    /// Not an ARN.
    #[error(transparent)]
    Arn(#[from] InvalidArn),
    /// The ARN of something else.
    #[error("'{0}' is the ARN of something else")]
    OtherKind(Arn),
    /// Name and ARN name two.
    #[error("the name '{0}' and the ARN '{1}' name two different ones: give one of them")]
    Disagree(ThingName, Arn),
}

/// The resource of `scope` called `name`, or the one of `arn`, which must be the same when both are given. `arn_of`
/// makes the ARNs of its kind, such as [`Arn::thing`].
///
/// # Errors
/// [`NamingRefusal`] when nothing is named, or not one resource of the kind.
pub fn named(
    scope: Scope,
    name: Option<&ThingName>,
    arn: Option<&str>,
    arn_of: fn(Scope, ThingName) -> Arn,
) -> Result<Named, NamingRefusal> {
    let Some(text) = arn else {
        let name = name.ok_or(NamingRefusal::Neither)?;
        return Ok(Named { arn: arn_of(scope, name.clone()), name: name.clone() });
    };
    let arn = Arn::parse(text)?;
    let in_arn = text.rsplit('/').next().and_then(|last| last.parse::<ThingName>().ok());
    match (in_arn.filter(|found| arn_of(arn.scope, found.clone()) == arn), name) {
        (None, _) => Err(NamingRefusal::OtherKind(arn)),
        (Some(found), Some(name)) if found != *name => Err(NamingRefusal::Disagree(name.clone(), arn)),
        (Some(name), _) => Ok(Named { arn, name }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_arn_name_the_same() {
        let scope = Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap());
        let name: ThingName = "t:1".parse().unwrap();
        let ours = "arn:aws:iot:us-east-1:123456789012:thing/t:1";
        let theirs = "arn:aws:iot:us-east-1:210987654321:thing/t:1";
        let other_kind = "arn:aws:iot:us-east-1:123456789012:billinggroup/t:1";
        let certificate = format!("arn:aws:iot:us-east-1:123456789012:cert/{}", "ab".repeat(32));
        let arn = |text: &str| Arn::parse(text).unwrap();
        let is = |text: &str| Ok(Named { arn: arn(text), name: name.clone() });
        let not = |text: &str| Err(NamingRefusal::OtherKind(arn(text)));
        let other: ThingName = "u".parse().unwrap();
        for (given, text, outcome) in [
            (None, None, Err(NamingRefusal::Neither)),
            (Some(&name), None, is(ours)),
            (None, Some(ours), is(ours)),
            (Some(&name), Some(ours), is(ours)),
            // Whose it is, is for others to judge.
            (None, Some(theirs), is(theirs)),
            (Some(&name), Some(theirs), is(theirs)),
            (Some(&other), Some(ours), Err(NamingRefusal::Disagree(other.clone(), arn(ours)))),
            (None, Some(other_kind), not(other_kind)),
            (Some(&name), Some(other_kind), not(other_kind)),
            (None, Some(certificate.as_str()), not(&certificate)),
            (Some(&name), Some("t:1"), Err(NamingRefusal::Arn(InvalidArn))),
            (None, Some(""), Err(NamingRefusal::Arn(InvalidArn))),
        ] {
            assert_eq!(named(scope, given, text, Arn::thing), outcome, "{given:?} {text:?}");
        }
    }
}
