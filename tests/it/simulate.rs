//! `biplane simulate` as a process: one seed is one run, in every process, and failures are told.

use std::process::{Command, Output};

use crate::process::BIPLANE;

fn simulate(args: &[&str]) -> Output {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/simulations");
    Command::new(BIPLANE).arg("simulate").args(args).current_dir(dir).output().unwrap()
}

#[test]
fn one_seed_is_one_digest_in_two_processes() {
    let run = |jobs| simulate(&["--seeds", "15..17", "--json", "--jobs", jobs]);
    let (first, second) = (run("1"), run("2"));
    assert!(first.status.success(), "{first:?}");
    assert_eq!(first.stdout, second.stdout);
    let said: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(said["seeds"], 3);
    assert_eq!(said["digest"].as_str().unwrap().len(), 16);
    let other = simulate(&["--seeds", "18..20", "--json"]);
    let other: serde_json::Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_ne!(said["digest"], other["digest"]);
}

#[test]
fn scenarios_are_run_from_files() {
    let ended = simulate(&["plane-dies.txt", "one-observer-blind.txt"]);
    assert!(ended.status.success(), "{ended:?}");
    let said = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(said.matches("passed").count(), 2, "{said}");
}

#[test]
fn what_is_printed_of_a_scenario_tells_no_path_and_no_time() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/simulations/plane-dies.txt");
    let (near, far) = (simulate(&["--json", "plane-dies.txt"]), simulate(&["--json", path]));
    assert!(near.status.success(), "{near:?}");
    assert_eq!(near.stdout, far.stdout);
}

#[test]
fn a_scenario_whose_demand_is_not_met_fails_and_says_which() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wrong.txt");
    std::fs::write(&path, "at 5s plane east dead\nrun 15s\nnever automatic switchover\n").unwrap();
    let ended = simulate(&[path.to_str().unwrap()]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        String::from_utf8(ended.stdout).unwrap().contains("line 3: never automatic switchover")
    );
}

#[test]
fn a_scenario_that_is_not_understood_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("garbled.txt");
    std::fs::write(&path, "must hold a leader\nat noon dance\n").unwrap();
    let ended = simulate(&[path.to_str().unwrap()]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(String::from_utf8(ended.stderr).unwrap().contains("line 2: `noon` is not a time"));
}
