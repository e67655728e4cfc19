//! Three nodes, a network and two planes, on one virtual clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use biplane::kernel::controller::{
    Action, ClientRequest, Effect, EffectOrder, Input, Output, Receipt, ReceiptOutcome, RequestId,
    Response, Traffic, View,
};
use biplane::kernel::domain::{
    MemberId, Moment, ProbeFault, ProbeOrder, ProbeResult, ProbeTimings, WallTime,
};
use biplane::kernel::zone::EpochRecord;

use super::super::cluster::{NODES, plane_host};
use super::node::{Node, Sizes};

/// Between members, one way; and what a disk and a probe take.
const HOP: Duration = Duration::from_micros(200);

/// Three nodes.
pub(super) struct Trio {
    pub(super) now: Moment,
    pub(super) nodes: Vec<Node>,
    /// What will be handled when, and by which life of a node.
    queue: BTreeMap<(Moment, u64), (usize, u32, Input)>,
    queued: u64,
    /// Endpoints that nobody answers at: plane and port.
    pub(super) dead: std::collections::BTreeSet<(usize, u16)>,
    /// Requests under way: where each was asked.
    asked: BTreeMap<RequestId, (usize, u64)>,
    requests: u64,
    /// Answers, by the number that the asker gave.
    pub(super) answers: Vec<(u64, Response)>,
    /// When the wall clock began.
    wall: u64,
    pub(super) turns: u64,
    /// The most of each that any node took since it was last asked for.
    largest: Sizes,
    /// KiB of this process, since then.
    memory: Vec<u64>,
    pub(super) slowest_start: Duration,
}

impl Trio {
    /// `wall` is what the wall clock says in the beginning.
    pub(super) fn new(nodes: Vec<Node>, wall: u64) -> Self {
        let mut trio = Self {
            now: Moment::from_micros(1_000_000),
            nodes,
            queue: BTreeMap::new(),
            queued: 0,
            dead: std::collections::BTreeSet::new(),
            asked: BTreeMap::new(),
            requests: 0,
            answers: Vec::new(),
            wall,
            turns: 0,
            largest: Sizes::default(),
            memory: Vec::new(),
            slowest_start: Duration::ZERO,
        };
        (0..NODES.len()).for_each(|node| trio.start(node));
        trio
    }

    /// Starts a node's process.
    pub(super) fn start(&mut self, node: usize) {
        let (took, outputs) = self.nodes[node].start(self.now);
        self.slowest_start = self.slowest_start.max(took);
        self.carry_out(node, outputs);
        self.tell_the_time(node);
    }

