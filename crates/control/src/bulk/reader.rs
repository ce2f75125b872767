//! Reads an input file line by line, ahead of whoever carries the lines out, but by a line only. A connection that breaks off
//! is made again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::registration_task::Progress;
use gatehouse_domain::registration_task::lines::{Line, Lines};
use gatehouse_store::{InputFileRecord, RegistrationTaskRecord};
use tokio::sync::mpsc;

use super::bucket::{Bucket, InputError, OpenFile};
use crate::call::House;

/// How often a file is opened again before it is said that it cannot be read.
const ATTEMPTS: u32 = 7;
/// Before the second attempt; doubled before each that follows.
const PAUSE: Duration = Duration::from_millis(200);

/// An input file, opened at some place.
pub(super) struct Reader {
    house: Arc<House>,
    bucket: Arc<Bucket>,
    task: Arc<RegistrationTaskRecord>,
    file: OpenFile,
    lines: Lines,
}

/// What was read.
pub(super) enum Read {
    /// A line.
    Line(Line),
    /// The file's end: so many lines, so many bytes.
    End(u64, u64),
}

impl Reader {
    /// Opens the input file of `task` where its progress ends.
    pub(super) async fn open(
        house: Arc<House>,
        bucket: Arc<Bucket>,
        task: Arc<RegistrationTaskRecord>,
    ) -> Result<Self, InputError> {
        let Progress { position, line, .. } = task.progress;
        let file = opened(&house, &bucket, &task, position, task.input_file.as_ref()).await?;
        Ok(Self { house, bucket, task, file, lines: Lines::behind(line, position) })
    }

    /// How the file was found.
    pub(super) const fn found(&self) -> &InputFileRecord {
        &self.file.found
    }

    /// Hands over all lines, and the end, until nobody takes them any more.
    pub(super) async fn run(mut self, sender: mpsc::Sender<Read>) -> Result<(), InputError> {
        while let Some(part) = self.part().await? {
            let mut rest: &[u8] = &part;
            while let Some(line) = self.lines.next(&mut rest) {
                if sender.send(Read::Line(line)).await.is_err() {
                    return Ok(());
                }
            }
            // A file of blanks hands over nothing, and must not keep others from running.
            tokio::task::yield_now().await;
        }
        if let Some(line) = self.lines.last() {
            let _nobody_cares = sender.send(Read::Line(line)).await;
        }
        let _nobody_cares = sender.send(Read::End(self.lines.number(), self.lines.position())).await;
        Ok(())
    }

    /// The next part of the file. A connection that breaks off again and again without a part is given up.
    async fn part(&mut self) -> Result<Option<Bytes>, InputError> {
        for _ in 1..ATTEMPTS {
            match self.file.next().await {
                Err(error) if error.is_passing() => {
                    tell(&self.task, &error);
                    tokio::time::sleep(PAUSE).await;
                    let found = self.file.found.clone();
                    let position = self.lines.position();
                    self.file = opened(&self.house, &self.bucket, &self.task, position, Some(&found)).await?;
                }
                read => return read,
            }
        }
        self.file.next().await
    }
}

/// Opens the file, more than once where that may help.
async fn opened(
    house: &House,
    bucket: &Bucket,
    task: &RegistrationTaskRecord,
    from: u64,
    known: Option<&InputFileRecord>,
) -> Result<OpenFile, InputError> {
    let mut pause = PAUSE;
    let mut attempt = 1;
    loop {
        match bucket.open(&task.bucket, &task.key, from, known, house.clock.now()).await {
            Err(error) if error.is_passing() && attempt < ATTEMPTS => {
                tell(task, &error);
                tokio::time::sleep(pause).await;
                pause *= 2;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

fn tell(task: &RegistrationTaskRecord, error: &InputError) {
    let cause = match error {
        InputError::Unreachable(cause) => Some(cause),
        _ => None,
    };
    let (task_id, bucket) = (&task.task_id, &task.bucket);
    tracing::warn!(%task_id, %bucket, scope = %task.scope, %error, cause, "an input file cannot be read at the moment");
}
