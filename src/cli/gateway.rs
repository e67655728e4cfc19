//! `biplane gateway FILE`: reads the gateway's file, then runs it.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::node::{on_runtime, start_log};
use super::reach;
use crate::config::parse_gateway;
use crate::edge::telemetry::Metrics;
use crate::runtime::gateway;
use crate::runtime::shutdown::stop_on_signals;

/// Arguments of `biplane gateway`.
#[derive(Debug, clap::Args)]
pub struct GatewayArgs {
    /// The gateway's file
    #[arg(value_name = "gateway.toml")]
    file: PathBuf,
}

pub(super) fn run(args: &GatewayArgs) -> Result<Exit, Failure> {
    let text = reach::read(&args.file)?;
    let settings = parse_gateway(&args.file, &text)?;
    start_log(&settings.log)?;
    let metrics = Metrics::install().map_err(|error| Failure::failed(error.to_string(), ""))?;
    on_runtime(async {
        let stop = stop_on_signals().map_err(|error| Failure::failed(error.to_string(), ""))?;
        gateway::run(&settings, Some(metrics), stop)
            .await
            .map_err(|error| Failure::failed(error.to_string(), ""))
    })?;
    Ok(Exit::Done)
}
