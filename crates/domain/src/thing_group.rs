//! Rules of static thing groups: a tree whose shape is fixed when its groups are made, and which things belong to them
//! (developer guide, "Static thing groups").

use std::collections::BTreeMap;

use crate::description::described;
use crate::limits;
use crate::name::ThingName;
use crate::thing::AttributeUpdate;
use crate::version::{VersionConflict, check_version};

/// What a thing group is configured with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupConfiguration {
    /// The group that it was made in.
    pub parent: Option<ThingName>,
    /// What it is for.
    pub description: Option<String>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

/// CreateThingGroup names a group that is configured otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a thing group with this name and another configuration or other tags exists: use UpdateThingGroup and TagResource \
     to change it; its parent cannot be changed"
)]
pub struct GroupNameTaken;

/// CreateThingGroup of a group that exists: repeating the call that made it changes nothing. `is_tagged` says whether it
/// has the tags that the call asks for.
///
/// # Errors
/// [`GroupNameTaken`] when the existing group is configured otherwise.
pub fn create_again(
    existing: &GroupConfiguration,
    wanted: &GroupConfiguration,
    is_tagged: bool,
) -> Result<(), GroupNameTaken> {
    if existing == wanted && is_tagged { Ok(()) } else { Err(GroupNameTaken) }
}

/// Why a group cannot have another child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParentRefusal {
    /// The tree would become too deep.
    #[error("thing groups are nested {} deep at most", limits::THING_GROUP_DEPTH)]
    TooDeep,
    /// The parent has all the children it may have.
    #[error("a thing group has {} direct child groups at most", limits::THING_GROUP_CHILDREN)]
    TooManyChildren,
}

/// CreateThingGroup: may a group with so many `ancestors` and `children` get another child?
///
/// # Errors
/// [`ParentRefusal`] names the quota that stands against it.
pub const fn may_be_parent(ancestors: usize, children: u32) -> Result<(), ParentRefusal> {
    // The parent itself, those above it, and the child.
    if ancestors + 2 > limits::THING_GROUP_DEPTH {
        return Err(ParentRefusal::TooDeep);
    }
    if children >= limits::THING_GROUP_CHILDREN {
        return Err(ParentRefusal::TooManyChildren);
    }
    Ok(())
}

/// A group has too many attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thing group may have at most {} attributes, and {count} were given", limits::THING_GROUP_ATTRIBUTES)]
pub struct TooManyAttributes {
    /// How many there would be.
    pub count: usize,
}

/// The attributes of a group after an update; an empty value removes its key.
///
/// # Errors
/// [`TooManyAttributes`] when the result breaks the quota.
pub fn update_attributes(
    current: &BTreeMap<String, String>,
    given: BTreeMap<String, String>,
    update: AttributeUpdate,
) -> Result<BTreeMap<String, String>, TooManyAttributes> {
    let attributes = update.apply(current, given);
    let count = attributes.len();
    if count > limits::THING_GROUP_ATTRIBUTES { Err(TooManyAttributes { count }) } else { Ok(attributes) }
}

/// What UpdateThingGroup asks for.
#[derive(Clone, Debug, Default)]
pub struct GroupUpdate {
    /// The description that the group is to have; `None` leaves it as it is.
    pub description: Option<String>,
    /// Attributes and how to treat the present ones; `None` leaves them as they are.
    pub attributes: Option<(BTreeMap<String, String>, AttributeUpdate)>,
    /// The version the group must have.
    pub expected_version: Option<i64>,
}

