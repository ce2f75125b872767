//! The thing of a plan: made, or changed as far as the template's OverrideSettings say.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::provisioning::{ExistingThing, OutcomeRefusal, ThingOutcome, ThingPlan, outcome};
use gatehouse_domain::thing::{Configuration, newly_associated};
use gatehouse_domain::thing_group::{GroupPlace, MembershipChange};
use gatehouse_domain::thing_type::in_use;
use gatehouse_store::{Batch, MembershipsRecord, ThingGroupRecord, ThingRecord};

use super::carry_out::Order;
use super::failure::Failure;
use crate::error::Error;
use crate::random::uuid;
use crate::registry_events::Told;

/// The thing as it is and as it is to be.
pub(super) struct PlannedThing {
    record: ThingRecord,
    is_new: bool,
    before: Configuration,
    after: Configuration,
    memberships: MembershipsRecord,
    entered: Vec<ThingGroupRecord>,
    left: Vec<ThingGroupRecord>,
}

impl PlannedThing {
    /// Reads all that the decision needs, and decides.
    pub(super) async fn read(order: &Order<'_>, plan: &ThingPlan) -> Result<Self, Failure> {
        let (store, scope) = (&order.house.store, order.scope);
        let existing = store.thing(scope, &plan.name).await?;
        // Read after the thing: whoever makes it meanwhile makes the commit conflict.
        let memberships = match &existing {
            Some(_) => store.memberships(scope, &plan.name).await?,
            None => None,
        };
        let mut wanted = Vec::with_capacity(plan.groups.len());
        for name in &plan.groups {
            let group = store.thing_group(scope, name).await?;
            wanted.push(group.ok_or_else(|| missing("thing group", name))?);
        }
        let places: Vec<GroupPlace> = wanted.iter().map(ThingGroupRecord::place).collect();

        let (before, current) = match (&existing, &memberships) {
            (Some(thing), Some(memberships)) => {
                let group = store.billing_group_of(thing).await?;
                let before = Configuration {
                    thing_type_name: thing.thing_type_name.clone(),
                    attributes: thing.attributes.clone(),
                    billing_group_name: group.map(|group| group.name),
                };
                (before, Some(memberships.groups.iter().map(ThingGroupRecord::place).collect::<Vec<_>>()))
            }
            // Deleted between two reads: the commit will find so.
            _ => (Configuration::default(), None),
        };
        let as_is = current.as_deref().map(|groups| ExistingThing { configuration: &before, groups });
        let after = outcome(plan, as_is, places).map_err(|refusal| refused(&plan.name, &refusal))?;
        permitted(order, &plan.name, current.is_some().then_some(&before), &after)?;
        let types = (before.thing_type_name.as_ref(), after.configuration.thing_type_name.as_ref());
        if let Some(name) = newly_associated(types.0, types.1) {
            let record = store.thing_type(scope, name).await?.ok_or_else(|| missing("thing type", name))?;
            in_use(&record.name, record.deprecated_at).map_err(|refusal| Failure::unusable(refusal.to_string()))?;
        }

        let is_new = current.is_none();
        let record = match existing {
            Some(record) if !is_new => record,
            _ => new_record(order, plan, &after.configuration).await?,
        };
        let memberships = match memberships {
            Some(memberships) if !is_new => memberships,
            _ => MembershipsRecord::of_new_thing(&record),
        };
        wanted.retain(|group| after.groups.entered.contains(&group.name));
        let left: Vec<ThingGroupRecord> =
            memberships.groups.iter().filter(|group| after.groups.left.contains(&group.name)).cloned().collect();
        Ok(Self { record, is_new, before, after: after.configuration, memberships, entered: wanted, left })
    }

    pub(super) const fn name(&self) -> &ThingName {
        &self.record.name
    }

    /// Whether there is something to write.
    pub(super) fn changes(&self) -> bool {
        self.is_new || self.is_reconfigured() || self.is_moved()
    }

    fn is_reconfigured(&self) -> bool {
        self.before != self.after
    }

    const fn is_moved(&self) -> bool {
        !self.entered.is_empty() || !self.left.is_empty()
    }

