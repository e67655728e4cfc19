//! Troubles, begun and ended. Each ends with whether its effect was seen, not only wished for.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use super::api::{Api, Tls, told_group};
use super::bulk::{self, Configured};
use super::cuts::{cuts, ways_to_planes};
use super::files::{GROUPS, NODES, PLANES};
use super::history::{Ask, History, Operation, Told};
use super::revoke::{self, Revoked};
use super::schedule::{Kind, Trouble};
use super::watchers::AllWatched;
use super::world::World;

/// What the log of a node with a full disk says.
const LEFT: &str = "has left consensus";

/// So many milliseconds ahead every certificate of `init` has ended.
const PAST_ALL_MS: i64 = 4_000 * 86_400_000;

/// What a trouble leaves to its end.
enum Held {
    Nothing,
    /// It did what it should.
    Struck,
    /// Syncs slowed before it.
    Slowed(u64),
    /// Length of the node's log before it.
    Log(u64),
    Token(JoinHandle<Revoked>),
    /// Length of the node's log, and who fills the disk.
    Bulk(u64, Arc<AtomicBool>, JoinHandle<Vec<Configured>>),
}

/// All that is under way.
pub(crate) struct Strikes {
    pub(crate) world: World,
    pub(crate) findings: Vec<String>,
    /// Names and tokens that are revoked for sure.
    pub(crate) revoked: Vec<(String, String)>,
    /// Configurations that were acknowledged.
    pub(crate) configured: Vec<Configured>,
    /// When everything was healed.
    pub(crate) healed: u64,
    /// How often each kind was begun, and how often its effect was seen.
    pub(crate) counts: BTreeMap<Kind, (u64, u64)>,
    held: BTreeMap<usize, (Trouble, Held)>,
    watched: AllWatched,
    history: History,
    tls: Tls,
    /// The first admin's.
    token: String,
}

impl Strikes {
    pub(crate) fn new(
        world: World,
        watched: AllWatched,
        history: History,
        tls: Tls,
        token: String,
    ) -> Self {
        Self {
            world,
            findings: Vec::new(),
            revoked: Vec::new(),
            configured: Vec::new(),
            healed: 0,
            counts: BTreeMap::new(),
            held: BTreeMap::new(),
            watched,
            history,
            tls,
            token,
        }
    }

    /// Begins a trouble.
    pub(crate) fn begin(&mut self, number: usize, drawn: &Trouble) -> Result<(), String> {
        let mut trouble = drawn.clone();
        if trouble.kind == Kind::CutProbes {
            // Of the plane that the group of this number is on: probes of the other one move nobody.
            let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            trouble.plane = watched.routes[drawn.plane].1;
        }
        let held = self.strike(number, &trouble)?;
        self.counts.entry(trouble.kind).or_default().0 += 1;
        self.held.insert(number, (trouble, held));
        Ok(())
    }

    /// The numbers of those that should be over by now.
    pub(crate) fn due(&self, now: u64) -> Vec<usize> {
        let over = self.held.iter().filter(|(_, (trouble, _))| trouble.end() <= now);
        over.map(|(number, _)| *number).collect()
    }