/// Why UpdateThingGroup is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupUpdateRefusal {
    /// Another version was expected.
    #[error(transparent)]
    Version(#[from] VersionConflict),
    /// The attributes break the quota.
    #[error(transparent)]
    Attributes(#[from] TooManyAttributes),
}

/// UpdateThingGroup: the configuration of a group in `version` after `update`.
///
/// # Errors
/// [`GroupUpdateRefusal`] names the rule that stands against it.
pub fn update(
    current: GroupConfiguration,
    version: i64,
    update: GroupUpdate,
) -> Result<GroupConfiguration, GroupUpdateRefusal> {
    check_version(version, update.expected_version)?;
    let attributes = match update.attributes {
        Some((given, how)) => update_attributes(&current.attributes, given, how)?,
        None => current.attributes,
    };
    Ok(GroupConfiguration { description: described(current.description, update.description), attributes, ..current })
}

/// Why a group cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupDeletionRefusal {
    /// Another version was expected.
    #[error(transparent)]
    Version(#[from] VersionConflict),
    /// Other groups lie in it.
    #[error("it has child groups: delete them first")]
    HasChildren,
}

/// DeleteThingGroup: may a group in `version` with so many children be deleted? Its things only leave it.
///
/// # Errors
/// [`GroupDeletionRefusal`] names the rule that stands against it.
pub fn may_delete(version: i64, expected_version: Option<i64>, children: u32) -> Result<(), GroupDeletionRefusal> {
    check_version(version, expected_version)?;
    if children > 0 { Err(GroupDeletionRefusal::HasChildren) } else { Ok(()) }
}

/// Where a group lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPlace {
    /// The group.
    pub name: ThingName,
    /// The groups it lies in, from the root to its parent.
    pub ancestors: Vec<ThingName>,
}

impl GroupPlace {
    fn is_on_a_branch_with(&self, other: &Self) -> bool {
        self.ancestors.contains(&other.name) || other.ancestors.contains(&self.name)
    }
}

/// The groups at `places` and all that they lie in, each once: whose policies count for a thing in them (developer
/// guide, "Attach a policy to a thing group").
#[must_use]
pub fn lineage(places: impl IntoIterator<Item = GroupPlace>) -> Vec<ThingName> {
    let mut names: Vec<ThingName> = Vec::new();
    for place in places {
        names.extend(place.ancestors);
        names.push(place.name);
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Why UpdateThingGroupsForThing is refused as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveRefusal {
    /// More groups than a thing may be in.
    #[error("at most {} groups can be added and as many removed at once", limits::THING_GROUPS_PER_THING)]
    TooMany,
    /// A group on both sides.
    #[error("thing group {0} is to be added and removed: say one of them")]
    Both(ThingName),
}

/// UpdateThingGroupsForThing: can a thing leave `remove` and enter `add`, whatever groups it is in?
///
/// # Errors
/// [`MoveRefusal`] names what stands against it.
pub fn check_move(remove: &[ThingName], add: &[ThingName]) -> Result<(), MoveRefusal> {
    if add.len().max(remove.len()) > limits::THING_GROUPS_PER_THING {
        return Err(MoveRefusal::TooMany);
    }
    match add.iter().find(|name| remove.contains(name)) {
        Some(both) => Err(MoveRefusal::Both(both.clone())),
        None => Ok(()),
    }
}

/// Why a thing does not get into a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipRefusal {
    /// It is in as many as it may be.
    #[error("a thing is in {} thing groups at most: remove it from one first", limits::THING_GROUPS_PER_THING)]
    TooMany,
    /// It is in a group above or below.
    #[error(
        "the thing is in the group {other}, which lies on the same branch as {wanted}: a thing is in one group of a \
         branch only"
    )]
    SameBranch {
        /// The group that it is in.
        other: ThingName,
        /// The group that it does not get into.
        wanted: ThingName,
    },
}

/// What a thing's groups are to become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembershipChange {
    /// Groups that it enters.
    pub entered: Vec<ThingName>,
    /// Groups that it leaves.
    pub left: Vec<ThingName>,
}

