//! `docs/reference/cli.md` is what the program says of itself.

use std::fmt::Write as _;

use biplane::cli::command_line;
use clap::Command;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/cli.md");

/// Every command that is shown, the whole first, each with its help.
fn page() -> String {
    let mut page = String::from(
        "# Command line\n\nMade from the program's own help; a test compares it. `REWRITE=1 cargo test --test it reference` \
         writes it. Exit codes: [exit-codes.md](exit-codes.md).\n",
    );
    let mut root = command_line();
    root.build();
    write_command(&mut page, &mut root);
    page
}

fn write_command(page: &mut String, command: &mut Command) {
    let name = command.get_bin_name().unwrap_or("biplane").to_owned();
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.trim().lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n"));
    for inner in command.get_subcommands_mut().filter(|c| !c.is_hide_set()) {
        if inner.get_name() != "help" {
            write_command(page, inner);
        }
    }
}

#[test]
fn the_command_line_reference_is_what_the_program_says() {
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(PATH, page()).unwrap();
    }
    let committed = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(committed == page(), "run the tests with REWRITE=1 and look at the difference");
}

#[test]
fn what_a_package_installs_comes_from_the_binary() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let ended =
            std::process::Command::new(super::process::BIPLANE).args(args).output().unwrap();
        assert!(ended.status.success(), "{args:?}: {ended:?}");
        String::from_utf8(ended.stdout).unwrap()
    };
    for shell in ["bash", "zsh", "fish"] {
        let text = run(&["completions", shell]);
        assert!(text.contains("switch") && text.contains("undrain"), "{shell}: {text}");
    }
    run(&["man", dir.path().to_str().unwrap()]);
    let page = std::fs::read_to_string(dir.path().join("biplane-config-apply.1")).unwrap();
    assert!(page.contains("no route moves by it"), "{page}");
    assert!(dir.path().join("biplane-node.1").exists());
}
