//! What a node is made of: its settings, with every file read.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::limits::PROBES;
use super::node::NodeError;
use crate::config::NodeSettings;
use crate::edge::api::{self, CheckCertificate, CheckToken};
use crate::edge::identity::{
    IdentityError, MemberTls, TlsFiles, Tokens, api_server_tls, certificate_ends, good_until,
    key_is_exposed, member_tls, own_member, peer_client, peer_member, read_secret, webhook_tls,
};
use crate::edge::notify::{self, Notifier};
use crate::edge::probe::ProbeSettings;
use crate::edge::telemetry::Metrics;
use crate::edge::transport::Identify;
use crate::kernel::domain::WallTime;
use crate::kernel::ledger::{Cluster, Member};

/// All that [`super::node::Node::start`] needs.
#[derive(Clone)]
pub struct NodeParts {
    /// Which member it is.
    pub member: Member,
    /// The cluster file.
    pub cluster: Arc<Cluster>,
    /// Its text; empty if it has none.
    pub text: Arc<str>,
    /// Until when the member's certificate is good, if that can be read.
    pub certificate_until: Option<WallTime>,
    /// Where its store is, or its birth token.
    pub data_dir: PathBuf,
    /// Where it listens for members.
    pub member_listen: SocketAddr,
    /// Where it listens for clients of the API; a witness does not.
    pub api_listen: Option<SocketAddr>,
    /// Where it answers DNS, by UDP and TCP; a witness does not.
    pub dns_listen: Option<SocketAddr>,
    /// Between members.
    pub member_tls: MemberTls,
    /// Which member a certificate belongs to.
    pub identify: Identify,
    /// For clients of the API.
    pub api_tls: Arc<rustls::ServerConfig>,
    /// Which clients may come in.
    pub check_token: CheckToken,
    /// Which clients may come in by a certificate.
    pub check_certificate: CheckCertificate,
    /// Tells others of alarms.
    pub notifier: Notifier,
    /// Bounds of the API.
    pub api_limits: api::Limits,
    /// Threads that answer DNS by UDP.
    pub dns_threads: usize,
    /// MiB that its audit trail may take; 0 for none.
    pub audit_mib: u64,
    /// MiB that its journal may take; 0 for none.
    pub journal_mib: u64,
    /// How much it probes at once, and which programs it may run for it.
    pub probes: ProbeSettings,
    /// The process's metrics, if it has any.
    pub metrics: Option<Metrics>,
}

impl fmt::Debug for NodeParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeParts")
            .field("member", &self.member)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

impl NodeParts {
    /// Reads certificates, key and tokens. Where `node.toml` names no address to listen at, it is the one in the
    /// cluster file.
    ///
    /// # Errors
    /// The cluster file does not know the member, or a file cannot be used.
    pub fn read(
        settings: &NodeSettings,
        cluster: Arc<Cluster>,
        metrics: Option<Metrics>,
    ) -> Result<Self, NodeError> {
        let name = &settings.member;
        let member = cluster.members.values().find(|member| member.name == *name).cloned();
        let member = member.ok_or_else(|| NodeError::NoMember(name.clone()))?;
        let files = TlsFiles {
            ca: settings.ca.clone(),
            certificate: settings.certificate.clone(),
            key: settings.key.clone(),
        };
        for (key, listen, served) in [
            ("api_listen", settings.api_listen, member.api_address),
            ("dns_listen", settings.dns_listen, member.dns_address),
        ] {
            if listen.is_some() && served.is_none() {
                return Err(NodeError::Witness { member: name.clone(), key });
            }
        }
        // Nobody comes in where there is no API.
        let tokens = match member.api_address {
            Some(_) => Tokens::load(&settings.tokens)?,
            None => Tokens::default(),
        };
        check_own(&files, &member, &cluster)?;
        Ok(Self {
            data_dir: settings.data_dir.clone(),
            member_listen: settings.member_listen.unwrap_or(member.member_address),
            api_listen: settings.api_listen.or(member.api_address),
            dns_listen: settings.dns_listen.or(member.dns_address),
            member_tls: member_tls(&files)?,
            identify: identify(Arc::clone(&cluster)),
            api_tls: api_server_tls(&files)?,
            check_token: Arc::new(move |token, now| tokens.check(token, now)),
            check_certificate: check_certificate(&cluster),
            notifier: notifier(settings)?,
            api_limits: api::Limits::default(),
            dns_threads: settings.dns_threads,
            audit_mib: settings.audit_mib,
            journal_mib: settings.journal_mib,
            probes: ProbeSettings {
                in_flight: PROBES,
                exec: settings.exec.clone(),
                ..ProbeSettings::default()
            },
            member,
            cluster,
            text: Arc::from(""),
            certificate_until: good_until(&files.certificate)?,
            metrics,
        })
    }
}

/// Reads what this node alone knows of those who are to be told of alarms.
fn notifier(settings: &NodeSettings) -> Result<Notifier, NodeError> {
    let mut all = BTreeMap::new();
    for (name, local) in &settings.notify {
        let secret = local.secret.as_deref().map(read_secret).transpose()?;
        let tls = webhook_tls(local.ca.as_deref())?;
        all.insert(name.clone(), notify::Local { secret, tls, program: local.program.clone() });
    }
    Ok(Notifier::new(all))
}

/// A node with another member's certificate would start, and be turned away by everybody.
fn check_own(files: &TlsFiles, member: &Member, cluster: &Cluster) -> Result<(), NodeError> {
    if key_is_exposed(&files.key) {
        let key = files.key.display();
        tracing::warn!(
            "every user of this machine may read {key}: chmod 600 it, and think of it as known"
        );
    }
    let members = cluster.members.values().map(|member| (member.id, &member.name));
    let named = own_member(&files.certificate, members, cluster.name.as_str())?;
    if named == Some(member.id) {
        return Ok(());
    }
    let file = files.certificate.display().to_string();
    let (member, cluster) = (member.name.to_string(), cluster.name.to_string());
    Err(IdentityError::NotMine { file, member, cluster }.into())
}

/// By the name in its certificate.
fn check_certificate(cluster: &Cluster) -> CheckCertificate {
    let cluster = cluster.name.to_string();
    Arc::new(move |shown| {
        let until = shown.first().and_then(certificate_ends);
        Some((peer_client(shown, &cluster)?, until))
    })
}

/// By the name in its certificate; members and cluster are those of the cluster file.
fn identify(cluster: Arc<Cluster>) -> Identify {
    Arc::new(move |chain| {
        let members = cluster.members.values().map(|member| (member.id, &member.name));
        peer_member(chain, members, cluster.name.as_str())
    })
}
