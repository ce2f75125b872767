//! Buckets, where input files lie: a folder of this machine, or one of an S3-compatible service. Each is one account's.
//!
//! A file is read from some byte to its end, a part at a time. It must stay as it was when it was opened first: what was
//! read before a change and what is read after it would not belong together.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_domain::registration_task::input::{BucketName, ObjectKey};
use gatehouse_domain::scope::AccountId;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::InputFileRecord;

use super::folder::{Folder, FolderFile};
use super::s3::{S3, S3File};

/// How long opening may take, and each part of a file.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bucket.
pub struct Bucket {
    account: AccountId,
    place: Place,
}

enum Place {
    Folder(Folder),
    S3(Box<S3>),
}

/// Why an input file is not read. The texts are for whoever started the task, and tell nothing about the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InputError {
    /// Nothing is there.
    #[error("there is no such object")]
    Missing,
    /// Not a file, or not one that is plainly there.
    #[error("it is not a regular file, or a symbolic link leads to it, and those are not followed")]
    NotAFile,
    /// The server's rights do not suffice.
    #[error("the server is not allowed to read it")]
    Denied,
    /// It is another than it was.
    #[error("it has changed since the task began: start another task with the new one")]
    Changed,
    /// The service does not do what it should.
    #[error("its storage gives an answer that cannot be used: {0}")]
    Unusable(String),
    /// It cannot be read now; the rest is for the log.
    #[error("its storage cannot be reached, or broke off")]
    Unreachable(String),
}

impl InputError {
    /// Whether trying again may help.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

/// An open input file.
pub(super) struct OpenFile {
    /// How it was found.
    pub(super) found: InputFileRecord,
    body: FileBody,
    /// Bytes from here to its end.
    pub(super) left: u64,
}

pub(super) enum FileBody {
    Folder(FolderFile),
    S3(Box<S3File>),
    /// Nothing is left to be read.
    Empty,
}

impl Bucket {
    /// The files below `path` are `account`'s. The folder must be one that nobody writes whom that account would not trust.
    #[must_use]
    pub const fn of_folder(account: AccountId, path: PathBuf) -> Self {
        Self { account, place: Place::Folder(Folder::new(path)) }
    }

    /// The objects of a bucket of an S3-compatible service are `account`'s.
    #[must_use]
    pub fn of_s3(account: AccountId, s3: S3) -> Self {
        Self { account, place: Place::S3(Box::new(s3)) }
    }

    /// Whose it is.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// Opens the file `key` at the byte `from`; with `known`, as it was found before.
    pub(super) async fn open(
        &self,
        name: &BucketName,
        key: &ObjectKey,
        from: u64,
        known: Option<&InputFileRecord>,
        now: Timestamp,
    ) -> Result<OpenFile, InputError> {
        let opening = async {
            match &self.place {
                Place::Folder(folder) => folder.open(key, from).await,
                Place::S3(s3) => s3.open(name, key, from, known, now).await,
            }
        };
        let opened = tokio::time::timeout(PATIENCE, Box::pin(opening)).await.map_err(|_| late())?;
        let (found, body) = opened?;
        if known.is_some_and(|known| *known != found) {
            return Err(InputError::Changed);
        }
        let left = found.length.checked_sub(from).ok_or(InputError::Changed)?;
        Ok(OpenFile { found, body, left })
    }
}

impl OpenFile {
    /// The next part, of a few hundred kilobytes at most; `None` behind the last, when the file is still what it was.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, InputError> {
        let Self { found, body, left } = self;
        let reading = async {
            match body {
                FileBody::Folder(file) if *left == 0 => file.check(found).await.map(|()| None),
                FileBody::Folder(file) => file.next(*left).await,
                FileBody::S3(file) => file.next().await,
                FileBody::Empty => Ok(None),
            }
        };
        let part = tokio::time::timeout(PATIENCE, Box::pin(reading)).await.map_err(|_| late())??;
        match &part {
            None if *left > 0 => Err(InputError::Unreachable("the body ended early".to_owned())),
            None => Ok(None),
            Some(bytes) => {
                *left = left.checked_sub(bytes.len() as u64).ok_or(InputError::Changed)?;
                Ok(part)
            }
        }
    }
}

fn late() -> InputError {
    InputError::Unreachable(format!("nothing came within {} s", PATIENCE.as_secs()))
}
