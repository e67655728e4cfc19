//! The kinds of fault, and which of them a seed has.

use std::collections::BTreeSet;

use crate::sim::rng::Rng;

/// Fewest kinds of fault in a seed.
pub const FEWEST: usize = 3;

/// The kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A plane dies, hangs or answers errors.
    Plane,
    /// One service on one plane is sick.
    Service,
    /// Both planes are sick at once.
    BothPlanes,
    /// A plane dies and is back, again and again.
    Flap,
    /// An observer cannot see a plane.
    Blind,
    /// Processes are killed.
    Crash,
    /// All of them at once.
    PowerFailure,
    /// A process is killed right after it told a vote, while others run for the same term.
    CrashAfterVote,
    /// A process is killed between two outputs.
    CrashBetweenOutputs,
    /// A process is killed while a write is under way.
    CrashInWrite,
    /// The leader dies together with a plane.
    LeaderAndPlane,
    /// A node is cut off.
    CutOff,
    /// The leader is.
    LeaderCutOff,
    /// One link is cut.
    Cut,
    /// One direction of one link is.
    OneWay,
    /// Messages are lost.
    Loss,
    /// Messages come twice, old ones late.
    Duplicates,
    /// Messages are held up.
    Clog,
    /// A process is paused.
    Pause,
    /// A machine sleeps, its clock with it.
    Suspend,
    /// A process is asked to stop.
    CleanStop,
    /// A process is paused between reading the clock and using it.
    PauseAfterRead,
    /// Clocks run wrong.
    ClockRate,
    /// Wall clocks jump.
    WallStep,
    /// A disk stands still.
    DiskStall,
    /// A disk fails.
    DiskFail,
    /// A disk lies about a sync.
    DiskLie,
    /// Answers to reads travel slowly, and disks stand still meanwhile.
    SlowAnswers,
    /// Probes are lost.
    ProbeLoss,
    /// The gateway's process dies.
    Gateway,
    /// A plane says that all is well, and it is not.
    Lie,
    /// A plane cannot carry all traffic.
    Overload,
    /// A gateway, clients or resolvers cannot reach a node.
    ShutOut,
    /// A disk is full.
    DiskFull,
    /// Frames of one kind are held up or lost.
    Kinds,
    /// What passes between a node and gateways, clients or resolvers is lost or late.
    Rough,
    /// An observer beside the members dies, is cut off or blind.
    Observer,
    /// A plane's site is cut off, members and all.
    Site,
    /// Another configuration is applied in the middle of something.
    Reconfigure,
}

impl Fault {
    const ALL: [Self; 39] = [
        Self::Plane,
        Self::Service,
        Self::BothPlanes,
        Self::Flap,
        Self::Blind,
        Self::Crash,
        Self::PowerFailure,
        Self::CrashAfterVote,
        Self::CrashBetweenOutputs,
        Self::CrashInWrite,
        Self::LeaderAndPlane,
        Self::CutOff,
        Self::LeaderCutOff,
        Self::Cut,
        Self::OneWay,
        Self::Loss,
        Self::Duplicates,
        Self::Clog,
        Self::Pause,
        Self::Suspend,
        Self::CleanStop,
        Self::PauseAfterRead,
        Self::ClockRate,
        Self::WallStep,
        Self::DiskStall,
        Self::DiskFail,
        Self::DiskLie,
        Self::SlowAnswers,
        Self::ProbeLoss,
        Self::Gateway,
        Self::Lie,
        Self::Overload,
        Self::ShutOut,
        Self::DiskFull,
        Self::Kinds,
        Self::Rough,
        Self::Observer,
        Self::Site,
        Self::Reconfigure,
    ];
    /// What the plain profile has.
    const PLAIN: [Self; 6] =
        [Self::Plane, Self::Service, Self::Crash, Self::CutOff, Self::Cut, Self::LeaderAndPlane];
    const NETWORK: [Self; 12] = [
        Self::Plane,
        Self::ShutOut,
        Self::Kinds,
        Self::Rough,
        Self::Site,
        Self::CutOff,
        Self::LeaderCutOff,
        Self::Cut,
        Self::OneWay,
        Self::Loss,
        Self::Duplicates,
        Self::Clog,
    ];
    const DISKS: [Self; 8] = [
        Self::Plane,
        Self::DiskFull,
        Self::Crash,
        Self::PowerFailure,
        Self::CrashInWrite,
        Self::DiskStall,
        Self::DiskFail,
        Self::DiskLie,
    ];
    const CLOCKS: [Self; 6] = [
        Self::Plane,
        Self::Pause,
        Self::Suspend,
        Self::PauseAfterRead,
        Self::ClockRate,
        Self::WallStep,
    ];
    const PLANES: [Self; 10] = [
        Self::Plane,
        Self::Lie,
        Self::Overload,
        Self::Service,
        Self::BothPlanes,
        Self::Flap,
        Self::Blind,
        Self::LeaderAndPlane,
        Self::ProbeLoss,
        Self::Observer,
    ];
}

/// Which faults a campaign's seeds may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Each seed draws which exist at all; a fifth of them has the plain ones.
    #[default]
    Swarm,
    /// Planes that die, processes that die, links that are cut.
    Plain,
    /// Planes that die, and every trouble of the network between members.
    Network,
    /// Planes that die, and every trouble of disks, crashes among them.
    Disks,
    /// Planes that die, pauses, and clocks that run wrong.
    Clocks,
    /// Every trouble of planes and of the way to them.
    Planes,
}

impl Fault {
    pub(super) const fn is_weather(self) -> bool {
        matches!(self, Self::Loss | Self::Duplicates | Self::Clog | Self::ProbeLoss)
    }
}

/// Which faults a seed has.
pub(super) fn draw(rng: &mut Rng, profile: Profile) -> BTreeSet<Fault> {
    match profile {
        Profile::Swarm if rng.chance(200) => return Fault::PLAIN.into_iter().collect(),
        Profile::Swarm => {}
        Profile::Plain => return Fault::PLAIN.into_iter().collect(),
        Profile::Network => return Fault::NETWORK.into_iter().collect(),
        Profile::Disks => return Fault::DISKS.into_iter().collect(),
        Profile::Clocks => return Fault::CLOCKS.into_iter().collect(),
        Profile::Planes => return Fault::PLANES.into_iter().collect(),
    }
    let keep = u32::try_from(rng.between(120, 700)).unwrap_or(300);
    let mut faults: BTreeSet<Fault> = Fault::ALL.into_iter().filter(|_| rng.chance(keep)).collect();
    // The product is there for planes that die: most runs have one.
    if rng.chance(900) {
        faults.insert(Fault::Plane);
    }
    while faults.len() < FEWEST || faults.iter().all(|fault| fault.is_weather()) {
        faults.insert(*rng.pick(&Fault::ALL));
    }
    faults
}
