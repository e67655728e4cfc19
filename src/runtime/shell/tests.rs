//! Three shells with the real controller, real mutual TLS and real time; the disk and the planes are of the test.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::net::TcpListener;

use super::super::fixture::{EAST, cluster};
use super::*;
use crate::edge::api::Backend;
use crate::edge::transport::fixture::{Ca, identify, name_of};
use crate::edge::transport::{Peer, TransportSettings};
use crate::kernel::consensus::Recovered;
use crate::kernel::controller::{Action, Output, Response, SwitchKind, SwitchRequest};
use crate::kernel::domain::{
    GroupName, Incarnation, MemberId, Moment, ProbeFault, ProbeOrder, ProbeResult, ProbeTimings,
};
use crate::kernel::ledger::Cluster;
use crate::kernel::zone::EpochRecord;

const PATIENCE: Duration = Duration::from_secs(30);

type Views = Arc<Mutex<BTreeMap<SocketAddr, watch::Receiver<Option<Arc<View>>>>>>;

/// A disk that survives its shell.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Recovered>>);

impl Disk {
    fn write(&self, batch: &PersistBatch) {
        let mut held = self.0.lock().unwrap();
        if let Some(snapshot) = &batch.snapshot {
            held.snapshot = Some(snapshot.clone());
        }
        if batch.reset_log {
            held.entries.clear();
        }
        if let Some(first) = batch.first_index {
            held.entries.retain(|entry| entry.index >= first);
        }
        if let Some(first) = batch.entries.first() {
            held.entries.retain(|entry| entry.index < first.index);
            held.entries.extend(batch.entries.iter().cloned());
        }
        if let Some(hard) = batch.hard_state {
            held.hard_state = hard;
        }
    }

    fn recover(&self) -> Recovered {
        let mut held = self.0.lock().unwrap();
        held.incarnation = Incarnation(held.incarnation.0 + 1);
        held.clone()
    }
}

/// Everything that outlives a shell.
struct World {
    ca: Ca,
    cluster: Arc<Cluster>,
    listeners: Vec<Option<TcpListener>>,
    disks: [Disk; 3],
    east_is_up: Arc<AtomicBool>,
    views: Views,
}

impl World {
    async fn new() -> Self {
        let mut listeners = Vec::new();
        let mut addresses = [(Ipv4Addr::LOCALHOST, 0).into(); 3];
        for address in &mut addresses {
            let listener = TcpListener::bind(*address).await.unwrap();
            *address = listener.local_addr().unwrap();
            listeners.push(Some(listener));
        }
        Self {
            ca: Ca::new(),
            cluster: Arc::new(cluster(&addresses)),
            listeners,
            disks: Default::default(),
            east_is_up: Arc::new(AtomicBool::new(true)),
            views: Views::default(),
        }
    }

    async fn start(&mut self, id: u64) -> Shell {
        let me = MemberId(id);
        let index = usize::try_from(id).unwrap() - 1;
        let member = &self.cluster.members[&me];
        let listener = match self.listeners[index].take() {
            Some(listener) => listener,
            None => TcpListener::bind(member.member_address).await.unwrap(),
        };
        let (server_tls, client_tls) = self.ca.tls(&name_of(id));
        let peer = |(id, member): (&MemberId, &crate::kernel::ledger::Member)| {
            (*id, Peer { address: member.member_address, server_name: name_of(id.0) })
        };
        let settings = TransportSettings {
            me,
            cluster: "demo".to_owned(),
            listen: member.member_address,
            peers: self.cluster.members.iter().map(peer).collect(),
            server_tls,
            client_tls,
            observers: Arc::new(|_| None),
            identify: identify(),
        };
        let (sender, incoming) = mpsc::channel(64);
        let disk = self.disks[index].clone();
        let (prober, probed) = self.prober();
        let shell = Shell::start(Parts {
            boot: Boot {
                me,
                cluster: Arc::clone(&self.cluster),
                text: Arc::from(""),
                certificate_until: None,
                recovered: disk.recover(),
                seed: id,
                log_entries: crate::kernel::controller::limits::LOG_ENTRIES,
            },
            clock: Clock,
            write: Box::new(move |batch| {
                disk.write(batch);
                Ok(())
            }),
            transport: Transport::start_on(listener, settings, sender).unwrap(),
            incoming,
            prober,
            probed,
            ask_dns: self.ask_dns(),
            notifier: Notifier::default(),
            publish: Box::new(|_| {}),
            metrics: None,
            journal: None,
            audit: None,
        })
        .unwrap();
        let dns = member.dns_address.expect("it serves DNS");
        self.views.lock().unwrap().insert(dns, shell.view());
        shell
    }

    /// The planes of the test, reached without sockets.
    fn prober(&self) -> (Prober, mpsc::Receiver<ProbeResult>) {
        let east_is_up = Arc::clone(&self.east_is_up);
        let (sender, results) = mpsc::channel(64);
        let prober = move |order: ProbeOrder| {
            let up = order.target.endpoint.port != EAST || east_is_up.load(Ordering::SeqCst);
            let outcome = if up { Ok(()) } else { Err(ProbeFault::Refused) };
            let (began, timings) = (Clock.now(), ProbeTimings::default());
            // A full channel loses it, as with the real prober.
            let _ = sender.try_send(ProbeResult { id: order.id, began, outcome, timings });
        };
        (Box::new(prober), results)
    }

