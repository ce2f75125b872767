//! A bucket that is a folder. A key is walked down folder by folder, from the bucket's own, without following any link: so
//! it never leads out, whatever others change meanwhile.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use bytes::Bytes;
use gatehouse_domain::registration_task::input::ObjectKey;
use gatehouse_store::InputFileRecord;
use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::Errno;

use super::bucket::{FileBody, InputError};

/// Bytes that are read at once.
const PART_BYTES: u64 = 128 * 1024;

/// A folder.
pub(super) struct Folder(PathBuf);

/// An open file.
pub(super) struct FolderFile(Option<File>);

impl Folder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) async fn open(&self, key: &ObjectKey, from: u64) -> Result<(InputFileRecord, FileBody), InputError> {
        let (root, key) = (self.0.clone(), key.clone());
        on_a_thread(move || {
            let mut file = open_below(&root, &key)?;
            let found = found(&file)?;
            file.seek(SeekFrom::Start(from)).map_err(|error| unreadable(&error))?;
            Ok((found, FileBody::Folder(FolderFile(Some(file)))))
        })
        .await
    }
}

impl FolderFile {
    /// The next part of a file of which `left` bytes are left.
    pub(super) async fn next(&mut self, left: u64) -> Result<Option<Bytes>, InputError> {
        let mut file = self.take()?;
        let (file, part) = on_a_thread(move || {
            let mut part = Vec::new();
            (&mut file).take(left.min(PART_BYTES)).read_to_end(&mut part).map_err(|error| unreadable(&error))?;
            Ok((file, part))
        })
        .await?;
        self.0 = Some(file);
        // It was longer.
        if part.is_empty() { Err(InputError::Changed) } else { Ok(Some(part.into())) }
    }

    /// Whether the file is what it was.
    pub(super) async fn check(&mut self, before: &InputFileRecord) -> Result<(), InputError> {
        let file = self.take()?;
        let now = on_a_thread(move || found(&file)).await?;
        if now == *before { Ok(()) } else { Err(InputError::Changed) }
    }

    fn take(&mut self) -> Result<File, InputError> {
        self.0.take().ok_or_else(|| InputError::Unreachable("an earlier read did not end".to_owned()))
    }
}

fn open_below(root: &PathBuf, key: &ObjectKey) -> Result<File, InputError> {
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = open(root, folder, Mode::empty()).map_err(refused)?;
    let mut segments = key.segments().peekable();
    while let Some(segment) = segments.next() {
        let flags = if segments.peek().is_some() {
            folder | OFlags::NOFOLLOW
        } else {
            // A pipe must not make anybody wait for a writer.
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
        };
        at = openat(&at, segment, flags, Mode::empty()).map_err(refused)?;
    }
    Ok(at.into())
}

/// How the file is found.
fn found(file: &File) -> Result<InputFileRecord, InputError> {
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(InputError::NotAFile);
    }
    let version = format!("{}-{}.{:09}", metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
    Ok(InputFileRecord { length: metadata.len(), version })
}

fn refused(error: Errno) -> InputError {
    match error {
        Errno::NOENT | Errno::NAMETOOLONG => InputError::Missing,
        Errno::LOOP | Errno::NOTDIR | Errno::NXIO | Errno::NODEV => InputError::NotAFile,
        Errno::ACCESS | Errno::PERM => InputError::Denied,
        _ => InputError::Unreachable(error.to_string()),
    }
}

fn unreadable(error: &io::Error) -> InputError {
    InputError::Unreachable(error.to_string())
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, InputError> + Send + 'static,
) -> Result<T, InputError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| InputError::Unreachable(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    async fn read(folder: &Path, key: &str, from: u64) -> Result<Vec<u8>, InputError> {
        let bucket = super::super::bucket::Bucket::of_folder("123456789012".parse().unwrap(), folder.to_owned());
        let now = gatehouse_domain::time::Timestamp::from_secs(0);
        let mut file = bucket.open(&"input".parse().unwrap(), &key.parse().unwrap(), from, None, now).await?;
        let mut found = Vec::new();
        while let Some(part) = file.next().await? {
            found.extend_from_slice(&part);
        }
        Ok(found)
    }

    #[tokio::test]
    async fn a_file_is_read_from_any_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        let text: Vec<u8> = (0..700_000).map(|number: u32| number.to_be_bytes()[3]).collect();
        std::fs::write(folder.path().join("a/b/input.json"), &text).unwrap();
        for from in [0, 1, 131_072, 699_999, 700_000] {
            let found = read(folder.path(), "a/b/input.json", from as u64).await;
            assert_eq!(found.as_deref(), Ok(&text[from..]), "{from}");
        }
        assert_eq!(read(folder.path(), "a/b/input.json", 700_001).await, Err(InputError::Changed));
        std::fs::write(folder.path().join("empty"), "").unwrap();
        assert_eq!(read(folder.path(), "empty", 0).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn no_key_leads_out_of_the_folder_or_to_anything_but_a_file() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "hush").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("folder")).unwrap();
        std::fs::write(at("folder/file"), "{}").unwrap();
        symlink(outside.path().join("secret"), at("link")).unwrap();
        symlink(outside.path(), at("folder/up")).unwrap();
        symlink("file", at("folder/inner")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(pipe.success());
        for (key, expected) in [
            ("nothing", InputError::Missing),
            ("folder/nothing", InputError::Missing),
            ("link", InputError::NotAFile),
            ("folder/up/secret", InputError::NotAFile),
            ("folder/inner", InputError::NotAFile),
            ("loop", InputError::NotAFile),
            ("folder", InputError::NotAFile),
            ("folder/file/x", InputError::NotAFile),
            ("socket", InputError::NotAFile),
            ("pipe", InputError::NotAFile),
            (&"x".repeat(300), InputError::Missing),
        ] {
            assert_eq!(read(folder.path(), key, 0).await, Err(expected), "{key}");
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_read_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, vec![b'x'; 300_000]).unwrap();
        let bucket = super::super::bucket::Bucket::of_folder("123456789012".parse().unwrap(), folder.path().to_owned());
        let (name, key) = ("input".parse().unwrap(), "input".parse().unwrap());
        let now = gatehouse_domain::time::Timestamp::from_secs(0);
        let shorter = |length: u64| File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
        let open = async |known: Option<&InputFileRecord>| bucket.open(&name, &key, 0, known, now).await;

        let mut file = open(None).await.ok().unwrap();
        file.next().await.unwrap();
        shorter(200_000);
        file.next().await.unwrap();
        assert_eq!(file.next().await, Err(InputError::Changed));
        assert_eq!(open(Some(&file.found)).await.err(), Some(InputError::Changed));

        let mut file = open(None).await.ok().unwrap();
        while file.left > 0 {
            file.next().await.unwrap();
        }
        shorter(400_000);
        assert_eq!(file.next().await, Err(InputError::Changed));
    }
}
