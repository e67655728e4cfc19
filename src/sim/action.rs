//! What can be done to a world: faults and their ends, and what clients ask.

use super::client::Wish;
use super::frame::Kind;
use super::plane::ServiceState;
use super::queue::Micros;

/// Whom a fault strikes. Roles are looked up when it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The node at this place.
    Node(usize),
    /// Whoever leads; the first node when nobody does.
    Leader,
    /// The first node that does not lead.
    Follower,
    /// Every node.
    All,
    /// The observer beside the members at this place. It can be killed, started, cut off and blinded, and its clock can
    /// run wrong.
    Observer(usize),
}

/// Which ways of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// Nothing in, nothing out.
    Both,
    /// Hears nothing.
    In,
    /// Is not heard.
    Out,
}

/// Who talks to nodes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outsider {
    /// The gateways.
    Gateway,
    /// People and their programs.
    Clients,
    /// Resolvers that ask its DNS server.
    Resolvers,
    /// The front door at which a switchover is verified: nodes knock there.
    Door,
}

impl Outsider {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gateway, Self::Clients, Self::Resolvers, Self::Door];
}

/// How lossy and slow a way from outside is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rough {
    /// Lost in a thousand.
    pub lost: u32,
    /// Of a thousand that are not lost so many come a second time.
    pub twice: u32,
    /// What is not lost comes up to this much later.
    pub late: Micros,
}

/// Frames of one kind, or all frames, on every link or on some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frames {
    /// Of this kind only.
    pub kind: Option<Kind>,
    /// From this member or observer only.
    pub from: Option<usize>,
    /// To this one only.
    pub to: Option<usize>,
}

impl Frames {
    /// Those of a kind, on every link.
    pub const fn all(kind: Kind) -> Self {
        Self { kind: Some(kind), from: None, to: None }
    }

    /// All that this member or observer sends, or all that it is sent.
    pub const fn of(place: usize, sent: bool) -> Self {
        if sent {
            Self { kind: None, from: Some(place), to: None }
        } else {
            Self { kind: None, from: None, to: Some(place) }
        }
    }

    /// Whether a frame of this kind on this link is one of them.
    pub fn has(&self, kind: Kind, from: usize, to: usize) -> bool {
        let is = |wanted: Option<usize>, place| wanted.is_none_or(|wanted| wanted == place);
        self.kind.is_none_or(|wanted| wanted == kind) && is(self.from, from) && is(self.to, to)
    }
}