    /// The DNS servers of the test: what the asked node has published.
    fn ask_dns(&self) -> AskDns {
        let views = Arc::clone(&self.views);
        Arc::new(move |server, _name, _timeout| {
            let views = Arc::clone(&views);
            Box::pin(async move {
                let view =
                    views.lock().unwrap().get(&server).and_then(|view| view.borrow().clone());
                let view = view.ok_or("nobody there")?;
                let (group, route) = view.routes.iter().next().ok_or("no route")?;
                let (group, plane) = (group.clone(), route.plane.clone());
                Ok(EpochRecord { group, plane, epoch: route.epoch })
            })
        })
    }
}

async fn until(what: &str, shells: &[&Shell], condition: impl Fn(&View) -> bool) {
    let end = Instant::now() + PATIENCE;
    let all = || shells.iter().all(|shell| shell.view.borrow().as_deref().is_some_and(&condition));
    while !all() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn plane_of(view: &View) -> Option<&str> {
    view.routes.values().next().map(|route| route.plane.as_str())
}

/// Asks any node, as the API does: again when the answer is that it is not known.
async fn switch(shell: &Shell, kind: SwitchKind) -> Response {
    let request = SwitchRequest {
        group: GroupName::new("shop").unwrap(),
        to: None,
        kind,
        epoch: None,
        dry_run: false,
        reason: "a test".to_owned(),
        idempotency_key: Some("k1".to_owned()),
    };
    shell.backend().ask("ann".to_owned(), Action::Switch(request)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_elect_switch_when_a_plane_dies_and_keep_it_over_a_restart() {
    let mut world = World::new().await;
    let (one, two) = (world.start(1).await, world.start(2).await);
    let three = world.start(3).await;
    let all = [&one, &two, &three];
    until("a leader", &all, |view| view.leader.is_some() && view.cluster.is_some()).await;
    until("the first route", &all, |view| plane_of(view) == Some("east")).await;
    assert_eq!(one.backend().ready(), Ok(()));

    world.east_is_up.store(false, Ordering::SeqCst);
    until("the switch", &all, |view| plane_of(view) == Some("west")).await;

    // An operator's planned switch to a plane that is down is not carried out.
    let answer = one.backend().ask("ann".to_owned(), Action::Read).await;
    assert!(matches!(answer, Response::Read(_)), "{answer:?}");
    world.east_is_up.store(true, Ordering::SeqCst);
    until("a quiet group", &all, |view| {
        view.switchovers().all(|switchover| switchover.state == "done")
    })
    .await;
    let answer = switch(&two, SwitchKind::Forced).await;
    assert!(matches!(answer, Response::Accepted { .. }), "{answer:?}");
    until("the way back", &all, |view| plane_of(view) == Some("east")).await;

    // All three stop, and come back from their disks.
    let applied = one.view().borrow().as_ref().unwrap().applied;
    for shell in [one, two, three] {
        shell.stop().await;
    }
    let (one, two) = (world.start(1).await, world.start(2).await);
    let both = [&one, &two];
    until("the state after a restart", &both, |view| {
        plane_of(view) == Some("east") && view.applied >= applied && view.leader.is_some()
    })
    .await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stops_hands_over_first() {
    let mut world = World::new().await;
    let mut shells = Vec::new();
    for id in 1..=3 {
        shells.push(world.start(id).await);
    }
    let all: Vec<&Shell> = shells.iter().collect();
    until("a leader", &all, |view| view.leader.is_some() && view.cluster.is_some()).await;
    let leads = |shell: &&Shell| {
        let view = shell.view();
        let view = view.borrow();
        view.as_ref().is_some_and(|view| view.leader == Some(view.member))
    };
    let leader = shells.iter().position(|shell| leads(&shell)).expect("one of them leads");
    let began = Instant::now();
    assert!(shells[leader].hand_over().await, "another one leads within {HAND_OVER:?}");
    assert!(began.elapsed() < HAND_OVER);
    for shell in shells {
        shell.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_disk_takes_a_node_out_of_consensus_and_leaves_its_view() {
    let mut world = World::new().await;
    let (one, two) = (world.start(1).await, world.start(2).await);
    let three = world.start(3).await;
    let all = [&one, &two, &three];
    until("the first route", &all, |view| plane_of(view) == Some("east")).await;
    one.inbox.disk_failed("pulled out".to_owned());
    until("the news", &[&one], |view| !view.warnings.is_empty()).await;
    world.east_is_up.store(false, Ordering::SeqCst);
    until("the switch without it", &[&two, &three], |view| plane_of(view) == Some("west")).await;
    assert!(one.view().borrow().is_some(), "it still shows what it knew");
    for shell in [one, two, three] {
        shell.stop().await;
    }
}

/// Every wake-up is to bring the machine on: one that asks for the present again and again would burn a processor.
#[test]
fn a_fresh_node_that_nobody_answers_sleeps_between_its_timers() {
    let addresses = [(Ipv4Addr::LOCALHOST, 9).into(); 3];
    let mut now = Moment::from_micros(1);
    let boot = Boot {
        me: MemberId(1),
        cluster: Arc::new(cluster(&addresses)),
        text: Arc::from(""),
        certificate_until: None,
        recovered: Disk::default().recover(),
        seed: 7,
        log_entries: crate::kernel::controller::limits::LOG_ENTRIES,
    };
    let mut controller = Controller::start(now, boot).unwrap();
    let mut in_vain = 0;
    for _ in 0..500 {
        controller.handle(now, Input::TimePassed);
        let outputs: Vec<Output> = std::iter::from_fn(|| controller.poll()).collect();
        let Some(Output::WaitUntil(wake, why)) = outputs.last() else { panic!("{outputs:?}") };
        in_vain = if *wake > now { 0 } else { in_vain + 1 };
        assert!(in_vain < 3, "{why:?} is due at {wake:?} for ever");
        now = now.max(*wake);
    }
}
