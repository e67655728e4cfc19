//! `biplane simulate --cluster FILE` as a process: what can go wrong with somebody's timers, which setting to change, and
//! the same seeds once more with that.

use std::process::{Command, Output};

use crate::process::BIPLANE;

fn simulate(args: &[&str]) -> Output {
    Command::new(BIPLANE)
        .arg("simulate")
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn said(ended: &Output) -> String {
    String::from_utf8(ended.stdout.clone()).unwrap()
}

/// The file is bad by one setting: the output ends with it, its value, and a run that passes.
fn is_bad(name: &str, trial: &str, what: &str, key: &str) {
    let file = format!("simulations/clusters/{name}.toml");
    let ended = simulate(&["--cluster", &file, "--trial", trial, "--seeds", "2"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let said = said(&ended);
    let finding = said.find(what).unwrap_or_else(|| panic!("{what} is not found: {said}"));
    let look = format!("look at it: biplane simulate --cluster {file} --trial {trial} --seeds ");
    let advice = format!("raise {key}: it is ");
    for wanted in [&look, &advice] {
        assert!(said[finding..].contains(wanted.as_str()), "{wanted}: {said}");
    }
    let last = said.lines().last().unwrap();
    assert!(last.starts_with(&format!("with {key} = ")), "{said}");
    assert!(last.ends_with(": 2 seeds, nothing found"), "{said}");

    // The command that shows it does.
    let command = said[finding..].split("look at it: biplane simulate ").nth(1).unwrap();
    let shown: Vec<&str> = command.lines().next().unwrap().split(' ').collect();
    let story = simulate(&shown);
    assert_eq!(story.status.code(), Some(1), "{story:?}");
    assert!(self::said(&story).contains(what), "{story:?}");
}

#[test]
fn elections_that_come_too_soon_are_found_and_the_timer_that_ends_them() {
    let what = "the members elect a leader anew though the one that they have is well";
    is_bad("elections-too-soon", "calm", what, "timing.election_min");
}

#[test]
fn a_hiccup_that_moves_a_group_is_found_and_how_many_failures_it_takes() {
    let what = "a hiccup of web moves shop";
    is_bad("one-failure-is-enough", "hiccup", what, "services.web.checks.page.fall");
}

#[test]
fn a_group_that_is_chased_from_plane_to_plane_is_found_and_its_dwell() {
    let what = "a fault that follows its traffic moves shop there and back";
    is_bad("no-dwell", "flapping", what, "groups.shop.dwell");
}

#[test]
fn a_good_file_passes_the_search_and_every_trial_and_what_is_left_out_is_said() {
    let ended = simulate(&["--search", "--cluster", "config/cluster.toml", "--seeds", "2"]);
    assert!(ended.status.success(), "{ended:?}");
    let said = said(&ended);
    for wanted in [
        "config/cluster.toml: 3 members, 2 services, 1 group",
        "not simulated:\n",
        "what trials take for ordinary:\n",
        ", 0 violations, ",
        "trial calm: 2 seeds, nothing found",
        "trial hiccup: 2 seeds, nothing found",
        "trial flapping: left out, no group has mode = \"auto\"",
        "trial approval: 2 seeds, nothing found",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(!said.contains("\nwith "), "nothing is advised: {said}");
}

#[test]
fn programs_are_told_the_same() {
    let file = "simulations/clusters/elections-too-soon.toml";
    let ended = simulate(&["--cluster", file, "--trial", "calm", "--seeds", "1", "--json"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let json: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&json["passed"], &json["findings"][0]["cured"]), (&false.into(), &true.into()));
    let advice = &json["findings"][0]["advice"][0];
    assert_eq!(
        (&advice["key"], &advice["now"]),
        (&"timing.election_min".into(), &"\"120ms\"".into())
    );
    assert_eq!(json["rerun"]["found"], serde_json::json!([]));
}

#[test]
fn a_file_with_faults_is_refused_with_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cluster.toml");
    let good = include_str!("../../config/cluster.toml");
    let bad = good.replace("fall = 3", "fall = 0").replace("dwell = \"60s\"", "dwell = \"soon\"");
    std::fs::write(&path, bad).unwrap();
    let ended = simulate(&["--search", "--cluster", path.to_str().unwrap(), "--seeds", "1"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("fall") && told.contains("dwell"), "{told}");
    let story = simulate(&["--cluster", "config/cluster.toml", "--story"]);
    assert_eq!(story.status.code(), Some(2), "{story:?}");
}
