//! The JavaScript packages of the client tests, in `target/node`: exactly what the lock file names, installed anew when it
//! changes. No script of a package is run.

use std::path::PathBuf;

use crate::command::{Outcome, fail, program, read_file, root, run_quietly};

/// The folder of the packages; they are installed first when they are missing or out of date.
pub(crate) fn modules() -> Outcome<PathBuf> {
    let folder = root().join("target/node");
    let modules = folder.join("node_modules");
    let sources = root().join("tests/clients/js");
    let wanted = read_file(&sources.join("package-lock.json"))?;
    // Written last, so that half of the packages are never taken for all.
    let installed = folder.join("installed.lock");
    if modules.is_dir() && std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(modules);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(sources.join(file), folder.join(file))?;
    }
    let mut install = program("npm");
    install.current_dir(&folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    run_quietly(&mut install)?;
    std::fs::write(&installed, wanted)?;
    if modules.is_dir() { Ok(modules) } else { fail("npm has installed no packages") }
}