/// When a doomed process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doom {
    /// After this many more outputs were carried out.
    AfterOutputs(u32),
    /// When it has told a vote.
    AfterVote,
    /// While its next write is under way.
    InWrite,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A service (all, when none is named) on a plane changes its state.
    Plane {
        /// 0 or 1.
        plane: usize,
        /// Its place.
        service: Option<usize>,
        /// How it answers from now on.
        state: ServiceState,
    },
    /// Kills a process, and starts it again after a time, if one is given.
    Crash {
        /// Whom.
        who: Who,
        /// How long it is down.
        down: Option<Micros>,
    },
    /// Starts a process that is down.
    Start(Who),
    /// Dooms a process.
    Doom {
        /// Whom.
        who: Who,
        /// When.
        doom: Doom,
        /// How long it is down then.
        down: Micros,
    },
    /// Cuts a node off from all others.
    CutOff {
        /// Whom.
        who: Who,
        /// Which ways.
        ways: Ways,
        /// For how long; until links are healed, when absent.
        span: Option<Micros>,
    },
    /// Cuts the link of two nodes.
    Cut {
        /// One.
        from: usize,
        /// The other.
        to: usize,
        /// Only messages from the one to the other.
        one_way: bool,
        /// For how long; until links are healed, when absent.
        span: Option<Micros>,
    },
    /// Opens every link between members, every way to the planes and every way from outside, whoever cut it.
    Heal,
    /// Cuts an observer's way to a plane, or opens it.
    Blind {
        /// Whom.
        who: Who,
        /// 0 or 1.
        plane: usize,
        /// Cut or open.
        on: bool,
        /// For how long it is cut; until it is opened, when absent.
        span: Option<Micros>,
    },
    /// An observer's way to a plane is lossy and slow from now on.
    RoughSight {
        /// Whose.
        who: Who,
        /// 0 or 1.
        plane: usize,
        /// Lost in a thousand.
        lost: u32,
        /// What is not lost takes up to this much longer.
        late: Micros,
    },
    /// Stops a process for a while.
    Pause {
        /// Whom.
        who: Who,
        /// For how long.
        span: Micros,
        /// In the middle of its next input: the clock is read, and then it stops.
        after_read: bool,
    },
    /// A machine sleeps, its monotonic clock with it; the wall clock goes on.
    Suspend {
        /// Whose.
        who: Who,
        /// For how long.
        span: Micros,
    },
    /// A process is asked to stop, as by a service manager; it ends soon, and is started again after a time.
    Retire {
        /// Whom.
        who: Who,
        /// How long it is down.
        down: Micros,
    },
    /// Changes the rate of a monotonic clock.
    ClockRate {
        /// Whom.
        who: Who,
        /// In millionths.
        ppm: i64,
    },
    /// A wall clock jumps.
    WallStep {
        /// Whom.
        who: Who,
        /// By milliseconds.
        by_ms: i64,
    },
    /// A disk stands still for a while.
    DiskStall {
        /// Whose.
        who: Who,
        /// For how long.
        span: Micros,
    },
    /// A disk fails; the process is started again on a mended one after this time.
    DiskFail {
        /// Whose.
        who: Who,
        /// After how long.
        mended: Micros,
    },
    /// A disk is full: nothing can be written until the process is started again, after this time, with room made.
    DiskFull {
        /// Whose.
        who: Who,
        /// After how long.
        mended: Micros,
    },
    /// Some bits of what lies on a disk change. The store of production only: the model has no bits.
    DiskRots(Who),
    /// The next syncs of a disk lie.
    DiskLie {
        /// Whose.
        who: Who,
        /// How many.
        syncs: u32,
    },
    /// Frames of one kind are held up by up to this long; 0 ends it.
    Hold {
        /// Which frames.
        frames: Frames,
        /// By how much at most.
        by: Micros,
    },
    /// So many in a thousand of the frames of one kind are lost; 0 ends it.
    Lose {
        /// Which frames.
        frames: Frames,
        /// How many.
        lost: u32,
    },
    /// So many in a thousand of the frames of one kind come a second time; 0 ends it.
    Double {
        /// Which frames.
        frames: Frames,
        /// How many.
        twice: u32,
        /// How much later at most.
        within: Micros,
    },
    /// How many groups' traffic a plane can carry; with more, everything on it is too slow.
    Room {
        /// 0 or 1.
        plane: usize,
        /// How many; any number, when absent.
        groups: Option<usize>,
    },
    /// A gateway's process stops, or starts.
    Gateway {
        /// Its place.
        which: usize,
        /// Starts.
        up: bool,
    },
    /// Cuts the way between a node's API and gateways, or clients; or opens it.
    CutApi {
        /// Whose API.
        who: Who,
        /// From whom.
        from: Outsider,
        /// Cut or open.
        on: bool,
        /// For how long it is cut; until it is opened, when absent.
        span: Option<Micros>,
    },
    /// The way between a node and outsiders is lossy and slow from now on.
    RoughApi {
        /// Whose API or DNS server.
        who: Who,
        /// For whom.
        from: Outsider,
        /// How rough.
        rough: Rough,
    },
    /// A client asks a node.
    Ask {
        /// Whom.
        who: Who,
        /// What.
        wish: Wish,
    },
    /// Faults end: fair weather, honest disks, clocks as they are.
    Calm,
}
