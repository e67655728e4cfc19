//! The controller (F4): the one machine.
//!
//! Grammar: `handle(now, input)`, then `poll()` until it returns `None`; the last output is
//! [`Output::WaitUntil`]. `on_*` files take one kind of input each; then one *turn* runs, always the same
//! stations in the same order (see [`Controller::handle`]):
//!
//! ```text
//! input → consensus → applied commands → observe (probes, reports, ballots) → lead (questions,
//!         decisions, switchovers) → propose → consensus → reads, requests → publish → wait-until
//! ```

mod agreement;
mod alarm_places;
mod alarming;
mod briefs;
mod card;
mod configure;
mod decide;
mod digest;
mod disk;
mod drive;
mod explain;
mod explaining;
mod followers;
mod guards;
mod input;
mod lead;
mod logins;
mod notifying;
mod observe;
mod observer;
mod observing;
mod on_applied;
mod on_input;
mod outgoing;
mod output;
mod peer;
mod proposals;
mod publish;
mod questions;
mod reads;
mod requests;
mod show;
mod sizes;
mod status;
mod verify;
mod view;
mod waiting;

#[cfg(test)]
mod tests;

pub use digest::OutputDigest;
pub use input::{
    Action, ClientRequest, ConfigRequest, DataPlaneHint, GatewayReport, Input, Receipt,
    ReceiptOutcome, RequestId, SwitchKind, SwitchRequest,
};
pub use observer::{Observer, ObserverBoot, ObserverInput, ObserverOutput};
pub use output::{
    ConfigPlan, Effect, EffectId, EffectOrder, Event, Level, Measure, Output, OutputKind, Plan,
    Refusal, RefusalKind, Response, Traffic,
};
pub use sizes::Size;
pub use status::{
    Explanation, GatewayStatus, GroupStatus, GuardStatus, MemberStatus, ObserverExplained,
    PlaneStatus, QuestionStatus, ServiceOnPlane, ServiceStatus, Status, StepRecord,
    SwitchoverRecord,
};
pub use view::{MemberCard, RouteEntry, RouteTable, View};
pub use waiting::{AlarmStatus, AskStatus};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::consensus::{Consensus, ConsensusSettings, Recovered};
use crate::kernel::domain::{GatewayName, Incarnation, MemberId, Moment, Timer, WallTime, packed};
use crate::kernel::health::Prober;
use crate::kernel::ledger::{Cluster, Ledger};

/// Limits and rhythms of the controller.
pub mod limits {
    use std::time::Duration;

    use crate::kernel::consensus::limits::PROPOSAL_BYTES;

