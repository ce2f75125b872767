//! One turn of one task: from where it stands, as far as it comes until its end, a stop, or the end of the turn.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use gatehouse_domain::limits;
use gatehouse_domain::provisioning::{Template, TemplateKind};
use gatehouse_domain::registration_task::window::Window;
use gatehouse_domain::registration_task::{self, Ending, Progress, TaskStatus};
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{Batch, Error, RegistrationTaskRecord};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::bucket::InputError;
use super::line::Lines;
use super::reader::{Read, Reader};
use super::{AtWork, may_read, unknown_bucket};
use crate::call::House;

/// How often progress is noted, and looked whether the task is to be stopped.
const BEAT: Duration = Duration::from_millis(500);
/// How long a turn lasts that is not renewed, in milliseconds: many beats.
pub(super) const TURN_MS: i64 = 15_000;
/// Lines from the first without an outcome to the last that has begun: one slow line does not hold up all others, and what
/// is looked at again after a crash is bounded.
const WIDTH: usize = 1_024;
/// Characters of a task's message.
const MESSAGE_CHARACTERS: usize = 2_000;

/// A task, in the hands of whoever works on it.
pub(super) struct Turn {
    house: Arc<House>,
    task: Arc<RegistrationTaskRecord>,
}

/// Why no more lines are begun.
enum Pause {
    /// There are none.
    Done,
    /// It cannot go on.
    Broken(String),
    /// Somebody asked for a stop.
    Stopped,
    /// Others wait for their turn, or the server stops.
    Over,
}

/// What the lines of a turn are read from, and carried out by.
type Begun = (Reader, Template);

impl Turn {
    /// The turn that `task` says it has.
    pub(super) fn new(house: Arc<House>, task: RegistrationTaskRecord) -> Self {
        Self { house, task: Arc::new(task) }
    }

    /// Works on the task until it ends, or until `over`, after which lines under way still come to their end.
    ///
    /// # Errors
    /// When the store fails, or somebody else has the turn. Whoever has the next goes on.
    pub(super) async fn run(self, over: impl Future<Output = ()>) -> Result<(), Error> {
        let (progress, pause) = self.work(pin!(over)).await?;
        match pause {
            Pause::Done => self.end(Ending::Done, progress, None).await,
            Pause::Broken(message) => self.end(Ending::Broken, progress, Some(&message)).await,
            Pause::Stopped => self.end(Ending::Stopped, progress, None).await,
            // Whoever waits longer is before it in line.
            Pause::Over => self.save(progress, self.house.clock.now()).await,
        }
    }

    async fn work(&self, mut over: Pin<&mut impl Future<Output = ()>>) -> Result<(Progress, Pause), Error> {
        let progress = self.task.progress;
        if self.task.status == TaskStatus::Cancelling {
            return Ok((progress, Pause::Stopped));
        }
        // Boxed: opening is a large future, and lasts for a moment only.
        let mut beginning = Box::pin(self.begin());
        let mut beat = beat();
        let (reader, template) = loop {
            let is_stopped = tokio::select! {
                begun = &mut beginning => match begun {
                    Ok(begun) => break begun,
                    Err(message) => return Ok((progress, Pause::Broken(message))),
                },
                () = &mut over => return Ok((progress, Pause::Over)),
                () = self.house.bulk.wake.notified() => self.is_stopped().await?,
                _ = beat.tick() => self.beat(progress).await?,
            };
            if is_stopped {
                return Ok((progress, Pause::Stopped));
            }
        };
        drop(beginning);
        if self.task.input_file.is_none() {
            let mut batch = Batch::new();
            batch.note_registration_input(&self.task.task_id, &self.task.turn, reader.found());
            self.commit(batch).await?;
        }
        self.lines(reader, template, beat, over).await
    }

    /// Opens what is needed, or says for whoever started the task what is in the way.
    async fn begin(&self) -> Result<Begun, String> {
        let task = &self.task;
        let now = self.house.clock.now();
        if now.millis_since(task.created_at) > limits::REGISTRATION_TASK_MS {
            return Err(
                "the task did not come to its end within 30 days: start another with the lines that are left".into()
            );
        }
        let template = Template::parse(&task.template_body, TemplateKind::Registration)
            .map_err(|refusal| format!("the provisioning template is refused: {refusal}"))?;
        let bucket = self.house.bulk.bucket(task.scope.account, &task.bucket);
        let bucket = bucket.ok_or_else(|| unknown_bucket(&task.bucket))?;
        may_read(&self.house, task.scope, &task.role_arn, &task.bucket, &task.key, now)?;
        let reader = Reader::open(Arc::clone(&self.house), bucket, Arc::clone(task)).await;
        Ok((reader.map_err(|error| self.unreadable(&error))?, template))
    }

