//! `biplane completions` and `biplane man`: what a package installs beside the binary.

use std::path::PathBuf;

use clap_complete::Shell;

use super::exit::{Exit, Failure};
use super::{command_line, print_exactly};

/// Arguments of `biplane completions`.
#[derive(Clone, Debug, clap::Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `biplane man`.
#[derive(Clone, Debug, clap::Args)]
pub struct ManArgs {
    /// Where to write the pages
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command_line(), "biplane", &mut text);
    print_exactly(&String::from_utf8_lossy(&text));
    Ok(Exit::Done)
}

pub(super) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    let ManArgs { dir } = args;
    let failed = |error: std::io::Error| {
        let what = format!("{}: {error}", dir.display());
        Failure::failed(what, "name a directory that this user may write to")
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command_line(), dir).map_err(failed)?;
    Ok(Exit::Done)
}
