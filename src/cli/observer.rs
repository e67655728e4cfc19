//! `biplane observer FILE`: reads the observer's files, then runs it.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::node::{on_runtime, read_cluster, start_log};
use super::reach;
use crate::config::parse_observer;
use crate::runtime::observer;
use crate::runtime::shutdown::stop_on_signals;

/// Arguments of `biplane observer`.
#[derive(Debug, clap::Args)]
pub struct ObserverArgs {
    /// The observer's file
    #[arg(value_name = "observer.toml")]
    file: PathBuf,
}

pub(super) fn run(args: &ObserverArgs) -> Result<Exit, Failure> {
    let text = reach::read(&args.file)?;
    let settings = parse_observer(&args.file, &text)?;
    start_log(&settings.log)?;
    let (cluster, _) = read_cluster(&settings.cluster)?;
    on_runtime(async {
        let stop = stop_on_signals().map_err(|error| Failure::failed(error.to_string(), ""))?;
        observer::run(&settings, cluster, stop)
            .await
            .map_err(|error| Failure::failed(error.to_string(), ""))
    })?;
    Ok(Exit::Done)
}
