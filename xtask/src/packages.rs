//! Programs of the system that the tests call: looked for first, installed through apt-get only where one is missing and we may.

use std::path::{Path, PathBuf};

use crate::command::{Outcome, fail, on_path, program, read, run_quietly};

/// Program and the Debian package that brings it.
const PROGRAMS: &[(&str, &str)] = &[
    ("cc", "gcc"),
    ("curl", "curl"),
    ("initdb", "postgresql"),
    ("mosquitto_pub", "mosquitto-clients"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("openssl", "openssl"),
    ("psql", "postgresql-client"),
    ("setpriv", "util-linux"),
];

/// Makes sure that every program is there.
pub(crate) fn ensure() -> Outcome {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !is_root()? {
        return fail(format!(
            "these packages are missing: {names}. Install them (apt-get install {names}), then try again"
        ));
    }
    println!("   installing {names}");
    let apt = || {
        let mut command = program("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run_quietly(apt().args(["update", "--quiet"]))?;
    run_quietly(apt().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(&missing))?;
    let still = self::missing();
    if still.is_empty() { Ok(()) } else { fail(format!("still missing after apt-get: {}", still.join(" "))) }
}

/// Whether we run as root.
pub(crate) fn is_root() -> Outcome<bool> {
    Ok(read(program("id").arg("-u"))?.trim() == "0")
}

/// A program of PostgreSQL's server, which Debian keeps off the PATH. The newest version wins.
pub(crate) fn postgres_program(name: &str) -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
        .filter(|file| file.is_file())
        .collect();
    versions.sort_by_key(|file| major_version(file));
    versions.pop().or_else(|| on_path(name))
}

fn major_version(file: &Path) -> u32 {
    file.components().filter_map(|part| part.as_os_str().to_str()?.parse().ok()).next_back().unwrap_or(0)
}

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(name, _)| match *name {
            "initdb" => postgres_program(name).is_none(),
            _ => on_path(name).is_none(),
        })
        .map(|(_, package)| *package)
        .collect();
    // Debian's python3 makes environments only with this package; others bring it along.
    let can_make_environments =
        program("python3").args(["-c", "import ensurepip, venv"]).status().is_ok_and(|status| status.success());
    if !can_make_environments {
        packages.push("python3-venv");
    }
    if packages.contains(&"gcc") {
        packages.push("libc6-dev");
    }
    packages
}
