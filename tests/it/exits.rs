//! How the binary ends: the documented exit codes.

use std::path::Path;
use std::process::{Command, Output, Stdio};

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
fn init_says_what_is_wrong_with_its_members_and_writes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("new");
    for (members, words) in [
        ("a,a,b", "member `a` is named twice"),
        ("a,b", "2 members: a majority needs an odd number"),
        ("a=127.0.0.1:7410,b=127.0.0.2,c=127.0.0.3", "has a port: write the address alone"),
        ("a=here,b=127.0.0.2,c=127.0.0.3", "`here` is not an IP address"),
        ("A,b,c", "is not a name"),
        ("a,b,c,d,e", "5 members and only 3 sites"),
    ] {
        let ended = biplane(&["init", dir.to_str().unwrap(), "--members", members]);
        assert_eq!(ended.status.code(), code(Exit::Usage), "{members}: {ended:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains(words) && said.contains("next: "), "{members}: {said}");
        assert!(!dir.exists(), "{members}");
    }
}

#[test]
fn what_is_refused_is_no_mistake_of_the_command_line() {
    let temp = tempfile::tempdir().unwrap();
    let (file, dir) = (temp.path().join("cluster.toml"), temp.path().to_str().unwrap());
    std::fs::write(&file, b"cluster = \"\xff\"").unwrap();
    let file = file.to_str().unwrap();
    for args in [
        &["init", dir][..],
        &["init", "unused", "--cluster-file", file],
        &["config", "check", file],
        &["config", "check", "nowhere.toml"],
        &["node", "nowhere.toml"],
        &["gateway", file],
    ] {
        let ended = biplane(args);
        assert_eq!(ended.status.code(), code(Exit::Failed), "{args:?}: {ended:?}");
    }
    assert!(!Path::new("unused").exists());
}

#[test]
fn what_could_not_be_printed_was_not_done_and_a_reader_who_left_is_no_fault() {
    let into = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_biplane"));
        command.args(["config", "check", "config/cluster.toml"]).stdout(out);
        command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
    };
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ended = into(full.into());
    assert_eq!(ended.status.code(), code(Exit::Failed));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("standard output") && said.contains("next: "), "{said}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = into(writer.into());
    assert_eq!((ended.status.code(), ended.stderr), (code(Exit::Done), Vec::new()));
}

/// A new cluster's directory, changed in one place, and what a command then says.
fn refused_with(change: impl Fn(&Path), args: impl Fn(&str) -> Vec<String>, words: &str) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("cluster");
    let dir_name = dir.to_str().unwrap();
    assert!(biplane(&["init", dir_name, "--members", "a,b,c"]).status.success());
    change(&dir);
    let args = args(dir_name);
    let ended = biplane(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ended.status.code(), code(Exit::Failed), "{ended:?}");
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains(words), "{said}");
}

#[test]
fn files_that_init_made_for_another_or_that_are_gone_are_named_with_what_to_do() {
    let node = |dir: &str| vec!["node".to_owned(), format!("{dir}/a/node.toml")];
    let status = |dir: &str| ["--dir", dir, "status"].map(str::to_owned).to_vec();
    let swap = |dir: &Path| {
        for file in ["member.crt", "member.key"] {
            std::fs::copy(dir.join("b").join(file), dir.join("a").join(file)).unwrap();
        }
    };
    refused_with(swap, node, "is not the certificate of member a");
    for file in ["ca.crt", "member.crt", "member.key", "tokens"] {
        let gone = |dir: &Path| std::fs::remove_file(dir.join("a").join(file)).unwrap();
        refused_with(gone, node, "`biplane init` makes this file");
        let emptied = |dir: &Path| std::fs::write(dir.join("a").join(file), "").unwrap();
        refused_with(emptied, node, "`biplane init` makes this file");
    }
    let two = |dir: &Path| std::fs::write(dir.join("token"), "bp_one\nbp_two\n").unwrap();
    refused_with(two, status, "holds more than one word");
    let other = |dir: &Path| std::fs::write(dir.join("a/data/birth-token"), "made up").unwrap();
    refused_with(other, node, "was not made by `biplane init`");
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
