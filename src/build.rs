//! Build script: which commit a release build is of, for reports that must be repeatable. A debug build says that it is
//! one: it is made anew with every change, and asking git each time would cost a whole compilation.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=Cargo.toml");
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    if let Some(commit) = git(&["describe", "--always", "--abbrev=12", "--dirty"]) {
        println!("cargo::rustc-env=BIPLANE_COMMIT={commit}");
    }
}

/// What git says in one line; nothing where there is no git or no repository.
fn git(args: &[&str]) -> Option<String> {
    let said = Command::new("git").args(args).output().ok().filter(|said| said.status.success())?;
    let text = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