    /// What an observer or a request sends to the leader is sent again after this long without effect.
    pub const RESEND: Duration = Duration::from_millis(500);
    /// A configuration that was sent to the leader is sent again after this long.
    pub const RESEND_CONFIG: Duration = Duration::from_secs(3);
    /// A configuration's command may take this many bytes; an entry holds a little more.
    pub const COMMAND_BYTES: usize = PROPOSAL_BYTES - (64 << 10);
    /// Each repetition waits twice as long as the one before, this many times.
    pub const RESEND_DOUBLINGS: u32 = 4;
    /// Large ballots and reports are gathered for this long before they are sent.
    pub const GATHER: Duration = Duration::from_millis(10);
    /// From this many services on they are gathered.
    pub const GATHER_FROM: usize = 64;
    /// Between two ticks of the ledger while one of its timers is open.
    pub const LEDGER_TICK: Duration = Duration::from_secs(1);
    /// The same while nothing but a dwell runs: `explain` shows how much of it is left.
    pub const DWELL_TICK: Duration = Duration::from_secs(3);
    /// A decision that is held only because ballots are still missing is not told before this.
    pub const VOTING: Duration = Duration::from_secs(2);
    /// Shortest pause between two questions about a group.
    pub const ASK_BACKOFF_MIN: Duration = Duration::from_secs(1);
    /// Longest pause between two questions about a group, while nothing new speaks against its route.
    pub const ASK_BACKOFF_MAX: Duration = Duration::from_secs(60);
    /// Commands of observers and clients that a leader holds before it drops more; its own are bounded by groups.
    pub const OUTBOX: usize = 10_000;
    /// The same in services that these commands speak of.
    pub const OUTBOX_WEIGHT: usize = 400_000;
    /// Entries under way whose time until they are applied is measured.
    pub const PROPOSED: usize = 10_000;
    /// Groups or moves in one command.
    pub const BATCH: usize = 500;
    /// Services of commands in one log entry; an entry stays well under consensus' message size.
    pub const ENTRY_WEIGHT: usize = 4_000;
    /// Requests under way at once; one more is refused.
    pub const REQUESTS: usize = 1_024;
    /// Effects under way at once; more wait.
    pub const EFFECTS: usize = 256;
    /// Between two questions of verification to the same place, and how long one may take.
    pub const VERIFY_PAUSE: Duration = Duration::from_millis(100);
    /// Names of a group that verification asks for.
    pub const VERIFY_NAMES: usize = 4;
    /// A vantage whose answer did not come in this time, several times an effect's timeout, is asked again.
    pub const RECEIPT_LOST: Duration = Duration::from_secs(5);
    /// While a gateway was heard this short a time ago, an older process of its name is not listened to.
    pub const GATEWAY_SILENCE: Duration = Duration::from_secs(3);
    /// A gateway that was silent for this long is forgotten.
    pub const GATEWAY_FORGOTTEN: Duration = Duration::from_secs(300);
    /// Gateways that are remembered.
    pub const GATEWAYS: usize = 1_000;
    /// The log is compacted above this many bytes, or this many entries.
    pub const LOG_BYTES: usize = 16 << 20;
    /// See [`LOG_BYTES`].
    pub const LOG_ENTRIES: usize = 4_096;
    /// A compaction frees this many entries or [`COMPACTED_BYTES`], or it waits.
    pub const COMPACTED_ENTRIES: usize = 1_024;
    /// See [`COMPACTED_ENTRIES`].
    pub const COMPACTED_BYTES: usize = 4 << 20;
    /// Members compare their states after every so many entries, and after more where there are many groups.
    pub const DIGEST_ENTRIES: u64 = 64;
    /// Digests of so many indices are remembered.
    pub const DIGESTS_KEPT: u64 = 8;
    /// Who explains a group waits for the other observers for so long.
    pub const EXPLAIN_WAITS: Duration = Duration::from_millis(400);
    /// Services of a group of which an observer tells its samples.
    pub const EXPLAINED_SERVICES: usize = 50;
    /// Between two looks of the leader at what stands against the cluster.
    pub const ALARM_LOOK: Duration = Duration::from_secs(1);
    /// Asks that the leader looks at in one look.
    pub const ASKS_LOOKED_AT: usize = 500;
    /// A condition stands for this long until it is an alarm; asks and what is stuck are at once.
    pub const ALARM_STANDS: Duration = Duration::from_secs(2);
    /// It is gone for this long until its alarm is cleared; asks are at once.
    pub const ALARM_CLEARS: Duration = Duration::from_secs(6);
    /// Failed logins are an alarm for this long after the last.
    pub const LOGINS_STAND: Duration = Duration::from_secs(300);
    /// A gateway that was silent for this long is lost.
    pub const GATEWAY_LOST: Duration = Duration::from_secs(10);
    /// A gateway that is heard and follows an older route for this long is behind.
    pub const GATEWAY_BEHIND: Duration = Duration::from_secs(10);
    /// Gateways that a switchover's record names as converging; further ones are counted.
    pub const CONVERGING_NAMED: usize = 20;
    /// Groups that may be held, beside those with an alarm, that the leader judges in one look: of open questions, and
    /// again of those that ended without a move.
    pub const HELD_LOOKED_AT: usize = 500;
    /// Failures in a row until it is an alarm that somebody cannot be told of alarms.
    pub const NOTIFY_FAILS: u32 = 3;
    /// After the first failure to tell somebody; each further one doubles it.
    pub const NOTIFY_PAUSE: Duration = Duration::from_secs(1);
    /// Doublings of it.
    pub const NOTIFY_DOUBLINGS: u32 = 6;
    /// Longest.
    pub const NOTIFY_PAUSE_MAX: Duration = Duration::from_secs(60);
    /// Between two commands that say how many logins failed.
    pub const LOGINS_TOLD: Duration = Duration::from_secs(10);
    /// Between two cards of a member: its clock and its certificate.
    pub const CARD: Duration = Duration::from_secs(5);
    /// Times of [`CARD`] over which a member's clock is judged, by the smallest difference: a late message looks like one.
    pub const CLOCK_SPANS: usize = 4;
    /// A difference of clocks above this many milliseconds is told to people.
    pub const CLOCK_DIFFERENCE_MS: i64 = 1_000;
    /// A certificate that is good for no more than so many days is told to people.
    pub const CERTIFICATE_DAYS: i64 = 30;
    /// Between an observer's signs of life.
    pub const HEARTBEAT: Duration = Duration::from_millis(500);
}

