//! `biplane node FILE`: reads every file that a node needs, then runs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::{Exit, Failure};
use super::reach;
use crate::config::{LogSettings, NodeSettings, parse_cluster, parse_node};
use crate::edge::api;
use crate::edge::identity::{TlsFiles, Tokens, api_server_tls, member_tls, peer_member};
use crate::edge::telemetry::{LogFormat, Metrics, init_logging};
use crate::kernel::domain::{MemberId, MemberName};
use crate::kernel::ledger::Cluster;
use crate::runtime::node::{self, Listen, NodeParts};
use crate::runtime::shutdown::stop_on_signals;

/// Probes that a node has in flight at once.
const PROBES: usize = 4_096;

/// Arguments of `biplane node`.
#[derive(Debug, clap::Args)]
pub struct NodeArgs {
    /// The node's file
    #[arg(value_name = "node.toml")]
    file: PathBuf,
}

pub(super) fn run(args: &NodeArgs) -> Result<Exit, Failure> {
    let text = reach::read(&args.file)?;
    let settings =
        parse_node(&args.file, &text).map_err(|faults| Failure::usage(faults.to_string(), ""))?;
    start_log(&settings.log)?;
    let cluster = read_cluster(&settings.cluster)?;
    let parts = parts(&settings, cluster)?;
    on_runtime(async {
        let stop = stop_on_signals().map_err(|error| Failure::failed(error.to_string(), ""))?;
        tracing::info!(member = %settings.member, "starting");
        node::run(parts, stop).await.map_err(|error| Failure::failed(error.to_string(), ""))
    })?;
    Ok(Exit::Done)
}

/// Sets the process's log up.
pub(super) fn start_log(log: &LogSettings) -> Result<(), Failure> {
    let format = if log.json { LogFormat::Json } else { LogFormat::Text };
    init_logging(format, &log.filter).map_err(|error| Failure::usage(error.to_string(), ""))
}

/// A runtime for servers.
pub(super) fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no async runtime: {error}"), ""))?;
    runtime.block_on(work)
}

fn read_cluster(file: &Path) -> Result<Arc<Cluster>, Failure> {
    let text = reach::read(file)?;
    let checked = parse_cluster(&file.display().to_string(), &text)
        .map_err(|faults| Failure::usage(faults.to_string(), ""))?;
    for warning in &checked.warnings {
        tracing::warn!("{warning}");
    }
    Ok(Arc::new(checked.cluster))
}

fn parts(settings: &NodeSettings, cluster: Arc<Cluster>) -> Result<NodeParts, Failure> {
    let me = cluster.members.values().find(|member| member.name == settings.member);
    let me = me.map(|member| member.id).ok_or_else(|| {
        let what = format!("the cluster file has no member `{}`", settings.member);
        Failure::usage(what, "check `member` in the node's file")
    })?;
    let files = TlsFiles {
        ca: settings.ca.clone(),
        certificate: settings.certificate.clone(),
        key: settings.key.clone(),
    };
    let bad = |error: crate::edge::identity::IdentityError| Failure::usage(error.to_string(), "");
    let tls = member_tls(&files).map_err(bad)?;
    let tokens = Tokens::load(&settings.tokens).map_err(bad)?;
    let metrics = Metrics::install().map_err(|e| Failure::failed(e.to_string(), ""))?;
    let known: Vec<(MemberId, MemberName)> =
        cluster.members.values().map(|member| (member.id, member.name.clone())).collect();
    let name = cluster.name.to_string();
    Ok(NodeParts {
        me,
        data_dir: settings.data_dir.clone(),
        listen: Listen {
            member: settings.member_listen,
            api: settings.api_listen,
            dns: settings.dns_listen,
        },
        member_server_tls: tls.server,
        member_client_tls: tls.client,
        identify: Arc::new(move |certificates| {
            peer_member(certificates, known.iter().map(|(id, name)| (*id, name)), &name)
        }),
        api_tls: api_server_tls(&files).map_err(bad)?,
        check_token: Arc::new(move |token| tokens.check(token)),
        api_limits: api::Limits::default(),
        dns_threads: settings.dns_threads,
        probes: PROBES,
        metrics: Some(metrics),
        cluster,
    })
}
