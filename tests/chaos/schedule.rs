//! What goes wrong when: drawn from a seed, before anything runs.

use std::fmt;

use biplane::sim::rng::{Rng, Stream};

/// Milliseconds before the first trouble, and those at the end in which nothing new begins.
const QUIET: u64 = 1_000;
const LAST: u64 = 3_000;
/// Between the beginnings of two troubles.
const PAUSE: (u64, u64) = (1_200, 2_600);
/// From one kind that is dealt to the next; it shares no factor with their number, so all are dealt.
const STRIDE: usize = 7;
/// Of so many troubles one is drawn freely; the others are dealt, so that every kind has its turn within a few seeds.
const FREE: usize = 4;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident $name:literal $low:literal $high:literal;)*) => {
        /// A kind of trouble.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind { $($(#[doc = $doc])* $kind),* }

        impl Kind {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its name.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// How long it lasts, in milliseconds.
            const fn lasts(self) -> (u64, u64) {
                match self { $(Self::$kind => ($low, $high)),* }
            }
        }
    };
}

kinds! {
    /// A node is killed and started again.
    KillNode "kill-node" 300 4_000;
    /// A node is stopped for a while.
    StopNode "stop-node" 300 5_000;
    /// All nodes are killed at once.
    RestartAll "restart-all" 100 1_500;
    /// The leader is killed right after it accepted a switch.
    KillLeader "kill-leader-in-switch" 500 3_000;
    /// The gateway is killed and started again.
    KillGateway "kill-gateway" 300 2_500;
    /// A plane is killed and started again.
    KillPlane "kill-plane" 2_000 6_000;
    /// A plane is stopped for a while.
    StopPlane "stop-plane" 2_000 6_000;
    /// Nothing passes from one node to another.
    CutOneWay "cut-one-way" 2_000 6_000;
    /// Nothing passes between two nodes.
    CutBothWays "cut-both-ways" 2_000 6_000;
    /// A node hears nobody and is heard by nobody.
    Isolate "isolate-node" 2_000 6_000;
    /// A node's traffic with the other members.
    CutMembers "cut-members" 2_000 6_000;
    /// A node's API.
    CutApi "cut-api" 2_000 5_000;
    /// A node's DNS.
    CutDns "cut-dns" 2_000 5_000;
    /// Probes of the plane that a group is on, of one node or of two.
    CutProbes "cut-probes" 3_000 8_000;
    /// The gateway's way to the API of every node.
    CutGateway "cut-gateway" 2_000 6_000;
    /// The gateway's way to a plane.
    CutUpstream "cut-upstream" 2_000 5_000;
    /// Some of a node's packets.
    LosePackets "lose-packets" 3_000 8_000;
    /// A node's disk is full.
    FullDisk "full-disk" 3_000 6_000;
    /// A node's disk is slow.
    SlowDisk "slow-disk" 3_000 8_000;
    /// The wall clock of a node leaps, and leaps back.
    StepClock "step-clock" 7_000 12_000;
    /// Both clocks of a node run fast or slow.
    DriftClock "drift-clock" 9_000 14_000;
    /// A node runs with a certificate that has ended.
    EndedCertificate "ended-certificate" 3_000 6_000;
    /// The clock of a node is beyond the end of every certificate.
    PastCertificates "clock-past-certificates" 4_000 7_000;
    /// A token is made, used and revoked.
    RevokeToken "revoke-token" 3_000 5_000;
}

/// Those that move groups: of what is drawn freely, every second one.
const MOVING: [Kind; 4] = [Kind::KillPlane, Kind::StopPlane, Kind::CutProbes, Kind::KillLeader];

/// Which way a channel is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the node.
    In,
    /// From it.
    Out,
    /// Both.
    Both,
}

/// One trouble.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    /// When it begins, in milliseconds from the start.
    pub(crate) at: u64,
    /// How long it lasts.
    pub(crate) lasts: u64,
    /// What it is.
    pub(crate) kind: Kind,
    /// The node that it strikes.
    pub(crate) node: usize,
    /// Another node.
    pub(crate) other: usize,
    /// The plane that it strikes; for probes, the group whose plane it is.
    pub(crate) plane: usize,
    /// The way of a cut.
    pub(crate) way: Way,
    /// Milliseconds of a slow disk or a step, parts in a million of a drift, packets in a hundred, nodes.
    pub(crate) amount: i64,
}

impl Trouble {
    /// When it is over.
    pub(crate) const fn end(&self) -> u64 {
        self.at + self.lasts
    }

