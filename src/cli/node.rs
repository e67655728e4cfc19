//! `biplane node FILE`: reads every file that a node needs, then runs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::{Exit, Failure};
use super::reach;
use crate::config::{LogSettings, parse_cluster, parse_node};
use crate::edge::telemetry::{LogFormat, Metrics, init_logging};
use crate::kernel::ledger::Cluster;
use crate::runtime::node;
use crate::runtime::shutdown::stop_on_signals;

/// Arguments of `biplane node`.
#[derive(Debug, clap::Args)]
pub struct NodeArgs {
    /// The node's file
    #[arg(value_name = "node.toml")]
    file: PathBuf,
}

pub(super) fn run(args: &NodeArgs) -> Result<Exit, Failure> {
    let text = reach::read(&args.file)?;
    let settings = parse_node(&args.file, &text)?;
    start_log(&settings.log)?;
    let (cluster, text) = read_cluster(&settings.cluster)?;
    let metrics = Metrics::install().map_err(|e| Failure::failed(e.to_string(), ""))?;
    on_runtime(async {
        let stop = stop_on_signals().map_err(|error| Failure::failed(error.to_string(), ""))?;
        tracing::info!(member = %settings.member, "starting");
        node::run(&settings, cluster, text, Some(metrics), stop)
            .await
            .map_err(|error| Failure::failed(error.to_string(), ""))
    })?;
    Ok(Exit::Done)
}

/// Sets the process's log up.
pub(super) fn start_log(log: &LogSettings) -> Result<(), Failure> {
    let format = if log.json { LogFormat::Json } else { LogFormat::Text };
    init_logging(format, &log.filter).map_err(|error| Failure::failed(error.to_string(), ""))
}

/// A runtime for servers.
pub(super) fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no async runtime: {error}"), ""))?;
    runtime.block_on(work)
}

/// The cluster file, checked, and its text.
pub(super) fn read_cluster(file: &Path) -> Result<(Arc<Cluster>, Arc<str>), Failure> {
    let text = reach::read(file)?;
    let checked = parse_cluster(&file.display().to_string(), &text)?;
    for warning in &checked.warnings {
        tracing::warn!("{warning}");
    }
    Ok((Arc::new(checked.cluster), Arc::from(text)))
}