/// AddThingToThingGroup, RemoveThingFromThingGroup and UpdateThingGroupsForThing: what changes when a thing that is in
/// `current` leaves `remove` and then enters `add`. Entering where it is and leaving where it is not change nothing.
///
/// # Errors
/// [`MembershipRefusal`] names the rule that the outcome would break.
pub fn change_membership(
    current: &[GroupPlace],
    remove: &[ThingName],
    add: Vec<GroupPlace>,
) -> Result<MembershipChange, MembershipRefusal> {
    let mut after: Vec<&GroupPlace> = current.iter().filter(|place| !remove.contains(&place.name)).collect();
    for wanted in &add {
        if after.iter().any(|place| place.name == wanted.name) {
            continue;
        }
        if let Some(other) = after.iter().find(|place| place.is_on_a_branch_with(wanted)) {
            return Err(MembershipRefusal::SameBranch { other: other.name.clone(), wanted: wanted.name.clone() });
        }
        after.push(wanted);
    }
    if after.len() > limits::THING_GROUPS_PER_THING && after.len() > current.len() {
        return Err(MembershipRefusal::TooMany);
    }
    let is_in = |places: &[&GroupPlace], name: &ThingName| places.iter().any(|place| place.name == *name);
    let before: Vec<&GroupPlace> = current.iter().collect();
    let entered = after.iter().filter(|place| !is_in(&before, &place.name)).map(|place| place.name.clone()).collect();
    let left = before.iter().filter(|place| !is_in(&after, &place.name)).map(|place| place.name.clone()).collect();
    Ok(MembershipChange { entered, left })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> ThingName {
        text.parse().unwrap()
    }

    /// `a/b/c` is the group c, which lies in b, which lies in a.
    fn place(path: &str) -> GroupPlace {
        let mut names: Vec<ThingName> = path.split('/').map(name).collect();
        GroupPlace { name: names.pop().unwrap(), ancestors: names }
    }

    fn names(texts: &[&str]) -> Vec<ThingName> {
        texts.iter().map(|text| name(text)).collect()
    }

    #[test]
    fn a_tree_is_seven_deep_and_a_hundred_wide() {
        assert_eq!(may_be_parent(0, 0), Ok(()));
        assert_eq!(may_be_parent(5, 99), Ok(()));
        assert_eq!(may_be_parent(6, 0), Err(ParentRefusal::TooDeep));
        assert_eq!(may_be_parent(0, 100), Err(ParentRefusal::TooManyChildren));
    }

    #[test]
    fn a_thing_moves_between_ten_groups_and_ten_others() {
        let many = |count: usize| names(&vec!["a"; count]);
        assert_eq!(check_move(&many(10), &names(&["b", "c"])), Ok(()));
        assert_eq!(check_move(&[], &[]), Ok(()));
        assert_eq!(check_move(&many(11), &[]), Err(MoveRefusal::TooMany));
        assert_eq!(check_move(&[], &many(11)), Err(MoveRefusal::TooMany));
        assert_eq!(check_move(&names(&["a", "b"]), &names(&["c", "b"])), Err(MoveRefusal::Both(name("b"))));
    }

    #[test]
    fn a_group_is_made_again_only_as_it_is() {
        let group = GroupConfiguration { parent: Some(name("p")), description: Some("d".into()), ..Default::default() };
        assert_eq!(create_again(&group, &group.clone(), true), Ok(()));
        assert_eq!(create_again(&group, &group.clone(), false), Err(GroupNameTaken));
        for other in [
            GroupConfiguration { parent: None, ..group.clone() },
            GroupConfiguration { description: None, ..group.clone() },
            GroupConfiguration { attributes: [("a".into(), "1".into())].into(), ..group.clone() },
        ] {
            assert_eq!(create_again(&group, &other, true), Err(GroupNameTaken));
        }
    }

    #[test]
    fn an_update_changes_what_it_names_and_nothing_else() {
        let group = GroupConfiguration {
            parent: Some(name("p")),
            description: Some("d".into()),
            attributes: [("a".into(), "1".into())].into(),
        };
        assert_eq!(update(group.clone(), 1, GroupUpdate::default()), Ok(group.clone()));
        let described = GroupUpdate { description: Some("e".into()), ..Default::default() };
        assert_eq!(
            update(group.clone(), 1, described),
            Ok(GroupConfiguration { description: Some("e".into()), ..group.clone() })
        );
        let bare = GroupUpdate { description: Some(String::new()), ..Default::default() };
        assert_eq!(update(group.clone(), 1, bare), Ok(GroupConfiguration { description: None, ..group.clone() }));
        let given = BTreeMap::from([("a".to_owned(), String::new()), ("b".to_owned(), "2".to_owned())]);
        let merged = GroupUpdate { attributes: Some((given, AttributeUpdate::Merge)), ..Default::default() };
        assert_eq!(update(group.clone(), 1, merged).unwrap().attributes, [("b".into(), "2".into())].into());
        let many = (0..51).map(|n| (n.to_string(), "v".to_owned())).collect();
        let many = GroupUpdate { attributes: Some((many, AttributeUpdate::Replace)), ..Default::default() };
        assert_eq!(update(group.clone(), 1, many), Err(TooManyAttributes { count: 51 }.into()));
        let expecting = GroupUpdate { expected_version: Some(2), ..Default::default() };
        assert_eq!(update(group, 1, expecting), Err(VersionConflict { actual: 1, expected: 2 }.into()));
    }

    #[test]
    fn a_group_goes_when_nothing_lies_in_it() {
        assert_eq!(may_delete(1, None, 0), Ok(()));
        assert_eq!(may_delete(1, Some(1), 0), Ok(()));
        assert_eq!(may_delete(1, Some(2), 0), Err(VersionConflict { actual: 1, expected: 2 }.into()));
        assert_eq!(may_delete(1, None, 1), Err(GroupDeletionRefusal::HasChildren));
    }

    #[test]
    fn a_thing_enters_and_leaves() {
        for (current, remove, add, entered, left) in [
            (vec![], vec![], vec!["a"], vec!["a"], vec![]),
            (vec!["a"], vec![], vec!["a"], vec![], vec![]),
            (vec!["a"], vec!["a"], vec![], vec![], vec!["a"]),
            (vec!["a"], vec!["b"], vec![], vec![], vec![]),
            (vec!["a"], vec!["a"], vec!["a"], vec![], vec![]),
            // From a group to its child at once, and among siblings.
            (vec!["a"], vec!["a"], vec!["a/b"], vec!["b"], vec!["a"]),
            (vec!["a/b"], vec![], vec!["a/c"], vec!["c"], vec![]),
            (vec![], vec![], vec!["a", "a"], vec!["a"], vec![]),
        ] {
            let current: Vec<GroupPlace> = current.into_iter().map(place).collect();
            let change = change_membership(&current, &names(&remove), add.into_iter().map(place).collect());
            assert_eq!(change, Ok(MembershipChange { entered: names(&entered), left: names(&left) }));
        }
    }

    #[test]
    fn a_thing_is_in_one_group_of_a_branch() {
        for (current, add) in [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a"), ("a", "a/b/c")] {
            let refusal = change_membership(&[place(current)], &[], vec![place(add)]);
            let (other, wanted) = (place(current).name, place(add).name);
            assert_eq!(refusal, Err(MembershipRefusal::SameBranch { other, wanted }));
        }
        assert!(change_membership(&[], &[], vec![place("a"), place("a/b")]).is_err());
    }

    #[test]
    fn groups_inherit_from_all_above_them() {
        assert_eq!(lineage([place("a/b/c"), place("a/d")]), names(&["a", "b", "c", "d"]));
        assert!(lineage([]).is_empty());
    }

    #[test]
    fn a_thing_is_in_ten_groups() {
        let ten: Vec<GroupPlace> = (0..10).map(|n| place(&format!("g{n}"))).collect();
        assert_eq!(change_membership(&ten, &[], vec![place("x")]), Err(MembershipRefusal::TooMany));
        assert!(change_membership(&ten, &names(&["g0"]), vec![place("x")]).is_ok());
        assert!(change_membership(&ten, &names(&["g0"]), vec![]).is_ok());
        let eleven: Vec<GroupPlace> = (0..11).map(|n| place(&format!("g{n}"))).collect();
        assert_eq!(change_membership(&[], &[], eleven), Err(MembershipRefusal::TooMany));
    }

    proptest! {
        #[test]
        fn a_change_leads_where_it_says(
            current in proptest::sample::subsequence(vec!["a", "b/c", "b/d", "e"], 0..4),
            remove in proptest::sample::subsequence(vec!["a", "c", "d", "x"], 0..4),
            add in proptest::sample::subsequence(vec!["a", "b", "b/c", "b/c/f", "e/g"], 0..5),
        ) {
            let current: Vec<GroupPlace> = current.into_iter().map(place).collect();
            let add: Vec<GroupPlace> = add.into_iter().map(place).collect();
            let wanted: Vec<ThingName> = add.iter().map(|place| place.name.clone()).collect();
            let remove = names(&remove);
            if let Ok(change) = change_membership(&current, &remove, add) {
                for place in &current {
                    let stays = !change.left.contains(&place.name);
                    prop_assert_eq!(stays, !remove.contains(&place.name) || wanted.contains(&place.name));
                }
                for name in &wanted {
                    prop_assert!(change.entered.contains(name) || current.iter().any(|place| place.name == *name));
                }
                prop_assert!(change.entered.iter().all(|name| wanted.contains(name)));
            }
        }
    }
}
