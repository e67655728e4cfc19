//! The world: the controllers with their clocks and disks, the network between them, the planes they watch, a
//! gateway that follows, clients that ask; one thread, one queue, virtual time.

mod acting;
mod beside;
mod carrying;
mod cutting;
mod drawing;
mod gateways;
mod goals;
mod idle;
mod node;
mod outside;
mod running;
mod using;
pub mod watching;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

pub use watching::{Mark, Watch};

use super::action::{Action, Frames, Outsider};
use super::client::{Heard, Op, Wish};
use super::cluster::{self, Shape};
use super::counts::{Class, Counts};
use super::disk::{Pace, Storage};
use super::gateway::Gateway;
use super::network::{Network, Weather};
use super::oracle::{self, Book, End, Finding, Oracle};
use super::picture::Recorder;
use super::plane::Planes;
use super::queue::{MS, Micros, Queue};
use super::rng::{Rng, Stream};
use super::trace::{Note, Trace};
use super::users::{RESOLVERS, Resolver};
use super::ways::{Passage, Ways};
use crate::kernel::controller::{EffectId, Input, RequestId, View};
use crate::kernel::domain::{Moment, ProbeFault, ProbeOrder};
use crate::kernel::ledger::Cluster;
use beside::Beside;
use goals::{Goals, Taken};
use node::Node;

/// Everything that is drawn or given before a run.
#[derive(Clone, Debug)]
pub struct Params {
    /// The seed of every stream.
    pub seed: u64,
    /// The settings of the built-in cluster.
    pub shape: Shape,
    /// Another cluster in place of the built-in one: [`super::adopt`] made it of somebody's file.
    pub cluster: Option<Arc<Cluster>>,
    /// The network between members.
    pub weather: Weather,
    /// The disks.
    pub pace: Pace,
    /// Probes in a thousand whose packets are lost.
    pub probe_loss: u32,
    /// Round trips to planes take mostly less than this longer than the shortest.
    pub probe_spread: Micros,
    /// Largest error of a clock's rate, in millionths.
    pub drift_ppm: i64,
    /// Whether one process's inputs are kept and replayed.
    pub replay: bool,
    /// Whether every event is kept for a trace.
    pub trace: bool,
    /// Whether a picture is drawn.
    pub picture: bool,
    /// Whether disks carry the store of production; the model log otherwise.
    pub redb: bool,
    /// Entries above which a log is compacted.
    pub log_entries: usize,
    /// How many gateways there are: one or two.
    pub gateways: usize,
}

impl Params {
    /// Nothing goes wrong by itself.
    pub fn fair(seed: u64) -> Self {
        Self {
            seed,
            shape: Shape::default(),
            cluster: None,
            weather: Weather::FAIR,
            pace: Pace::FAIR,
            probe_loss: 0,
            probe_spread: 4 * MS,
            drift_ppm: 50,
            replay: true,
            trace: false,
            picture: false,
            redb: false,
            log_entries: 256,
            gateways: 1,
        }
    }

    /// The cluster under test.
    pub fn cluster(&self) -> Arc<Cluster> {
        self.cluster.clone().unwrap_or_else(|| Arc::new(cluster::cluster(&self.shape)))
    }

    fn storage_of(&self, place: usize) -> Storage {
        if self.redb {
            let mut rng = Rng::stream(self.seed ^ (place as u64 + 1), Stream::Disk);
            Storage::Redb(rng.draw())
        } else {
            Storage::Model
        }
    }
}

/// What an oracle found, or a panic of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The oracle's name, or `panic`.
    pub oracle: &'static str,
    /// What is wrong.
    pub what: String,
    /// True time.
    pub at: Micros,
}

/// What will happen.
#[derive(Debug)]
enum Event {
    Wake {
        node: usize,
        life: u32,
    },
    Deliver {
        from: usize,
        to: usize,
        frame: Bytes,
    },
    Local {
        node: usize,
        life: u32,
        input: Box<Input>,
    },
    Stored {
        node: usize,
        life: u32,
    },
    Probed {
        node: usize,
        life: u32,
        probe: Box<ProbeUnderWay>,
    },
    DnsAsked {
        from: usize,
        life: u32,
        to: usize,
        effect: EffectId,
        name: String,
    },
    Resume {
        node: usize,
        life: u32,
    },
    Start {
        node: usize,
        life: u32,
    },
    Ends {
        node: usize,
        life: u32,
        down: Micros,
    },
    WallClock {
        node: usize,
        life: u32,
    },
    GatewayTick {
        which: usize,
    },
    UsersTick,
    GatewayTake {
        which: usize,
        from: usize,
        view: Arc<View>,
    },
    ClientAsks {
        op: usize,
        node: usize,
    },
    ClientHears {
        op: usize,
        node: usize,
        heard: Heard,
    },
    ClientGivesUp {
        op: usize,
        tries: u32,
    },
    Act(Action),
    /// A cut ends by itself.
    Lift(u64),
}

