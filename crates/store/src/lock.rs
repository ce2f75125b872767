//! One server per data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::Error;

/// Holds the data directory until it is dropped or the process ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

/// Takes the data directory for this process: an exclusive lock on the file `lock` in it. The directory is made when
/// missing. Commands that work beside a running server do not take it.
///
/// # Errors
/// [`Error::Locked`] when another process has it; [`Error::Unavailable`] when the directory cannot be written.
pub fn lock_data_dir(dir: &Path) -> Result<DataDirLock, Error> {
    let unusable = |path: &Path, why: &dyn std::fmt::Display| {
        Error::Unavailable(format!(
            "{} cannot be used: {why}: make it a directory that this user may write",
            path.display()
        ))
    };
    crate::engine::make_private_dir(dir).map_err(|why| unusable(dir, &why))?;
    let path = dir.join("lock");
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|why| unusable(&path, &why))?;
    match file.try_lock() {
        Ok(()) => Ok(DataDirLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(dir.to_owned())),
        Err(TryLockError::Error(why)) => Err(unusable(&path, &why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_has_one_server() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock_data_dir(dir.path()).unwrap();
        assert_eq!(lock_data_dir(dir.path()).unwrap_err(), Error::Locked(dir.path().to_owned()));
        drop(held);
        assert!(lock_data_dir(dir.path()).is_ok());
    }

    #[test]
    fn an_unusable_data_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let text = lock_data_dir(&file.join("data")).unwrap_err().to_string();
        assert!(text.contains(&file.join("data").display().to_string()), "{text}");
    }
}
