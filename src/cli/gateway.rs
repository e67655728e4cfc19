//! `biplane gateway FILE`: reads every file that a gateway needs, then runs it.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::node::{on_runtime, start_log};
use super::reach;
use crate::config::parse_gateway;
use crate::edge::gateway::GatewaySettings;
use crate::edge::identity::api_client_tls;
use crate::edge::telemetry::Metrics;
use crate::kernel::domain::Incarnation;
use crate::runtime::gateway::{self, GatewayParts};
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
    let read = parse_gateway(&args.file, &text)
        .map_err(|faults| Failure::usage(faults.to_string(), ""))?;
    start_log(&read.log)?;
    let tls = api_client_tls(&read.ca).map_err(|error| Failure::usage(error.to_string(), ""))?;
    let token = reach::read(&read.token)?.trim().to_owned();
    let metrics = Metrics::install().map_err(|error| Failure::failed(error.to_string(), ""))?;
    // The process's own incarnation is set where it runs.
    let mut settings = GatewaySettings::new(read.name, Incarnation(0));
    settings.listeners = read.listen.into_iter().map(|l| (l.address, l.route)).collect();
    settings.admin = Some(read.admin);
    settings.connect_timeout = read.connect_timeout;
    let parts = GatewayParts {
        settings,
        controllers: read.controllers,
        tls: Some(tls),
        token,
        metrics: Some(metrics),
    };
    on_runtime(async {
        let stop = stop_on_signals().map_err(|error| Failure::failed(error.to_string(), ""))?;
        gateway::run(parts, stop).await.map_err(|error| Failure::failed(error.to_string(), ""))
    })?;
    Ok(Exit::Done)
}
