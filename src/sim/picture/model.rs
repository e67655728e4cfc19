//! What a picture holds.

use crate::sim::queue::Micros;

/// A finished picture of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// When the run ended.
    pub ended: Micros,
    /// Every lane; others name it by its place here.
    pub lanes: Vec<Lane>,
    /// In order of time.
    pub events: Vec<Event>,
    /// In order of their beginnings.
    pub bands: Vec<Band>,
    /// In order of sending.
    pub messages: Vec<Message>,
}

/// What stands over a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Which run.
    pub title: String,
    /// Whether all was as it must be.
    pub passed: bool,
    /// The digest of the run.
    pub digest: u64,
    /// What was not as it must be, one sentence each.
    pub wrong: Vec<String>,
}

/// What a lane belongs to. The page shows lanes in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaneKind {
    /// A group: its route, its switchovers and their reasons, as the ledger has them.
    Group,
    /// A member: who it is to the others, and what it shows.
    Member,
    /// An observer beside the members.
    Observer,
    /// A plane: how many members show a group on it.
    Plane,
    /// A gateway: where it sends users.
    Gateway,
    /// The network between members.
    Network,
    /// Who asks.
    Clients,
}

impl LaneKind {
    /// A fixed word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Member => "member",
            Self::Observer => "observer",
            Self::Plane => "plane",
            Self::Gateway => "gateway",
            Self::Network => "network",
            Self::Clients => "clients",
        }
    }
}

/// A line through time for one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// `member east`, `plane east`: unlike every other lane's.
    pub name: String,
    /// What it belongs to.
    pub kind: LaneKind,
    /// What changes along it.
    pub strips: Vec<Strip>,
}

/// Something that has a state at every time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strip {
    /// `role`, or a group's name.
    pub name: String,
    /// From when which state; empty text for none. In order of time, neighbours differ.
    pub states: Vec<(Micros, String)>,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Questions, decisions, switchovers, leaders: with their reasons.
    Decision,
    /// Something broke, or was mended.
    Fault,
    /// Worth telling.
    Word,
    /// For who looks closely: writes, what is published, ballots.
    Detail,
}

impl Class {
    /// A fixed word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Fault => "fault",
            Self::Word => "word",
            Self::Detail => "detail",
        }
    }
}

/// Something at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Micros,
    /// Where.
    pub lane: usize,
    /// How much it matters.
    pub class: Class,
    /// A fixed word: `question`, `hold`, `switchover`, `leader`, `crash`, …
    pub kind: &'static str,
    /// A sentence.
    pub text: String,
}

/// Something that is so for a while: a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// Since when.
    pub from: Micros,
    /// Until when; the end of the run when it never ended.
    pub until: Micros,
    /// Where.
    pub lane: usize,
    /// A fixed word: `dead`, `paused`, `cut`, `blind`, `disk`, `sick`, …
    pub kind: &'static str,
    /// A sentence.
    pub text: String,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Arrived,
    /// It arrived, and says that something fails.
    Failed,
    /// The network lost it.
    Lost,
    /// It met a cut link.
    Cut,
    /// Nobody was there.
    Nobody,
    /// The run ended first.
    UnderWay,
}

impl Fate {
    /// A fixed word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Cut => "cut",
            Self::Nobody => "nobody",
            Self::UnderWay => "under-way",
        }
    }
}

/// Something that goes from one lane to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When it left.
    pub sent: Micros,
    /// When it arrived, or would have; when it left, if it was lost at once.
    pub ended: Micros,
    /// From which lane.
    pub from: usize,
    /// To which.
    pub to: usize,
    /// A fixed word: `append`, `vote`, `heartbeat`, `probe`, …
    pub kind: &'static str,
    /// What became of it.
    pub fate: Fate,
    /// What else is known; mostly nothing.
    pub text: String,
}
