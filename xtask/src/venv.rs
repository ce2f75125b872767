//! The Python environment of the client tests, in `target/venv`: exactly what the lock file names, made anew when it changes.

use std::path::PathBuf;

use crate::command::{Outcome, fail, program, read_file, root, run};

/// The environment's interpreter; the environment is made first when it is missing or out of date.
pub(crate) fn python() -> Outcome<PathBuf> {
    let folder = root().join("target/venv");
    let interpreter = folder.join("bin/python");
    let lock = root().join("tests/clients/requirements.lock");
    let wanted = read_file(&lock)?;
    // Written last, so that a half-made environment is never taken for a whole one.
    let installed = folder.join("installed.lock");
    if interpreter.exists() && std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(interpreter);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    run(program("python3").args(["-m", "venv"]).arg(&folder))?;
    run(program(&interpreter)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement"])
        .arg(&lock))?;
    std::fs::write(&installed, wanted)?;
    if interpreter.exists() { Ok(interpreter) } else { fail("the Python environment has no interpreter") }
}