    /// Whether two of the kind's things may not be touched at once.
    pub(crate) fn bars(&self, other: &Self) -> bool {
        let all = |kind| matches!(kind, Kind::RestartAll | Kind::KillLeader);
        let node = |kind| {
            all(kind)
                || matches!(
                    kind,
                    Kind::KillNode
                        | Kind::StopNode
                        | Kind::FullDisk
                        | Kind::EndedCertificate
                        | Kind::PastCertificates
                )
        };
        let plane = |kind| matches!(kind, Kind::KillPlane | Kind::StopPlane);
        let clock =
            |kind| matches!(kind, Kind::StepClock | Kind::DriftClock | Kind::PastCertificates);
        let (a, b) = (self.kind, other.kind);
        (node(a) && node(b) && (all(a) || all(b) || self.node == other.node))
            || (plane(a) && plane(b) && self.plane == other.plane)
            || (clock(a) && clock(b))
            || (a == b && matches!(a, Kind::KillGateway))
            || (a == b && a == Kind::SlowDisk && self.node == other.node)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, lasts, kind, node, other, plane, way, amount } = self;
        write!(
            f,
            "{at:>6} ms, for {lasts} ms: {}, node {node}, other {other}, plane {plane}, {way:?}, {amount}",
            kind.name()
        )
    }
}

/// The whole plan of a run, in order.
pub(crate) struct Schedule {
    /// What happens.
    pub(crate) troubles: Vec<Trouble>,
    /// The node whose clocks can be moved.
    pub(crate) odd: usize,
}

impl Schedule {
    /// The plan of a seed for a run of so many milliseconds.
    pub(crate) fn draw(seed: u64, length: u64) -> Self {
        let mut rng = Rng::stream(seed, Stream::Faults);
        let odd = rng.place(3);
        let mut troubles: Vec<Trouble> = Vec::new();
        // So many are dealt in a run; the next seed goes on where this one ends.
        let slots = usize::try_from(length / PAUSE.1).unwrap_or(0) + 1;
        let dealt = slots - slots / FREE;
        let first = usize::try_from(seed).unwrap_or(0).wrapping_mul(dealt);
        let mut turn = 0;
        let (mut at, mut slot) = (QUIET, 0);
        while at + LAST < length {
            let free = slot % FREE == FREE - 1;
            let kind = if free && rng.chance(500) {
                *rng.pick(&MOVING)
            } else if free {
                *rng.pick(Kind::ALL)
            } else {
                turn += 1;
                Kind::ALL[(first.wrapping_add(turn - 1)).wrapping_mul(STRIDE) % Kind::ALL.len()]
            };
            let room = length.saturating_sub(at);
            if let Some(trouble) = place(&mut rng, kind, (at, room), odd, &troubles) {
                troubles.push(trouble);
            }
            slot += 1;
            at += rng.between(PAUSE.0, PAUSE.1);
        }
        troubles.sort_by_key(|trouble| trouble.at);
        Self { troubles, odd }
    }
}

/// Draws a trouble that does not get in another's way; nothing if that did not work out.
fn place(
    rng: &mut Rng,
    kind: Kind,
    (at, room): (u64, u64),
    odd: usize,
    before: &[Trouble],
) -> Option<Trouble> {
    for _ in 0..20 {
        let (low, high) = kind.lasts();
        let node = rng.place(3);
        let clock = matches!(kind, Kind::StepClock | Kind::DriftClock | Kind::PastCertificates);
        let trouble = Trouble {
            at,
            lasts: rng.between(low, high).min(room),
            kind,
            node: if clock { odd } else { node },
            other: (node + 1 + rng.place(2)) % 3,
            plane: rng.place(2),
            way: *rng.pick(&[Way::In, Way::Out, Way::Both]),
            amount: amount(rng, kind),
        };
        let apart = |other: &Trouble| trouble.at > other.end() + 1_500 || !trouble.bars(other);
        if before.iter().all(apart) {
            return Some(trouble);
        }
    }
    None
}

fn amount(rng: &mut Rng, kind: Kind) -> i64 {
    let (low, high, both) = match kind {
        Kind::SlowDisk => (20, 400, false),
        Kind::StepClock => (2_500, 3_600_000, true),
        Kind::DriftClock => (150_000, 300_000, true),
        Kind::LosePackets => (5, 30, false),
        Kind::CutProbes => (1, 2, false),
        _ => return 0,
    };
    let amount = i64::try_from(rng.between(low, high)).unwrap_or(0);
    if both && rng.chance(500) { -amount } else { amount }
}
