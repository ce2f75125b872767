//! What becomes of a thing that a plan names: it is made, or the one that exists is left, changed or in the way, as the
//! template's OverrideSettings say.

use super::overrides::{MergingOverride, Override};
use super::plan::ThingPlan;
use crate::thing::{AttributeRefusal, AttributeUpdate, Configuration, update_attributes};
use crate::thing_group::{GroupPlace, MembershipChange, MembershipRefusal, change_membership};

/// A thing as it is.
#[derive(Clone, Copy, Debug)]
pub struct ExistingThing<'a> {
    /// What it is configured with.
    pub configuration: &'a Configuration,
    /// The groups that it is in.
    pub groups: &'a [GroupPlace],
}

/// A thing as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThingOutcome {
    /// What it is configured with.
    pub configuration: Configuration,
    /// How its groups change.
    pub groups: MembershipChange,
}

/// Why a thing does not become what the plan says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeRefusal {
    /// The thing exists, and the template says that this must fail.
    #[error("the thing exists, and the template's OverrideSettings say FAIL for its {0}")]
    Exists(&'static str),
    /// Its attributes would break a quota.
    #[error(transparent)]
    Attributes(#[from] AttributeRefusal),
    /// Its groups would break a rule.
    #[error(transparent)]
    Groups(#[from] MembershipRefusal),
}

/// What becomes of the thing that `plan` names. `wanted` are the places of the plan's groups. What the template does not
/// give is left as it is.
///
/// # Errors
/// [`OutcomeRefusal`] names what stands against it.
pub fn outcome(
    plan: &ThingPlan,
    existing: Option<ExistingThing<'_>>,
    wanted: Vec<GroupPlace>,
) -> Result<ThingOutcome, OutcomeRefusal> {
    let Some(ExistingThing { configuration: current, groups }) = existing else {
        let is_typed = plan.thing_type_name.is_some();
        let attributes = update_attributes(&[].into(), plan.attributes.clone(), AttributeUpdate::Replace, is_typed)?;
        let configuration = Configuration {
            thing_type_name: plan.thing_type_name.clone(),
            attributes,
            billing_group_name: plan.billing_group.clone(),
        };
        return Ok(ThingOutcome { configuration, groups: change_membership(&[], &[], wanted)? });
    };

    let thing_type_name = match (&plan.thing_type_name, plan.overrides.thing_type_name) {
        (None, _) | (Some(_), Override::DoNothing) => current.thing_type_name.clone(),
        (Some(given), Override::Replace) => Some(given.clone()),
        (Some(_), Override::Fail) => return Err(OutcomeRefusal::Exists("ThingTypeName")),
    };
    let (given, how) = match plan.overrides.attributes {
        _ if plan.attributes.is_empty() => ([].into(), AttributeUpdate::Merge),
        MergingOverride::DoNothing => ([].into(), AttributeUpdate::Merge),
        MergingOverride::Replace => (plan.attributes.clone(), AttributeUpdate::Replace),
        MergingOverride::Merge => (plan.attributes.clone(), AttributeUpdate::Merge),
        MergingOverride::Fail => return Err(OutcomeRefusal::Exists("AttributePayload")),
    };
    // Another type may allow fewer attributes, so they are counted even when they stay as they are.
    let attributes = update_attributes(&current.attributes, given, how, thing_type_name.is_some())?;
    let groups = match plan.overrides.groups {
        _ if wanted.is_empty() => MembershipChange::default(),
        MergingOverride::DoNothing => MembershipChange::default(),
        MergingOverride::Replace => {
            let left: Vec<_> = groups.iter().map(|place| place.name.clone()).collect();
            change_membership(groups, &left, wanted)?
        }
        MergingOverride::Merge => change_membership(groups, &[], wanted)?,
        MergingOverride::Fail => return Err(OutcomeRefusal::Exists("ThingGroups")),
    };
    let configuration =
        Configuration { thing_type_name, attributes, billing_group_name: current.billing_group_name.clone() };
    Ok(ThingOutcome { configuration, groups })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::name::ThingName;
    use crate::provisioning::ThingOverrides;

    fn name(text: &str) -> ThingName {
        text.parse().unwrap()
    }

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn place(path: &str) -> GroupPlace {
        let mut names: Vec<ThingName> = path.split('/').map(name).collect();
        GroupPlace { name: names.pop().unwrap(), ancestors: names }
    }

    fn plan(overrides: ThingOverrides) -> ThingPlan {
        ThingPlan {
            logical_name: "thing".into(),
            name: name("t"),
            attributes: attributes(&[("a", "new"), ("b", "2"), ("none", "")]),
            thing_type_name: Some(name("newer")),
            groups: vec![name("g"), name("h")],
            billing_group: Some(name("other")),
            overrides,
        }
    }

    fn on_existing(plan: &ThingPlan) -> Result<ThingOutcome, OutcomeRefusal> {
        let configuration = Configuration {
            thing_type_name: Some(name("old")),
            attributes: attributes(&[("a", "old"), ("z", "26")]),
            billing_group_name: Some(name("payer")),
        };
        let groups = [place("g"), place("x")];
        let existing = ExistingThing { configuration: &configuration, groups: &groups };
        outcome(plan, Some(existing), plan.groups.iter().map(|group| place(group.as_str())).collect())
    }

    #[test]
    fn a_new_thing_is_as_the_template_says() {
        let plan = plan(ThingOverrides::default());
        let made = outcome(&plan, None, vec![place("g"), place("h")]).unwrap();
        assert_eq!(made.configuration.thing_type_name, Some(name("newer")));
        assert_eq!(made.configuration.attributes, attributes(&[("a", "new"), ("b", "2")]));
        assert_eq!(made.groups, MembershipChange { entered: vec![name("g"), name("h")], left: vec![] });
        let branch = outcome(&plan, None, vec![place("g"), place("g/h")]);
        assert!(matches!(branch, Err(OutcomeRefusal::Groups(_))));
    }

    #[test]
    fn an_existing_thing_is_left_alone_unless_the_template_says_otherwise() {
        let left = on_existing(&plan(ThingOverrides::default())).unwrap();
        assert_eq!(left.configuration.thing_type_name, Some(name("old")));
        assert_eq!(left.configuration.attributes, attributes(&[("a", "old"), ("z", "26")]));
        assert_eq!(left.configuration.billing_group_name, Some(name("payer")));
        assert_eq!(left.groups, MembershipChange::default());
    }

    #[test]
    fn each_override_changes_its_own_property() {
        let keep = ThingOverrides::default();
        let of = |overrides| on_existing(&plan(overrides)).unwrap();
        let replaced = of(ThingOverrides { attributes: MergingOverride::Replace, ..keep });
        assert_eq!(replaced.configuration.attributes, attributes(&[("a", "new"), ("b", "2")]));
        assert_eq!(replaced.configuration.thing_type_name, Some(name("old")));
        let merged = of(ThingOverrides { attributes: MergingOverride::Merge, ..keep });
        assert_eq!(merged.configuration.attributes, attributes(&[("a", "new"), ("b", "2"), ("z", "26")]));
        let typed = of(ThingOverrides { thing_type_name: Override::Replace, ..keep });
        assert_eq!(typed.configuration.thing_type_name, Some(name("newer")));
        let moved = of(ThingOverrides { groups: MergingOverride::Replace, ..keep });
        assert_eq!(moved.groups, MembershipChange { entered: vec![name("h")], left: vec![name("x")] });
        let joined = of(ThingOverrides { groups: MergingOverride::Merge, ..keep });
        assert_eq!(joined.groups, MembershipChange { entered: vec![name("h")], left: vec![] });
    }

    #[test]
    fn fail_refuses_a_thing_that_exists() {
        let keep = ThingOverrides::default();
        for (overrides, what) in [
            (ThingOverrides { attributes: MergingOverride::Fail, ..keep }, "AttributePayload"),
            (ThingOverrides { thing_type_name: Override::Fail, ..keep }, "ThingTypeName"),
            (ThingOverrides { groups: MergingOverride::Fail, ..keep }, "ThingGroups"),
        ] {
            assert_eq!(on_existing(&plan(overrides)), Err(OutcomeRefusal::Exists(what)));
            assert!(outcome(&plan(overrides), None, vec![]).is_ok());
        }
    }

    #[test]
    fn what_the_template_does_not_give_is_left_as_it_is() {
        let all = ThingOverrides {
            attributes: MergingOverride::Replace,
            thing_type_name: Override::Fail,
            groups: MergingOverride::Fail,
        };
        let silent = ThingPlan { attributes: BTreeMap::new(), thing_type_name: None, groups: vec![], ..plan(all) };
        let left = on_existing(&silent).unwrap();
        assert_eq!(left.configuration.attributes, attributes(&[("a", "old"), ("z", "26")]));
        assert_eq!(left.configuration.thing_type_name, Some(name("old")));
        assert_eq!(left.groups, MembershipChange::default());
    }

    #[test]
    fn attributes_keep_to_their_quota() {
        let many = ThingPlan {
            attributes: (0..51).map(|number| (format!("a{number}"), "v".to_owned())).collect(),
            ..plan(ThingOverrides::default())
        };
        assert!(matches!(outcome(&many, None, vec![]), Err(OutcomeRefusal::Attributes(_))));
    }
}