#[derive(Debug)]
struct ProbeUnderWay {
    order: ProbeOrder,
    /// On the node's clock, and in true time.
    began: (Moment, Micros),
    /// What is known already; nothing while an answer is on its way.
    outcome: Option<Result<(), ProbeFault>>,
}

/// The streams of randomness that a running world draws from.
#[derive(Debug)]
struct Streams {
    network: Rng,
    disk: Rng,
    clock: Rng,
    workload: Rng,
    planes: Rng,
}

/// The world.
#[derive(Debug)]
pub struct World {
    now: Micros,
    params: Params,
    cluster: Arc<Cluster>,
    /// The newest configuration that anybody has shown, and its number: what users, traffic and the truth go by.
    in_force: (u64, Arc<Cluster>),
    queue: Queue<Event>,
    nodes: Vec<Node>,
    /// Observers beside the members. Their places come after those of the nodes.
    beside: Vec<Beside>,
    network: Network,
    planes: Planes,
    gateways: Vec<Gateway>,
    resolvers: Vec<Resolver>,
    history: Vec<Op>,
    /// Requests that a process has.
    requests: BTreeMap<RequestId, Taken>,
    /// From outside to the API and the DNS server of each node.
    ways: Ways,
    next_request: u64,
    /// Numbers cuts.
    next_cut: u64,
    streams: Streams,
    oracles: Vec<Box<dyn Oracle>>,
    book: Book,
    watch: Watch,
    goals: Goals,
    counts: Counts,
    trace: Trace,
    picture: Option<Box<Recorder>>,
    violation: Option<Violation>,
    /// What was done to kinds of frame, and those of them that travelled.
    kinds: (Vec<Action>, BTreeSet<Frames>),
    /// What was done and struck nobody, and why.
    in_vain: Vec<(Action, &'static str)>,
    turns: u64,
}

/// Whole states are compared at every index in one of sixteen runs, and at every sixteenth in the others.
const fn compared(seed: u64) -> u64 {
    if seed.is_multiple_of(16) { 1 } else { 16 }
}

impl World {
    /// Builds a world and starts its nodes.
    pub fn new(params: Params) -> Self {
        let cluster = params.cluster();
        let count = cluster.members.len();
        let seed = params.seed;
        let stream = |which| Rng::stream(seed, which);
        let streams = Streams {
            network: stream(Stream::Network),
            disk: stream(Stream::Disk),
            clock: stream(Stream::Clock),
            workload: stream(Stream::Workload),
            planes: stream(Stream::Planes),
        };
        let mut world = Self {
            now: 0,
            cluster: Arc::clone(&cluster),
            in_force: (0, Arc::clone(&cluster)),
            queue: Queue::default(),
            nodes: Vec::new(),
            beside: Vec::new(),
            network: Network::new(count + cluster.observers.len(), params.weather),
            planes: Planes::new(&cluster),
            gateways: (0..params.gateways).map(|place| Gateway::new(place, count)).collect(),
            resolvers: (0..RESOLVERS).map(|place| Resolver::new(place % count)).collect(),
            history: Vec::new(),
            requests: BTreeMap::new(),
            ways: Ways::new(count),
            next_request: 0,
            next_cut: 0,
            streams,
            oracles: oracle::all(&cluster, compared(seed)),
            book: Book { worst_ppm: params.drift_ppm.unsigned_abs(), ..Book::new(count) },
            watch: Watch::default(),
            goals: Goals::new(count),
            counts: Counts::default(),
            trace: Trace::new(params.trace),
            picture: None,
            violation: None,
            kinds: (Vec::new(), BTreeSet::new()),
            in_vain: Vec::new(),
            turns: 0,
            params,
        };
        if world.params.picture {
            let gateways: Vec<&str> = world.gateways.iter().map(|g| g.name().as_str()).collect();
            let recorder = Recorder::new(&cluster, &gateways);
            world.picture = Some(Box::new(recorder));
            world.draw_beginning();
        }
        world.note_truth();
        for place in 0..count {
            let node = Node::new(place, &mut world.streams.clock, &world.params);
            world.nodes.push(node);
            world.start(place);
        }
        for (nth, id) in cluster.observers.keys().enumerate() {
            let rng = &mut world.streams.clock;
            world.beside.push(Beside::new(*id, rng, world.params.drift_ppm));
            world.start_beside(nth);
        }
        for which in 0..world.gateways.len() {
            world.queue.put(0, Event::GatewayTick { which });
        }
        world.queue.put(0, Event::UsersTick);
        world
    }