/// What a controller is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Boot {
    /// Who it is.
    pub me: MemberId,
    /// Its cluster file. The first leader logs it as configuration 1; afterwards the log's is in force.
    pub cluster: Arc<Cluster>,
    /// The text of that file; empty where there is none. The first leader logs it beside the settings.
    pub text: Arc<str>,
    /// Until when its certificate is good, if that is known.
    pub certificate_until: Option<WallTime>,
    /// What its disk held.
    #[serde(with = "packed")]
    pub recovered: Recovered,
    /// Spreads election timeouts and probe times. Equal seeds give equal runs.
    pub seed: u64,
    /// Entries above which the log is compacted: [`limits::LOG_ENTRIES`], or fewer in a simulation.
    pub log_entries: usize,
}

/// A gateway's last word, and when it was heard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GatewayHeard {
    pub(super) report: GatewayReport,
    pub(super) at: Moment,
    /// When another, older process last used its name.
    pub(super) twin_at: Option<Moment>,
    /// How far it was behind the routes when it said this.
    behind: Option<followers::Behind>,
}

/// The one machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Controller {
    me: MemberId,
    file: Arc<Cluster>,
    file_text: Arc<str>,
    /// The cluster file as it is now, where it was changed since this process started.
    file_now: Option<Arc<Cluster>>,
    certificate_until: Option<WallTime>,
    cards: card::Cards,
    incarnation: Incarnation,
    now: Moment,
    /// The last wall clock told, and when.
    wall: (WallTime, Moment),
    consensus: Consensus,
    #[serde(deserialize_with = "Ledger::deserialize_indexed")]
    ledger: Ledger,
    prober: Prober,
    tick_due: Moment,
    heartbeat_due: Moment,
    /// Persists under way: number and when they were ordered.
    persists: VecDeque<(u64, Moment)>,
    /// What is committed and not applied, since when.
    committed: proposals::Committed,
    /// Why this node left consensus, if it did: from then on it only shows what it knows.
    left: Option<String>,
    /// Whether a write has been under way for so long that this node stands apart until it ends.
    disk_stuck: bool,
    /// The other members that said of themselves that they stand apart.
    apart: BTreeSet<MemberId>,
    observing: observing::Observing,
    briefs: briefs::Briefs,
    leading: lead::Leading,
    agreement: agreement::Agreement,
    reads: reads::Reads,
    requests: requests::Requests,
    verifying: verify::Verifying,
    notifying: notifying::Notifying,
    explaining: explaining::Explaining,
    logins: logins::Logins,
    gateways: BTreeMap<GatewayName, GatewayHeard>,
    /// When each other member was last heard by this process.
    heard: BTreeMap<MemberId, Moment>,
    started: Moment,
    /// The log up to here was committed before this process started: applying it again is no news.
    history: u64,
    /// Whether an entry of that history is being applied.
    replaying: bool,
    publishing: publish::Publishing,
    #[serde(skip)]
    outputs: VecDeque<Output>,
    log_entries: usize,
}