    /// Makes the thing, or changes it.
    pub(super) async fn write(&self, order: &Order<'_>, batch: &mut Batch) -> Result<(), Failure> {
        if self.is_new {
            batch.insert_thing(&self.record);
        } else if self.is_reconfigured() {
            batch.update_thing(&self.record, self.after.thing_type_name.as_ref(), &self.after.attributes);
        }
        if self.is_moved() {
            batch.change_memberships(&self.memberships, &self.entered, &self.left);
        }
        if self.changes() {
            batch.announce(Event::Thing { scope: self.record.scope, thing_name: self.record.name.clone() });
            self.tell(order, batch).await.map_err(|error| Failure::of(error, FleetError::InternalError))?;
        }
        Ok(())
    }

    /// Tells the change to whoever asked for registry events.
    async fn tell(&self, order: &Order<'_>, batch: &mut Batch) -> Result<(), Error> {
        let told = Told::load(&order.house.store, order.scope, order.now).await?;
        let record = &self.record;
        if self.is_new {
            told.thing_created(batch, record).await?;
        } else if self.is_reconfigured() {
            let Configuration { thing_type_name, attributes, .. } = self.after.clone();
            let version = record.version.saturating_add(1);
            let after = ThingRecord { thing_type_name, attributes, version, ..record.clone() };
            told.thing_updated(batch, record, &after).await?;
        }
        for group in &self.entered {
            told.entered_group(batch, &record.name, &record.thing_id, group)?;
        }
        for group in &self.left {
            told.left_group(batch, &record.name, &record.thing_id, group)?;
        }
        Ok(())
    }
}

/// May the thing be made, or become from `before` what it is to be? Each step is asked for as the operation of its own that
/// it is.
fn permitted(
    order: &Order<'_>,
    name: &ThingName,
    before: Option<&Configuration>,
    after: &ThingOutcome,
) -> Result<(), Failure> {
    let (scope, permit) = (order.scope, &order.permit);
    let thing = Arn::thing(scope, name.clone()).to_string();
    match before {
        None => {
            permit.check("iot:CreateThing", &thing)?;
            if let Some(group) = &after.configuration.billing_group_name {
                permit.check("iot:CreateThing", &Arn::billing_group(scope, group.clone()).to_string())?;
            }
        }
        Some(before) if *before != after.configuration => permit.check("iot:UpdateThing", &thing)?,
        Some(_) => {}
    }
    let MembershipChange { entered, left } = &after.groups;
    for (groups, action) in [(entered, "iot:AddThingToThingGroup"), (left, "iot:RemoveThingFromThingGroup")] {
        for group in groups {
            permit.check(action, &Arn::thing_group(scope, group.clone()).to_string())?;
            permit.check(action, &thing)?;
        }
    }
    Ok(())
}

async fn new_record(
    order: &Order<'_>,
    plan: &ThingPlan,
    configuration: &Configuration,
) -> Result<ThingRecord, Failure> {
    let billing_group_id = match &plan.billing_group {
        Some(name) => {
            let group = order.house.store.billing_group(order.scope, name).await?;
            Some(group.ok_or_else(|| missing("billing group", name))?.billing_group_id)
        }
        None => None,
    };
    let thing_id = uuid().map_err(|error| Failure::of(error, FleetError::InternalError))?;
    Ok(ThingRecord {
        thing_type_name: configuration.thing_type_name.clone(),
        attributes: configuration.attributes.clone(),
        billing_group_id,
        ..ThingRecord::new(order.scope, plan.name.clone(), thing_id, order.now)
    })
}

fn missing(what: &str, name: &ThingName) -> Failure {
    Failure::unusable(format!("{what} {name} does not exist in this account and Region"))
}

fn refused(name: &ThingName, refusal: &OutcomeRefusal) -> Failure {
    let kind = match refusal {
        OutcomeRefusal::Exists(_) => FleetError::ResourceConflict,
        OutcomeRefusal::Attributes(_) | OutcomeRefusal::Groups(_) => FleetError::ResourceRegistrationFailure,
    };
    Failure::new(kind, format!("thing {name}: {refusal}"))
}