    /// Kills a node's process. What was asked there is never answered.
    pub(super) fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
        self.asked.retain(|_, (at, _)| *at != node);
    }

    /// Every node's wall clock says what time it is.
    pub(super) fn tell_the_time(&mut self, node: usize) {
        let wall = WallTime(self.wall + self.now.as_micros() / 1000);
        self.put(node, Duration::ZERO, Input::WallClock(wall));
    }

    /// Milliseconds of the wall clock.
    pub(super) const fn wall(&self) -> u64 {
        self.wall + self.now.as_micros() / 1000
    }

    pub(super) fn put(&mut self, node: usize, after: Duration, input: Input) {
        self.queued += 1;
        let life = self.nodes[node].lives;
        self.queue.insert((self.now + after, self.queued), (node, life, input));
    }

    /// Lets time pass.
    pub(super) fn run_until(&mut self, until: Moment) {
        loop {
            let first = self.queue.keys().next().map_or(Moment::NEVER, |key| key.0);
            let living = self.nodes.iter().filter(|node| node.lives());
            let wake = living.map(|node| node.wake).min().unwrap_or(Moment::NEVER);
            if first.min(wake) > until {
                self.now = self.now.max(until);
                return;
            }
            if first <= wake {
                let (_, (node, life, input)) = self.queue.pop_first().expect("it was just seen");
                self.now = self.now.max(first);
                if self.nodes[node].lives() && self.nodes[node].lives == life {
                    self.turn(node, input);
                }
            } else {
                self.now = self.now.max(wake);
                let due = |node: &Node| node.lives() && node.wake == wake;
                let node = self.nodes.iter().position(due).expect("it was just seen");
                self.turn(node, Input::TimePassed);
            }
        }
    }

    fn turn(&mut self, node: usize, input: Input) {
        self.turns += 1;
        let outputs = self.nodes[node].handle(self.now, input);
        self.carry_out(node, outputs);
    }

    fn carry_out(&mut self, node: usize, outputs: Vec<Output>) {
        for output in outputs {
            self.carry_out_one(node, output);
        }
    }

    fn carry_out_one(&mut self, node: usize, output: Output) {
        let me = MemberId(node as u64 + 1);
        match output {
            Output::Persist(batch) => {
                self.nodes[node].persist(&batch);
                self.put(node, HOP, Input::Persisted { number: batch.number });
            }
            Output::Send { to, frame, traffic } => {
                let at = place(to);
                let delivered = self.nodes[at].lives();
                if traffic == Traffic::Bulk {
                    self.put(node, 2 * HOP, Input::BulkSent { to, delivered });
                } else if !delivered {
                    self.put(node, HOP, Input::PeerUnreachable(to));
                }
                self.put(at, HOP, Input::Peer { from: me, frame });
            }
            Output::Probe(order) => {
                let result = self.probe(&order);
                self.put(node, 5 * HOP, Input::Probed(result));
            }
            Output::Perform(EffectOrder { id, effect, .. }) => {
                let receipt = Receipt { id, outcome: self.perform(&effect) };
                self.put(node, 5 * HOP, Input::Receipt(receipt));
            }
            Output::Reply { id, response } => {
                if let Some((_, number)) = self.asked.remove(&id) {
                    self.answers.push((number, response));
                }
            }
            Output::Publish(view) => self.nodes[node].view = Some(view),
            Output::Audit(record) => self.nodes[node].note(&record),
            Output::Event(_) | Output::Measured { .. } => {}
            Output::WaitUntil(moment, _) => self.nodes[node].wake = moment,
        }
    }

    fn probe(&self, order: &ProbeOrder) -> ProbeResult {
        let endpoint = &order.target.endpoint;
        let plane = (0..2).find(|plane| plane_host(*plane) == endpoint.host);
        let up = plane.is_none_or(|plane| !self.dead.contains(&(plane, endpoint.port)));
        ProbeResult {
            id: order.id,
            began: self.now,
            outcome: if up { Ok(()) } else { Err(ProbeFault::Refused) },
            timings: ProbeTimings::default(),
        }
    }

    fn perform(&self, effect: &Effect) -> Result<ReceiptOutcome, String> {
        match effect {
            Effect::AskDns { member, name, .. } => {
                let view = self.nodes[place(*member)].view.as_ref().ok_or("no answer")?;
                let owner = format!("_biplane.{name}");
                let set = view.zones.values().find_map(|zone| zone.names.get(&owner));
                let text = set.and_then(|set| set.txt.first()).ok_or("no text")?;
                Ok(ReceiptOutcome::Dns(EpochRecord::from_text(text).ok_or("no epoch")?))
            }
            Effect::KnockFrontDoor { .. } => Ok(ReceiptOutcome::FrontDoor),
            Effect::Notify { .. } => Ok(ReceiptOutcome::Told),
        }
    }

    /// Asks a node; the answer comes with this number.
    pub(super) fn ask(&mut self, node: usize, number: u64, action: Action) {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.asked.insert(id, (node, number));
        let request = ClientRequest { id, principal: "operator".to_owned(), action };
        self.put(node, HOP, Input::Request(request));
    }

    /// Requests under way.
    pub(super) fn waiting(&self) -> usize {
        self.asked.len()
    }

    pub(super) fn leader(&self) -> Option<usize> {
        let leads = |node: &Node| node.controller().is_some_and(|kernel| kernel.is_leader());
        self.nodes.iter().position(leads)
    }

    /// What the leader shows, if there is one.
    pub(super) fn view(&self) -> Option<Arc<View>> {
        self.nodes[self.leader()?].view.clone()
    }

    /// Looks at what every node takes on the disk, and what this process takes of memory.
    pub(super) fn look_at_sizes(&mut self) {
        self.largest = self.nodes.iter().map(Node::sizes).fold(self.largest, Sizes::or);
        self.memory.push(memory());
    }

    /// Memory at each look since this was last asked, and the most of each size.
    pub(super) fn take_seen(&mut self) -> (Vec<u64>, Sizes) {
        (std::mem::take(&mut self.memory), std::mem::take(&mut self.largest))
    }
}

/// KiB of this process.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says so");
    line.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}

fn place(member: MemberId) -> usize {
    usize::try_from(member.0 - 1).expect("members are numbered from 1")
}