    fn strike(&mut self, number: usize, trouble: &Trouble) -> Result<Held, String> {
        let Trouble { kind, node, plane, amount, .. } = *trouble;
        let now = self.world.now();
        match kind {
            Kind::KillNode => self.world.kill_node(node),
            Kind::StopNode => self.stop_node(node, true),
            Kind::RestartAll => (0..NODES.len()).for_each(|node| self.world.kill_node(node)),
            Kind::KillLeader => return Ok(self.kill_leader(number)),
            Kind::KillGateway => self.world.kill_gateway(),
            Kind::KillPlane => {
                self.world.harm.plane_out(plane, now);
                self.world.kill_plane(plane);
            }
            Kind::StopPlane => {
                self.world.harm.plane_out(plane, now);
                self.stop_plane(plane, true);
            }
            Kind::FullDisk => {
                let log = self.log_length(node);
                fill(&self.world.files.data(node).join("ballast"));
                let stop = Arc::new(AtomicBool::new(false));
                let (tls, token, its) = (self.tls.clone(), self.token.clone(), Arc::clone(&stop));
                let bulk = std::thread::spawn(move || bulk::run(number, &tls, &token, &its));
                return Ok(Held::Bulk(log, stop, bulk));
            }
            Kind::SlowDisk => {
                let before = self.world.preloads[node].slowed();
                self.world.preloads[node].slow(amount.unsigned_abs())?;
                return Ok(Held::Slowed(before));
            }
            Kind::StepClock => self.world.preloads[node].wall(amount)?,
            Kind::DriftClock => self.world.preloads[node].drift(amount)?,
            Kind::EndedCertificate => {
                let log = self.log_length(node);
                self.world.kill_node(node);
                self.world.files.end_certificate(node)?;
                self.world.start_node(node)?;
                return Ok(Held::Log(log));
            }
            Kind::PastCertificates => {
                let log = self.log_length(node);
                self.world.preloads[node].wall(PAST_ALL_MS)?;
                // Connections that stand are not looked at again.
                self.world.kill_node(node);
                self.world.start_node(node)?;
                return Ok(Held::Log(log));
            }
            Kind::RevokeToken => {
                let (tls, token) = (self.tls.clone(), self.token.clone());
                let revoking =
                    std::thread::spawn(move || revoke::run(&format!("t{number}"), &tls, &token));
                return Ok(Held::Token(revoking));
            }
            _ => {
                self.harm_ways(trouble, true);
                self.world.network.cut(number, cuts(trouble))?;
                return Ok(Held::Nothing);
            }
        }
        Ok(Held::Struck)
    }

    /// While it lasts: a drifting wall clock is set anew.
    pub(crate) fn go_on(&self) -> Result<(), String> {
        let now = i64::try_from(self.world.now()).unwrap_or(i64::MAX);
        for (trouble, _) in self.held.values().filter(|(t, _)| t.kind == Kind::DriftClock) {
            let since = now - i64::try_from(trouble.at).unwrap_or(0);
            self.world.preloads[trouble.node].wall(since * trouble.amount / 1_000_000)?;
        }
        Ok(())
    }

    /// Ends a trouble.
    pub(crate) fn end(&mut self, number: usize) -> Result<(), String> {
        let Some((trouble, held)) = self.held.remove(&number) else { return Ok(()) };
        let Trouble { kind, node, plane, .. } = trouble;
        let mut seen = matches!(held, Held::Struck);
        match kind {
            Kind::KillNode => self.world.start_node(node)?,
            Kind::StopNode => self.stop_node(node, false),
            Kind::RestartAll | Kind::KillLeader => self.start_missing()?,
            Kind::KillGateway => self.world.start_gateway()?,
            Kind::KillPlane => self.world.start_plane(plane)?,
            Kind::StopPlane => self.stop_plane(plane, false),
            Kind::FullDisk => {
                let Held::Bulk(log, stop, bulk) = held else { return Ok(()) };
                stop.store(true, Ordering::Relaxed);
                let ballast = self.world.files.data(node).join("ballast");
                std::fs::remove_file(&ballast).map_err(|error| error.to_string())?;
                seen = self.said_since(node, log).contains(LEFT);
                if seen {
                    self.world.kill_node(node);
                    self.world.start_node(node)?;
                }
                self.configured.extend(bulk.join().map_err(|_| "the bulk's thread panicked")?);
            }
            Kind::SlowDisk => {
                let before = if let Held::Slowed(before) = held { before } else { 0 };
                seen = self.world.preloads[node].slowed() > before;
                self.world.preloads[node].slow(0)?;
            }
            Kind::StepClock | Kind::DriftClock => {
                seen = self.clock_seen(&trouble);
                self.world.preloads[node].wall(0)?;
                if kind == Kind::DriftClock {
                    self.world.preloads[node].drift(0)?;
                }
            }
            Kind::PastCertificates => {
                let log = if let Held::Log(log) = held { log } else { 0 };
                seen = self.said_since(node, log).contains("certificate expired");
                // Nothing else: it comes back by itself.
                self.world.preloads[node].wall(0)?;
            }
            Kind::EndedCertificate => {
                let log = if let Held::Log(log) = held { log } else { 0 };
                seen = self.said_since(node, log).to_lowercase().contains("certificate");
                self.world.kill_node(node);
                self.world.files.mend_certificate(node)?;
                self.world.start_node(node)?;
            }
            Kind::RevokeToken => {
                if let Held::Token(revoking) = held {
                    let revoked = revoking.join().map_err(|_| "the token's thread panicked")?;
                    self.findings.extend(revoked.faults);
                    seen = revoked.seen;
                    self.revoked.extend(revoked.token);
                }
            }
            _ => {
                self.harm_ways(&trouble, false);
                seen = self.world.network.mend(number)? > 0;
            }
        }
        let now = self.world.now();
        if matches!(kind, Kind::KillPlane | Kind::StopPlane) {
            self.world.harm.plane_back(plane, now);
        }
        self.counts.entry(kind).or_default().1 += u64::from(seen);
        Ok(())
    }

