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
fn a_trace_is_printed_or_written_as_lines_or_as_a_page_of_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let printed = |args: &[&str]| {
        let ended = simulate(args);
        assert!(ended.status.success(), "{ended:?}");
        String::from_utf8(ended.stderr).unwrap().contains("takes: time passed")
    };
    assert!(printed(&["plane-dies.txt", "--trace"]) && printed(&["--trace", "plane-dies.txt"]));
    assert!(printed(&["--seeds", "7..7", "--trace"]) && !printed(&["plane-dies.txt"]));

    let (lines, page) = (path("a.jsonl"), path("b.html"));
    assert!(!printed(&["plane-dies.txt", "--trace", &lines]));
    assert!(!printed(&["--seeds", "7..7", "--trace", &page]));
    let lines = std::fs::read_to_string(lines).unwrap();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["type"], &first["title"]), (&"run".into(), &"plane-dies".into()));
    let again = path("again.jsonl");
    assert!(!printed(&["plane-dies.txt", "--trace", &again]));
    assert!(std::fs::read_to_string(again).unwrap() == lines, "one run is one file");
    assert!(std::fs::read_to_string(page).unwrap().contains("<title>seed 7 "));
}

#[test]
fn a_picture_of_more_than_one_run_is_refused_with_what_to_write() {
    let refused = |args: &[&str], why: &str, next: &str| {
        let ended = simulate(args);
        assert_eq!(ended.status.code(), Some(2), "{args:?}: {ended:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains(why) && said.contains(next), "{args:?}: {said}");
    };
    let one = "--seeds 7..7";
    refused(&["--seeds", "3", "--trace", "no.html"], "shows one run, and these are 3", one);
    let two = ["plane-dies.txt", "one-observer-blind.txt", "--trace", "no.jsonl"];
    refused(&two, "shows one run, and these are 2", "name one scenario file");
    refused(
        &["--seeds", "7..7", "--trace", "no.png"],
        "neither in .html nor in .jsonl",
        "FILE.html",
    );
    refused(&["--trace"], "there is nothing to run", one);
    refused(&["--trace", "no.html"], "there is nothing to run", one);
}

#[test]
fn what_was_found_is_told_though_its_picture_cannot_be_written() {
    let ended = simulate(&["--seeds", "7..7", "--trace", "no-such-directory/seed.html"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let (said, why) =
        (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    assert!(said.contains("1 seeds of"), "{said}");
    assert!(why.contains("no-such-directory/seed.html cannot be written"), "{why}");
}

#[test]
fn what_would_do_nothing_or_could_not_be_written_is_refused_before_the_run() {
    let refused = |args: &[&str], code: i32, why: &str| {
        let ended = simulate(args);
        assert_eq!(ended.status.code(), Some(code), "{args:?}: {ended:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains(why), "{args:?}: {said}");
    };
    refused(&["plane-dies.txt", "--out", "x.txt"], 2, "nothing is shrunk");
    refused(&["--shrink", "7", "--out", "no-such-directory/x.txt"], 1, "cannot be written");
    refused(&["plane-dies.txt", "--trial", "calm"], 2, "none is named");
    refused(&["--shrink", "7", "--trial", "calm"], 2, "none is named");
    let cluster = ["--cluster", "../config/cluster.toml", "--trial", "calm"];
    refused(&[&cluster[..], &["--story", "--json"]].concat(), 2, "text for people");
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
