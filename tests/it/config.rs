//! `biplane config check` on a table of broken files: what it says is committed beside each of them, and the
//! committed examples are sound. `REWRITE=1 cargo test --test it config` writes what it says now.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use biplane::kernel::domain::legible::steers;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `biplane config check` in the root of the tree, so that names in its words are relative.
fn check(files: &[&str], json: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_biplane"));
    command.current_dir(root()).args(["config", "check"]).args(files);
    if json {
        command.arg("--json");
    }
    command.output().unwrap()
}

fn broken_files() -> Vec<String> {
    let dir = std::fs::read_dir(root().join("tests/data/config")).unwrap();
    let mut files: Vec<PathBuf> = dir.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "toml"));
    files.sort();
    let name = |file: &PathBuf| file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    files.iter().map(name).collect()
}

#[test]
fn each_broken_file_is_told_what_stands_beside_it() {
    let files = broken_files();
    assert!(files.len() >= 15, "{files:?}");
    let mut other = Vec::new();
    for file in &files {
        let ended = check(&[file], false);
        assert_eq!(ended.status.code(), Some(1), "{file}: {ended:?}");
        let said = String::from_utf8(ended.stdout).unwrap();
        let beside = root().join(file).with_extension("txt");
        if std::env::var_os("REWRITE").is_some() {
            std::fs::write(&beside, &said).unwrap();
        }
        if std::fs::read_to_string(&beside).ok().as_ref() != Some(&said) {
            other.push(format!("{file} says now\n{said}"));
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

#[test]
fn every_fault_says_where_it_is_and_the_terminal_is_not_steered() {
    for file in broken_files() {
        let said = String::from_utf8(check(&[&file], false).stdout).unwrap();
        assert!(said.chars().all(|c| c == '\n' || !steers(c)), "{said:?}");
        let json = String::from_utf8(check(&[&file], true).stdout).unwrap();
        assert!(json.chars().all(|c| c == '\n' || !steers(c)), "{json:?}");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        for fault in json[0]["faults"].as_array().unwrap() {
            let (line, column) = (&fault["line"], &fault["column"]);
            assert!(said.contains(&format!("{file}:{line}:{column}: ")), "{file}: {fault}");
        }
    }
}

#[test]
fn the_name_of_a_file_steers_no_terminal_either() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("cluster-\u{202e}\u{1b}[31m\nok.toml");
    for text in ["cluster = 1", include_str!("../../config/cluster.toml")] {
        std::fs::write(&file, text).unwrap();
        let said = String::from_utf8(check(&[file.to_str().unwrap()], false).stdout).unwrap();
        assert!(said.contains("cluster-\\u202e\\u001b[31m ok.toml:"), "{said}");
        assert!(said.chars().all(|c| c == '\n' || !steers(c)), "{said:?}");
    }
    std::fs::remove_file(&file).unwrap();
    let missing = check(&[file.to_str().unwrap()], false);
    let said = String::from_utf8([missing.stdout, missing.stderr].concat()).unwrap();
    assert!(said.contains("\\u202e") && said.chars().all(|c| c == '\n' || !steers(c)), "{said:?}");
}

#[test]
fn the_examples_are_sound_and_one_bad_file_does_not_hide_another() {
    let examples = ["cluster", "node", "gateway", "client"].map(|n| format!("config/{n}.toml"));
    let mut files: Vec<&str> = examples.iter().map(String::as_str).collect();
    let ended = check(&files, false);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let ok: String = files.iter().map(|file| format!("{file}: ok\n")).collect();
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), ok);

    files.insert(0, "config/nowhere.toml");
    files.push("tests/data/config/cluster-empty.toml");
    let ended = check(&files, false);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let said = String::from_utf8(ended.stdout).unwrap();
    for words in
        ["config/nowhere.toml: ", "next: ", "config/client.toml: ok", "`cluster`: is missing"]
    {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
}

#[test]
fn deep_huge_and_repeated_input_ends_in_faults_and_soon() {
    let many = |part: &str, count: usize| part.repeat(count);
    let texts = [
        many("[", 1 << 20),
        format!("a = {}", many("[", 1 << 20)),
        format!("a = {}", many("{ a = ", 100_000)),
        format!("[{}]", vec!["a"; 100_000].join(".")),
        format!("a{} = 1", many(".a", 100_000)),
        many("\u{0}", 100_000),
        many("\r", 100_000),
        many("a = 1\n", 20_000),
        format!("{} = 1", many("x", 1 << 20)),
        format!("a = \"{}", many("x", 1 << 20)),
        (0..20_000).map(|n| format!("[services.s{n}]\n")).collect(),
        (0..20_000).map(|n| format!("unknown{n} = {n}\n")).collect(),
        format!("controllers = [{}]", many("3, ", 50_000)),
        many("#", 33 << 20),
    ];
    let temp = tempfile::tempdir().unwrap();
    for (at, text) in texts.iter().enumerate() {
        for kind in ["cluster", "gateway"] {
            let file = temp.path().join(format!("{kind}-{at}.toml"));
            std::fs::write(&file, text).unwrap();
            let began = Instant::now();
            let ended = check(&[file.to_str().unwrap()], false);
            let start: String = text.chars().take(20).collect();
            assert_eq!(ended.status.code(), Some(1), "{start}: {:?}", ended.stderr);
            assert!(ended.stdout.len() < 1 << 20, "{start}: {} bytes", ended.stdout.len());
            assert!(began.elapsed() < Duration::from_secs(30), "{start}: {:?}", began.elapsed());
        }
    }
}