impl Controller {
    /// Starts from what the disk held. Fails only when that contradicts itself.
    pub fn start(now: Moment, boot: Boot) -> Result<Self, String> {
        let Boot { me, cluster, text, certificate_until, recovered, seed, log_entries } = boot;
        let timing = &cluster.timing;
        let ticks = |span: Duration| {
            let ticks = span.as_micros() / timing.tick.as_micros().max(1);
            usize::try_from(ticks).unwrap_or(usize::MAX).max(1)
        };
        let settings = ConsensusSettings {
            id: me,
            voters: cluster.voters(),
            seed,
            heartbeat_ticks: ticks(timing.heartbeat),
            election_min_ticks: ticks(timing.election_min),
            election_max_ticks: ticks(timing.election_max),
        };
        let ledger = match &recovered.snapshot {
            Some(snapshot) => Ledger::from_bytes(&snapshot.data).map_err(|e| e.to_string())?,
            None => Ledger::default(),
        };
        let consensus = Consensus::start(settings, &recovered).map_err(|e| e.to_string())?;
        let mut controller = Self {
            me,
            file: cluster,
            file_text: text,
            file_now: None,
            certificate_until,
            cards: card::Cards::default(),
            incarnation: recovered.incarnation,
            now,
            wall: (WallTime::default(), now),
            consensus,
            ledger,
            prober: Prober::new(seed ^ me.0),
            tick_due: now,
            heartbeat_due: now,
            persists: VecDeque::new(),
            committed: proposals::Committed::default(),
            left: None,
            disk_stuck: false,
            apart: BTreeSet::new(),
            observing: observing::Observing::default(),
            briefs: briefs::Briefs::default(),
            leading: lead::Leading::default(),
            agreement: agreement::Agreement::default(),
            reads: reads::Reads::default(),
            requests: requests::Requests::default(),
            verifying: verify::Verifying::default(),
            notifying: notifying::Notifying::default(),
            explaining: explaining::Explaining::default(),
            logins: logins::Logins::default(),
            gateways: BTreeMap::new(),
            heard: BTreeMap::new(),
            started: now,
            history: recovered.hard_state.commit,
            replaying: false,
            publishing: publish::Publishing::since(now),
            outputs: VecDeque::new(),
            log_entries,
        };
        controller.take_over_ledger();
        Ok(controller)
    }

    /// Takes one input, then runs one turn.
    pub fn handle(&mut self, now: Moment, input: Input) {
        assert!(now >= self.now, "one process's clock never goes back");
        self.now = now;
        self.on_input(input);
        self.watch_disk();
        self.tick();
        self.run_consensus();
        self.observe();
        self.tell_logins();
        self.lead();
        self.run_consensus();
        self.serve_reads();
        self.serve_explained();
        self.serve_requests();
        self.run_consensus();
        self.compact();
        self.send_briefs();
        self.publish();
        let (moment, timer) = self.next_wake();
        self.outputs.push_back(Output::WaitUntil(moment, timer));
    }

    /// The next output; `None` after the `WaitUntil` that ends a turn.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What the cluster has agreed, as far as this node knows.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether it leads.
    pub fn is_leader(&self) -> bool {
        self.consensus.is_leader()
    }

    /// Its Raft term.
    pub fn term(&self) -> u64 {
        self.consensus.term()
    }

    /// A copy to start a replay from: this kernel in mid-life. None while something of consensus is under way, or an
    /// output is still to be polled; it comes many times a second.
    pub fn copy(&self) -> Option<Self> {
        (self.outputs.is_empty() && self.consensus.is_quiet()).then(|| self.clone())
    }

    /// What this node says of itself.
    pub fn view(&self) -> View {
        self.make_view(None)
    }

    fn timing(&self) -> &crate::kernel::ledger::Timing {
        self.ledger.config().map_or(&self.file.timing, |cluster| &cluster.timing)
    }

    fn wall_now(&self) -> WallTime {
        let (wall, at) = self.wall;
        let since = u64::try_from(self.now.since(at).as_millis()).unwrap_or(u64::MAX);
        WallTime(wall.0.saturating_add(since))
    }

    fn tell(
        &mut self,
        level: Level,
        kind: &'static str,
        group: Option<crate::kernel::domain::GroupName>,
        text: String,
    ) {
        // What was told when it happened is not told again as if it happened now.
        if self.replaying && kind != "config" {
            return;
        }
        self.outputs.push_back(Output::Event(Event { level, kind, text, group }));
    }

    /// Every wake-up has its reason.
    fn next_wake(&self) -> (Moment, Timer) {
        let timers = [
            (self.tick_due, Timer::ConsensusTick),
            (self.heartbeat_due, Timer::Heartbeat),
            (self.prober.next_due(), Timer::Probe),
            (self.observing.next_due(), Timer::Heartbeat),
            (self.leading.next_due(), Timer::LedgerTick),
            (self.reads.next_due(), Timer::Request),
            (self.requests.next_due(), Timer::Request),
            (self.verifying.next_due(), Timer::SwitchoverStep),
            (self.notifying.next_due(), Timer::Notify),
            (self.logins.next_due(), Timer::Notify),
            (self.explaining.next_due(), Timer::Request),
        ];
        let first = timers.into_iter().min();
        first.expect("the list of timers is not empty")
    }
}