    /// Has the lines carried out, several at once.
    async fn lines(
        &self,
        reader: Reader,
        template: Template,
        mut beat: Interval,
        mut over: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(Progress, Pause), Error> {
        let Self { house, task } = self;
        let done = house.store.registration_lines_behind(&task.task_id, task.progress.line).await?;
        let (house, task, turn) = (Arc::clone(house), Arc::clone(task), task.turn.clone());
        let lines = Arc::new(Lines { house, task, template, turn });
        let (sender, mut receiver) = mpsc::channel(1);
        // All that was begun ends with this future.
        let (mut reading, mut under_way) = (JoinSet::new(), JoinSet::new());
        reading.spawn(reader.run(sender));
        let at_work = AtWork::new(Arc::clone(&self.house));
        let mut window = Window::behind(self.task.progress);
        let mut end = None;
        let mut pause = None;
        while pause.is_none() || !under_way.is_empty() {
            let has_room = pause.is_none() && under_way.len() < at_work.lines() && window.width() < WIDTH;
            tokio::select! {
                biased;
                Some(ended) = under_way.join_next() => {
                    let (ticket, is_success) = ended.map_err(broken_off)??;
                    window.end(ticket, is_success);
                }
                _ = beat.tick() => if self.beat(window.progress()).await? {
                    pause.get_or_insert(Pause::Stopped);
                },
                () = self.house.bulk.wake.notified() => if self.is_stopped().await? {
                    pause.get_or_insert(Pause::Stopped);
                },
                () = &mut over, if pause.is_none() => pause = Some(Pause::Over),
                read = receiver.recv(), if has_room => match read {
                    Some(Read::Line(line)) => {
                        let ticket = window.begin(line.number, line.end);
                        match done.get(&line.number) {
                            Some(is_success) => window.end(ticket, *is_success),
                            None => {
                                let lines = Arc::clone(&lines);
                                under_way.spawn(async move {
                                    Ok::<_, Error>((ticket, lines.carry_out(&line).await?))
                                });
                            }
                        }
                    }
                    Some(Read::End(number, position)) => {
                        end = Some((number, position));
                        pause = Some(Pause::Done);
                    }
                    None => pause = Some(match reading.join_next().await {
                        Some(Ok(Err(error))) => Pause::Broken(self.unreadable(&error)),
                        Some(Err(error)) => return Err(broken_off(error)),
                        Some(Ok(Ok(()))) | None => Pause::Over,
                    }),
                },
            }
        }
        if let Some((number, position)) = end {
            window.finish(number, position);
        }
        Ok((window.progress(), pause.unwrap_or(Pause::Over)))
    }

    /// Notes the progress and renews the turn. Answers whether the task is to be stopped.
    async fn beat(&self, progress: Progress) -> Result<bool, Error> {
        self.save(progress, self.house.clock.now().plus_millis(TURN_MS)).await?;
        self.is_stopped().await
    }

    async fn is_stopped(&self) -> Result<bool, Error> {
        let task = self.house.store.registration_task(&self.task.task_id).await?;
        Ok(task.is_none_or(|task| task.status != TaskStatus::InProgress))
    }

    async fn save(&self, progress: Progress, until: Timestamp) -> Result<(), Error> {
        let mut batch = Batch::new();
        let now = self.house.clock.now();
        batch.advance_registration_task(&self.task.task_id, &self.task.turn, &progress, now, until);
        self.commit(batch).await
    }

    async fn end(&self, ending: Ending, progress: Progress, message: Option<&str>) -> Result<(), Error> {
        let (task_id, turn) = (&self.task.task_id, &self.task.turn);
        let message: Option<String> = message.map(|message| message.chars().take(MESSAGE_CHARACTERS).collect());
        for _ in 0..limits::COMMIT_ATTEMPTS {
            let current = self.house.store.registration_task(task_id).await?.ok_or(Error::Conflict)?;
            let status = registration_task::end(current.status, ending).ok_or(Error::Conflict)?;
            let message = message.as_deref().filter(|_| status == TaskStatus::Failed);
            let now = self.house.clock.now();
            let mut batch = Batch::new();
            batch.advance_registration_task(task_id, turn, &progress, now, now);
            batch.end_registration_task(task_id, turn, current.status, status, message, now);
            match self.commit(batch).await {
                // Somebody asked for a stop meanwhile.
                Err(Error::Conflict) if current.turn == *turn => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    let Progress { line, successes, failures, .. } = progress;
                    let scope = self.task.scope;
                    tracing::info!(
                        %task_id, %scope, %status, lines = line, successes, failures, message,
                        "a registration task ended"
                    );
                    return Ok(());
                }
            }
        }
        Err(Error::Conflict)
    }

    async fn commit(&self, batch: Batch) -> Result<(), Error> {
        self.house.store.commit(batch, self.house.clock.now()).await
    }

    fn unreadable(&self, error: &InputError) -> String {
        format!("the object {} in bucket {} cannot be read: {error}", self.task.key, self.task.bucket)
    }
}

fn beat() -> Interval {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

/// A line or the reader panicked: the turn ends, and the next goes on before it.
fn broken_off(error: JoinError) -> Error {
    Error::Unavailable(format!("a registration task broke off: {error}"))
}
