//! One line of an input file: read, planned, carried out, and its outcome noted in the same commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::provisioning::Template;
use gatehouse_domain::registration_task::lines::Line;
use gatehouse_domain::registration_task::parameters::{self, LineRefusal};
use gatehouse_store::{Batch, LineOutcome, RegistrationTaskRecord};
use tokio::sync::Semaphore;

use crate::call::House;
use crate::certificates::issue::Asker;
use crate::error::{Code, Error};
use crate::provisioning::failure::Failure;
use crate::provisioning::{Along, Order, Permit};

/// How often a line is tried that could not be carried out at the moment.
const ATTEMPTS: u32 = 5;
/// Before the second attempt; doubled before each that follows.
const PAUSE: Duration = Duration::from_millis(200);
/// Characters of a message in a report.
const MESSAGE_CHARACTERS: usize = 1_000;

/// What all lines of a task have in common.
pub(super) struct Lines {
    pub(super) house: Arc<House>,
    pub(super) task: Arc<RegistrationTaskRecord>,
    pub(super) template: Template,
    /// The word of the turn in which they are carried out.
    pub(super) turn: String,
}

impl Lines {
    /// Gives the line its outcome: whether it was carried out. Once there is one, it stays.
    ///
    /// # Errors
    /// When the store fails; a conflict when the turn is lost.
    pub(super) async fn carry_out(&self, line: &Line) -> Result<bool, gatehouse_store::Error> {
        match self.register(line).await? {
            Ok(()) => Ok(true),
            Err(None) => self.outcome(line).await,
            Err(Some(failure)) => self.refuse(line, failure).await,
        }
    }

    /// Carries the line out. Not done, there is a failure, or an outcome that somebody else has noted.
    async fn register(&self, line: &Line) -> Result<Result<(), Option<Failure>>, gatehouse_store::Error> {
        let plan = line
            .text
            .as_deref()
            .ok_or(LineRefusal::TooLong)
            .and_then(parameters::read)
            .map_err(|refusal| Failure::new(FleetError::InvalidPayload, refusal.to_string()))
            .and_then(|parameters| {
                let planned = self.template.plan(&parameters, None);
                planned.map_err(|refusal| Failure::new(FleetError::InvalidParameters, refusal.to_string()))
            });
        let plan = match plan {
            Ok(plan) => plan,
            Err(failure) => return Ok(Err(Some(failure))),
        };
        let Self { house, task, .. } = self;
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let now = house.clock.now();
            let order = Order {
                house,
                scope: task.scope,
                now,
                plan: &plan,
                permit: Permit::of_role(house, &task.role_arn, task.scope, now),
                asker: Asker { principal_id: task.role_arn.as_str(), client_id: "" },
                is_waiting: false,
                unclaimed: None,
            };
            let Err(failure) = Box::pin(order.carry_out_with(&Noted { lines: self, line: line.number })).await else {
                return Ok(Ok(()));
            };
            // Somebody else who works on the task was faster, or the answer to a commit got lost on its way.
            if house.store.registration_line(&task.task_id, line.number).await?.is_some() {
                return Ok(Err(None));
            }
            if !is_passing(failure.kind) || attempt == ATTEMPTS {
                return Ok(Err(Some(failure)));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    /// The outcome that the line has.
    async fn outcome(&self, line: &Line) -> Result<bool, gatehouse_store::Error> {
        let outcome = self.house.store.registration_line(&self.task.task_id, line.number).await?;
        outcome.ok_or(gatehouse_store::Error::Conflict)
    }

    async fn refuse(&self, line: &Line, failure: Failure) -> Result<bool, gatehouse_store::Error> {
        let (code, message) = match Error::from(failure) {
            Error::Refused(refused) => (refused.code, refused.message),
            Error::Store(_) | Error::Internal(_) => (Code::InternalFailureException, "an internal failure".into()),
        };
        let message = message.chars().take(MESSAGE_CHARACTERS).collect();
        let outcome = LineOutcome::Refused { code: code.name().to_owned(), message };
        let mut batch = Batch::new();
        batch.insert_registration_line(&self.task.task_id, &self.turn, line.number, &outcome);
        match self.house.store.commit(batch, self.house.clock.now()).await {
            Ok(()) => Ok(false),
            Err(gatehouse_store::Error::Conflict) => self.outcome(line).await,
            Err(error) => Err(error),
        }
    }
}

/// Whether the same line may be carried out when it is tried again.
const fn is_passing(kind: FleetError) -> bool {
    matches!(kind, FleetError::Throttling | FleetError::ServiceUnavailable)
}

/// The outcome of a line that goes along with its plan.
struct Noted<'a> {
    lines: &'a Lines,
    line: u64,
}

impl Along for Noted<'_> {
    fn write(&self, certificate_id: CertificateId, resource_arns: &BTreeMap<String, String>, batch: &mut Batch) {
        let outcome = LineOutcome::Registered { certificate_id, resource_arns: resource_arns.clone() };
        batch.insert_registration_line(&self.lines.task.task_id, &self.lines.turn, self.line, &outcome);
    }

    fn checks(&self) -> &Semaphore {
        &self.lines.house.bulk.checks
    }
}
