//! `biplane observer`: probes on its own, and tells the members what it sees.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::limits::{INCOMING, LONGEST_SLEEP, PROBED, PROBES, WALL_CLOCK_EVERY};
use super::service;
use crate::config::ObserverSettings;
use crate::edge::identity::{
    IdentityError, TlsFiles, good_until, key_is_exposed, member_server_name, member_tls,
    own_observer, peer_member,
};
use crate::edge::probe::{ProbeRunner, ProbeSettings};
use crate::edge::storage::{Incarnations, StoreError, raise_incarnation};
use crate::edge::transport::{Incoming, Peer, TransportSettings, Visits};
use crate::kernel::controller::{
    Event, Level, Observer, ObserverBoot, ObserverInput, ObserverOutput,
};
use crate::kernel::domain::{MemberId, MemberName, Moment};
use crate::kernel::ledger::{Cluster, Observer as Configured};

/// Why an observer does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub enum ObserverError {
    /// The cluster file does not know it.
    #[error(
        "the cluster file has no observer `{0}`: write [observers.{0}] with id and site there and put it in force \
         (`biplane config apply`), or mend `observer` in observer.toml"
    )]
    NoObserver(MemberName),
    /// Certificates or key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its data directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its words cannot count.
    #[error("{0}")]
    Left(String),
}

/// Runs until `stop` is cancelled.
pub async fn run(
    settings: &ObserverSettings,
    cluster: Arc<Cluster>,
    stop: CancellationToken,
) -> Result<(), ObserverError> {
    let name = &settings.observer;
    let mine = cluster.observers.values().find(|other| other.name == *name).cloned();
    let mine = mine.ok_or_else(|| ObserverError::NoObserver(name.clone()))?;
    let files = TlsFiles {
        ca: settings.ca.clone(),
        certificate: settings.certificate.clone(),
        key: settings.key.clone(),
    };
    check_own(&files, name, &cluster)?;
    let visiting = visiting(&mine, &cluster, &files)?;
    let boot = |incarnation| {
        Ok::<_, IdentityError>(ObserverBoot {
            me: mine.id,
            cluster: Arc::clone(&cluster),
            incarnation,
            certificate_until: good_until(&files.certificate)?,
            seed: Clock.seed(),
        })
    };
    let data = raised(&settings.data_dir, name, &cluster)?;
    let machine = Observer::start(Clock.now(), boot(data.incarnation)?);
    let (sender, incoming) = mpsc::channel(INCOMING);
    let visits = Visits::start(visiting, sender);
    let (results, probed) = mpsc::channel(PROBED);
    let probes = ProbeSettings {
        in_flight: PROBES,
        exec: settings.exec.clone(),
        ..ProbeSettings::default()
    };
    let runner = ProbeRunner::new(probes, move || Clock.now(), results);
    tracing::info!(
        observer = %name,
        id = %mine.id,
        cluster = %cluster.name,
        incarnation = data.incarnation.0,
        "observer started"
    );
    service::ready();
    let running = Running { machine, visits, runner, wake: Clock.now(), left: None };
    let ended = running.until(stop, incoming, probed).await;
    service::stopping();
    ended.map_or(Ok(()), |why| Err(ObserverError::Left(why)))
}

fn raised(dir: &Path, name: &MemberName, cluster: &Cluster) -> Result<Incarnations, StoreError> {
    raise_incarnation(dir, &format!("observer {name} of cluster {}", cluster.name))
        .map_err(|error| error.at(dir))
}

fn check_own(files: &TlsFiles, name: &MemberName, cluster: &Cluster) -> Result<(), IdentityError> {
    if key_is_exposed(&files.key) {
        let key = files.key.display();
        tracing::warn!(
            "every user of this machine may read {key}: chmod 600 it, and think of it as known"
        );
    }
    if own_observer(&files.certificate, name, cluster.name.as_str())? {
        return Ok(());
    }
    let file = files.certificate.display().to_string();
    let (observer, cluster) = (name.to_string(), cluster.name.to_string());
    Err(IdentityError::NotObserver { file, observer, cluster })
}

fn visiting(
    mine: &Configured,
    cluster: &Arc<Cluster>,
    files: &TlsFiles,
) -> Result<TransportSettings, IdentityError> {
    let tls = member_tls(files)?;
    let members = cluster.members.values().map(|member| {
        let server_name = member_server_name(member.name.as_str(), cluster.name.as_str());
        (member.id, Peer { address: member.member_address, server_name })
    });
    let peers: BTreeMap<MemberId, Peer> = members.collect();
    let known = Arc::clone(cluster);
    Ok(TransportSettings {
        me: mine.id,
        cluster: cluster.name.to_string(),
        listen: ([127, 0, 0, 1], 0).into(),
        peers,
        server_tls: tls.server,
        client_tls: tls.client,
        identify: Arc::new(move |chain| {
            let members = known.members.values().map(|member| (member.id, &member.name));
            peer_member(chain, members, known.name.as_str())
        }),
        observers: Arc::new(|_| None),
    })
}

/// The machine, and what does as it says.
struct Running {
    machine: Observer,
    visits: Visits,
    runner: ProbeRunner,
    wake: Moment,
    left: Option<String>,
}

impl Running {
    /// Until it is stopped; or why it left by itself.
    async fn until(
        mut self,
        stop: CancellationToken,
        mut incoming: mpsc::Receiver<Incoming>,
        mut probed: mpsc::Receiver<crate::kernel::domain::ProbeResult>,
    ) -> Option<String> {
        let mut wall = interval(WALL_CLOCK_EVERY);
        wall.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut alive = interval(service::watched_every().unwrap_or(WALL_CLOCK_EVERY));
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.left.is_none() {
            let input = tokio::select! {
                () = stop.cancelled() => break,
                _ = wall.tick() => ObserverInput::WallClock(Clock.wall()),
                _ = alive.tick() => {
                    service::alive();
                    continue;
                }
                Some(news) = incoming.recv() => match news {
                    Incoming::Frame { from, frame } => ObserverInput::Told { from, frame },
                    // Its own sending says nothing that it needs.
                    Incoming::Unreachable(_) | Incoming::BulkSent { .. } => continue,
                },
                Some(result) = probed.recv() => ObserverInput::Probed(result),
                () = tokio::time::sleep(self.patience()) => ObserverInput::TimePassed,
            };
            self.turn(input);
        }
        self.visits.stop().await;
        tracing::info!("observer stopped");
        self.left
    }

    fn patience(&self) -> Duration {
        self.wake.since(Clock.now()).min(LONGEST_SLEEP)
    }

    /// The clock is read after the input was taken.
    fn turn(&mut self, input: ObserverInput) {
        self.machine.handle(Clock.now(), input);
        while let Some(output) = self.machine.poll() {
            match output {
                ObserverOutput::Send { to, frame } => self.visits.send(to, frame),
                ObserverOutput::Probe(order) => self.runner.start(order),
                ObserverOutput::Event(event) => tell(&event),
                ObserverOutput::Leave(why) => self.left = Some(why),
                ObserverOutput::WaitUntil(moment) => self.wake = moment,
            }
        }
    }
}

fn tell(event: &Event) {
    let Event { level, kind, text, .. } = event;
    match level {
        Level::Error => tracing::error!(kind, "{text}"),
        Level::Warn => tracing::warn!(kind, "{text}"),
        Level::Info => tracing::info!(kind, "{text}"),
        Level::Debug => tracing::debug!(kind, "{text}"),
    }
}
