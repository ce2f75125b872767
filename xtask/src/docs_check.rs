//! Keeps the pages true: every path they name exists, every relative link leads somewhere, every decision is listed.

use std::path::{Path, PathBuf};

use crate::command::{Outcome, fail, read_file, root};
use crate::workspace::default_runs;

/// Pages that must exist, besides those in docs.
const PAGES: &[&str] = &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "bench/README.md", "fuzz/README.md"];

/// What a path of the repository begins with. Folders that do not exist any more must stay, or their names pass unseen.
const TOP_FOLDERS: &[&str] = &[".cargo", ".ci", "bench", "crates", "docs", "examples", "fuzz", "tests", "xtask"];

/// Checks every page.
pub(crate) fn check() -> Outcome {
    let mut findings = Vec::new();
    let mut pages: Vec<PathBuf> = Vec::new();
    for name in PAGES {
        let page = root().join(name);
        if page.is_file() { pages.push(page) } else { findings.push(format!("{name} is missing")) }
    }
    collect_pages(&root().join("docs"), &mut pages)?;
    for page in &pages {
        let text = read_file(page)?;
        let shown = page.strip_prefix(root()).unwrap_or(page).display().to_string();
        findings.extend(broken(page, &text).into_iter().map(|what| format!("{shown}: {what}")));
    }
    if !root().join("docs/divergences.md").is_file() {
        findings.push("docs/divergences.md is missing: every difference from AWS stands there".into());
    }
    findings.extend(unlisted_decisions()?);
    let runs = default_runs()?;
    if runs != ["gatehouse"] {
        findings.push(format!("README.md: `cargo run` runs the program, but manifests say default-run = {runs:?}"));
    }
    if findings.is_empty() {
        println!("   {} pages name only what exists", pages.len());
        return Ok(());
    }
    fail(findings.join("\n"))
}

fn collect_pages(folder: &Path, pages: &mut Vec<PathBuf>) -> Outcome {
    if !folder.is_dir() {
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect_pages(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// Architecture decisions that the list beside them does not name.
fn unlisted_decisions() -> Outcome<Vec<String>> {
    let folder = root().join("docs/adr");
    let mut decisions = Vec::new();
    collect_pages(&folder, &mut decisions)?;
    let list = folder.join("README.md");
    let listed = if list.is_file() { read_file(&list)? } else { String::new() };
    let names = decisions.iter().filter(|page| **page != list).filter_map(|page| page.file_name()?.to_str());
    let missing = names.filter(|name| !listed.contains(*name));
    Ok(missing.map(|name| format!("docs/adr/README.md does not list {name}")).collect())
}

/// What a page names that does not exist.
fn broken(page: &Path, text: &str) -> Vec<String> {
    let folder = page.parent().unwrap_or(page);
    let mut findings = Vec::new();
    let mut is_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            continue;
        }
        if is_code {
            continue;
        }
        let paths = code_spans(line).filter_map(repository_path).filter(|path| !root().join(path).exists());
        findings.extend(paths.map(|path| format!("line {number}: `{path}` does not exist")));
        let links = link_targets(line).filter_map(relative_target).filter(|target| !folder.join(target).exists());
        findings.extend(links.map(|target| format!("line {number}: the link to {target} leads nowhere")));
    }
    findings
}

fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The path that a code span names, if it is one of the repository: no blanks, no placeholders, a known beginning.
fn repository_path(span: &str) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let path = span.split(['#', ':']).next()?;
    if path.is_empty() || !path.chars().all(is_plain) {
        return None;
    }
    match path.split_once('/') {
        Some((first, _)) => TOP_FOLDERS.contains(&first).then_some(path),
        None => path.ends_with(".md").then_some(path),
    }
}

/// The targets of `[text](target)` on a line, code spans left out.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').step_by(2).flat_map(|text| text.split("](").skip(1)).filter_map(|rest| rest.split(')').next())
}

/// The file that a relative link leads to; nothing for other pages of the web and places of the same page.
fn relative_target(target: &str) -> Option<&str> {
    let file = target.split(['#', ' ']).next()?;
    let is_elsewhere = file.is_empty() || file.contains("://") || file.starts_with("mailto:");
    (!is_elsewhere).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_links_that_lead_nowhere_are_found() {
        let page = root().join("CONTRIBUTING.md");
        let table = [
            ("see `xtask/src/main.rs` and [it](xtask/Cargo.toml)", 0),
            ("see `crates/nowhere`", 1),
            ("see `crates/domain:12` and `docs/*.md`, `target/venv`, `cargo xtask test`, `a/b`", 0),
            ("see `NOWHERE.md`", 1),
            ("[a](nowhere.md) and [b](xtask/nowhere.md#part)", 2),
            ("[a](https://example.com/nowhere) [b](#part) `[c](nowhere.md)`", 0),
            ("```\n`crates/nowhere`\n```\n`crates/nowhere`", 1),
        ];
        for (text, expected) in table {
            assert_eq!(broken(&page, text).len(), expected, "{text}: {:?}", broken(&page, text));
        }
    }
}
