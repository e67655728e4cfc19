//! How the binary ends: the documented exit codes.

use std::process::{Command, Output};

use biplane::cli::exit::Exit;

fn biplane(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_biplane"))
        .args(args)
        .env_remove("BIPLANE_DIR")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap()
}

fn code(exit: Exit) -> Option<i32> {
    Some(exit.code().into())
}

#[test]
fn help_and_version_are_no_mistakes() {
    assert_eq!(biplane(&["--version"]).status.code(), code(Exit::Done));
    let help = biplane(&["--help"]);
    assert_eq!(help.status.code(), code(Exit::Done));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit codes:"));
}

#[test]
fn a_command_line_that_makes_no_sense_is_usage() {
    for args in [&["swich"][..], &[], &["switch", "SHOP"], &["status"], &["explain", "../x"]] {
        let ended = biplane(args);
        assert_eq!(ended.status.code(), code(Exit::Usage), "{args:?}: {ended:?}");
        assert!(ended.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_failure_says_what_to_do_next_and_in_json_as_json() {
    let ended = biplane(&["status"]);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.starts_with("biplane: ") && said.contains("next: "), "{said}");
    let ended = biplane(&["status", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&ended.stderr).unwrap();
    assert_eq!(said["exit"], Exit::Usage.code());
}

#[test]
fn a_child_that_is_not_ours_is_refused() {
    let ended = biplane(&["status", "--parent", "1"]);
    assert_eq!(ended.status.code(), code(Exit::Failed), "{ended:?}");
}

#[test]
fn the_document_lists_every_exit_code_as_the_program_means_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/exit-codes.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<String> = text
        .lines()
        .filter(|line| {
            line.starts_with("| ") && line[2..].starts_with(|c: char| c.is_ascii_digit())
        })
        .map(|line| line.split('|').map(str::trim).skip(1).take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let meant = Exit::ALL.map(|exit| format!("{} {}", exit.code(), exit.meaning()));
    assert_eq!(rows, meant);
}