    /// True time.
    pub const fn now(&self) -> Micros {
        self.now
    }

    /// What it was made of.
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// The cluster under test.
    pub const fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }

    /// The planes.
    pub const fn planes(&self) -> &Planes {
        &self.planes
    }

    /// The gateways.
    pub fn gateways(&self) -> &[Gateway] {
        &self.gateways
    }

    /// What was seen.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What happened, in a few marks.
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The digest and the last events.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What went wrong, if anything did.
    pub const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Does something at a true time.
    pub fn act_at(&mut self, at: Micros, action: Action) {
        self.queue.put(at.max(self.now), Event::Act(action));
    }

    /// Runs until a true time, or until something goes wrong; `after` is called after each event.
    pub fn run_until(&mut self, until: Micros, mut after: impl FnMut(&mut Self)) {
        while self.violation.is_none() {
            let Some((at, event)) = self.queue.take(until) else {
                self.now = until.max(self.now);
                return;
            };
            self.now = at;
            self.happen(event);
            after(self);
        }
    }

    /// Ends the run: the last questions of the oracles, and the replay. `rested`: the members that have come to rest; whoever is
    /// outside of them may be left behind.
    pub fn end(&mut self, rested: Option<&[usize]>) {
        self.tell_in_vain();
        for node in 0..self.nodes.len() {
            self.replay(node);
            let disk = self.nodes[node].disk.counts();
            self.counts.add(Class::TornPage, disk.torn_pages);
            self.counts.add(Class::LostTail, disk.lost_tails);
            self.counts.add(Class::FailedSync, disk.failed_syncs);
            self.counts.add(Class::LyingSync, disk.lying_syncs);
        }
        if self.violation.is_some() {
            return;
        }
        let healthy = self.healthy(rested);
        let rested = rested.is_some();
        let end = End { history: &self.history, healthy, rested, at: self.now };
        let mut finding = None;
        for oracle in &mut self.oracles {
            if let Err(what) = oracle.ended(&self.book, &end) {
                finding = Some((oracle.name(), what));
                break;
            }
        }
        if let Some((oracle, what)) = finding {
            self.report(oracle, what);
        }
    }

    fn report(&mut self, oracle: &'static str, what: String) {
        if self.violation.is_none() {
            self.draw(|picture, at| picture.violated(at, oracle, &what));
            self.violation = Some(Violation { oracle, what, at: self.now });
        }
    }

    /// Asks every oracle.
    fn ask_oracles(&mut self, ask: impl Fn(&mut dyn Oracle, &Book) -> Finding) {
        let mut finding = None;
        for oracle in &mut self.oracles {
            if let Err(what) = ask(oracle.as_mut(), &self.book) {
                finding = Some((oracle.name(), what));
                break;
            }
        }
        if let Some((oracle, what)) = finding {
            self.report(oracle, what);
        }
    }

    fn note(&mut self, note: Note) {
        self.draw(|picture, at| picture.note(at, &note));
        self.trace.note(self.now, note);
    }

    fn see(&mut self, class: Class) {
        self.counts.see(class);
    }

    /// Something is to pass between a node and outsiders: when it arrives; nothing when it is lost.
    fn passes(&mut self, node: usize, from: Outsider) -> Option<Passage> {
        if self.ways.is_rough(node, from) {
            self.see(Class::RoughWay);
        }
        self.ways.fate(node, from, &mut self.streams.workload)
    }

    /// Which op a wish becomes; it is asked at once.
    fn wish(&mut self, node: usize, wish: Wish) {
        let serial = self.history.len() as u64;
        let asked = self.now;
        self.history.push(Op {
            serial,
            wish,
            asked,
            tries: 0,
            doubled: false,
            answered: None,
            heard: None,
        });
        self.ask(self.history.len() - 1, node);
    }
}