    fn start_missing(&mut self) -> Result<(), String> {
        let missing: Vec<usize> =
            (0..NODES.len()).filter(|node| self.world.nodes[*node].is_none()).collect();
        missing.into_iter().try_for_each(|node| self.world.start_node(node))
    }

    fn stop_node(&mut self, node: usize, stop: bool) {
        if let Some(process) = &mut self.world.nodes[node] {
            process.stop(stop);
        }
    }

    fn stop_plane(&mut self, plane: usize, stop: bool) {
        if let Some(process) = &mut self.world.planes[plane] {
            process.stop(stop);
        }
    }

    /// A switch through the leader, which dies as soon as it has said yes.
    fn kill_leader(&mut self, number: usize) -> Held {
        for node in 0..NODES.len() {
            let api = Api::new(node, &self.tls, &self.token);
            let Ok(status) = api.get("/v1/status") else { continue };
            let leader = NODES.iter().position(|name| status["leader"] == *name);
            let Some(leader) = leader else { continue };
            let api = Api::new(leader, &self.tls, &self.token);
            for shown in status["groups"].as_array().into_iter().flatten() {
                let Told::Group { epoch, plane, .. } = told_group(shown) else { continue };
                let group = usize::from(shown["name"] != GROUPS[0].0);
                let reason = format!("c9-{number:04}{group}");
                let to = usize::from(plane == PLANES[0]);
                let ask = Ask::Switch { group, base: epoch, to, forced: false, reason };
                let call = self.history.now();
                let told = api.ask(&ask);
                let accepted = matches!(told, Told::Accepted(_));
                if accepted {
                    self.world.kill_node(leader);
                }
                let end = self.history.now();
                self.history.note(Operation { client: 9, node: leader, call, end, ask, told });
                if accepted {
                    return Held::Struck;
                }
            }
            self.world.kill_node(leader);
            return Held::Nothing;
        }
        Held::Nothing
    }

    /// Whether another node saw the clock where it was put.
    fn clock_seen(&self, trouble: &Trouble) -> bool {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let since = trouble.at + 1_000;
        let mut shown = watched.clocks.iter().filter(|(at, by, whose, _)| {
            *at > since && *whose == trouble.node && *by != trouble.node
        });
        let amount = trouble.amount;
        match trouble.kind {
            Kind::StepClock => shown.any(|(_, _, _, ahead)| (ahead - amount).abs() < 1_500),
            _ => {
                shown.any(|(_, _, _, ahead)| ahead.signum() == amount.signum() && ahead.abs() > 400)
            }
        }
    }

    fn log_length(&self, node: usize) -> u64 {
        std::fs::metadata(self.world.files.log(NODES[node])).map_or(0, |found| found.len())
    }

    fn said_since(&self, node: usize, since: u64) -> String {
        let all = std::fs::read(self.world.files.log(NODES[node])).unwrap_or_default();
        let since = usize::try_from(since).unwrap_or(0).min(all.len());
        String::from_utf8_lossy(&all[since..]).into_owned()
    }

    /// Ways of nodes to planes that this cuts, or opens again.
    fn harm_ways(&mut self, trouble: &Trouble, cut: bool) {
        let now = self.world.now();
        for (node, plane) in ways_to_planes(trouble) {
            if cut {
                self.world.harm.way_cut(node, plane, now);
            } else {
                self.world.harm.way_free(node, plane, now);
            }
        }
    }
}

/// Writes until there is no room left.
fn fill(path: &std::path::Path) {
    let Ok(mut file) = std::fs::File::create(path) else { return };
    for size in [1 << 20, 4_096, 256, 1] {
        let bytes = vec![b'.'; size];
        while file.write_all(&bytes).is_ok() {}
    }
}
