//! `biplane config check`: reads configuration files as a node would, and tells every fault.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::render::printable;
use super::{Context, print, reach};
use crate::config::{
    Fault, Faults, Position, parse_client, parse_cluster, parse_gateway, parse_node, parse_observer,
};

/// One file as `--json` tells it.
#[derive(Debug, Serialize)]
struct FileReport {
    file: String,
    ok: bool,
    faults: Vec<FaultReport>,
    warnings: Vec<String>,
}

/// One fault; line and column count from 1, and are absent where no text could be read.
#[derive(Debug, Serialize)]
struct FaultReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    path: String,
    what: String,
    write: String,
}

pub(super) fn run(files: &[PathBuf], context: &Context) -> Result<Exit, Failure> {
    let mut reports = Vec::new();
    let mut words = String::new();
    for file in files {
        let (report, text) = check(file);
        words.push_str(&text);
        reports.push(report);
    }
    if context.shared.json {
        let json = serde_json::to_string_pretty(&reports)
            .map_err(|error| Failure::failed(error.to_string(), ""))?;
        print(&format!("{json}\n"));
    } else {
        print(&words);
    }
    Ok(if reports.iter().all(|report| report.ok) { Exit::Done } else { Exit::Failed })
}

fn check(file: &Path) -> (FileReport, String) {
    let name = file.display().to_string();
    let told = printable(&name);
    match reach::read_or(file).map(|read| read.and_then(|text| warnings_of(file, &name, &text))) {
        Ok(Ok(warnings)) => {
            let mut words = format!("{told}: ok\n");
            for warning in &warnings {
                words.push_str(&format!("  warning: {}\n", printable(warning)));
            }
            (FileReport { file: name, ok: true, faults: Vec::new(), warnings }, words)
        }
        Ok(Err(faults)) => {
            let list = faults.list().iter().map(|fault| of_fault(&faults, fault)).collect();
            let report = FileReport { file: name, ok: false, faults: list, warnings: Vec::new() };
            (report, format!("{faults}\n"))
        }
        Err(failure) => {
            let words = format!("{failure}\n");
            let Failure { what, next: write, .. } = failure;
            let fault = FaultReport { line: None, column: None, path: String::new(), what, write };
            let report =
                FileReport { file: name, ok: false, faults: vec![fault], warnings: Vec::new() };
            (report, words)
        }
    }
}

fn of_fault(faults: &Faults, fault: &Fault) -> FaultReport {
    let Position { line, column } = faults.position(fault);
    FaultReport {
        line: Some(line),
        column: Some(column),
        path: fault.path.clone(),
        what: fault.what.clone(),
        write: fault.write.clone(),
    }
}

/// The kind of a file: what its name begins with, or else what only such a file has.
fn kind_of(file: &Path, text: &str) -> &'static str {
    const KINDS: [&str; 5] = ["cluster", "node", "gateway", "client", "observer"];
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(kind) = KINDS.iter().find(|kind| name.starts_with(*kind)) {
        return kind;
    }
    let has = |key: &str| text.lines().any(|line| line.trim_start().starts_with(key));
    match () {
        () if has("[planes") || has("[members") => "cluster",
        () if has("data_dir") && has("observer") => "observer",
        () if has("data_dir") => "node",
        () if has("[[listen]]") => "gateway",
        () if has("controllers") => "client",
        () => "cluster",
    }
}

/// Reads a file of its kind.
fn warnings_of(file: &Path, name: &str, text: &str) -> Result<Vec<String>, Faults> {
    match kind_of(file, text) {
        "node" => parse_node(file, text).map(|_| Vec::new()),
        "observer" => parse_observer(file, text).map(|_| Vec::new()),
        "gateway" => parse_gateway(file, text).map(|_| Vec::new()),
        "client" => parse_client(file, text).map(|_| Vec::new()),
        _ => parse_cluster(name, text).map(|checked| checked.warnings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name_or_by_what_it_holds() {
        let kind = |name: &str, text: &str| kind_of(Path::new(name), text);
        assert_eq!(kind("a/node-1.toml", "[planes.east]"), "node");
        assert_eq!(kind("edge.toml", "name = \"x\"\ncontrollers = []\n[[listen]]\n"), "gateway");
        assert_eq!(kind("mine.toml", "controllers = []\n"), "client");
        assert_eq!(kind("mine.toml", " data_dir = \"data\"\n"), "node");
        assert_eq!(kind("mine.toml", "observer = \"x\"\ndata_dir = \"data\"\n"), "observer");
        assert_eq!(kind("mine.toml", "cluster = \"x\"\n[planes.east]"), "cluster");
        assert_eq!(kind("mine.toml", ""), "cluster");
    }
}
