//! What a campaign must have seen at least once, or it proved little.

/// A class of trouble, or of what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Class {
    /// The quorum moved a group.
    AutomaticSwitchover,
    /// A leader was followed by another.
    LeaderChange,
    /// That happened while a switchover was under way, and it went on.
    LeaderChangeInMidSwitch,
    /// An automatic switchover while a link between members was cut.
    SwitchoverInPartition,
    /// Something was wrong, and moving was held.
    HeldDecision,
    /// An operator's switchover was done.
    OperatorSwitchover,
    /// A repeated request was recognised.
    RepeatedRequest,
    /// A request stayed unknown.
    UnknownRequest,
    /// A process was killed.
    Crash,
    /// Right after it told a vote.
    CrashAfterVote,
    /// Between two outputs of one turn.
    CrashBetweenOutputs,
    /// A write under way was lost in a crash.
    LostWrite,
    /// A write under way was kept in a crash, though nobody was told.
    KeptWrite,
    /// An unsynced write below the store of production was lost whole.
    LostTail,
    /// One was written in part.
    TornPage,
    /// A disk failed, and its node left consensus.
    FailedDisk,
    /// A sync below it failed.
    FailedSync,
    /// One said "done" and was not.
    LyingSync,
    /// A process was paused.
    Pause,
    /// It was paused between reading the clock and using it.
    PauseAfterRead,
    /// A link between members was cut both ways.
    Partition,
    /// A link was cut one way.
    OneWayCut,
    /// A message was lost.
    LostMessage,
    /// A message came twice.
    DuplicateMessage,
    /// An answer to a read round was held up.
    HeldReadAnswer,
    /// A service on a plane was sick.
    SickService,
    /// A whole plane was sick.
    SickPlane,
    /// Both planes were sick at once.
    BothPlanesSick,
    /// An observer could not see a plane.
    BlindObserver,
    /// A wall clock jumped.
    WallStep,
    /// A gateway went to another node.
    GatewayMoved,
    /// A node took over a leader's snapshot.
    SnapshotInstalled,
    /// A plane had more traffic than it could carry.
    OverloadedPlane,
    /// A plane said that all is well, and it was not.
    LyingPlane,
    /// A gateway, a client or a resolver could not reach a node.
    OutsiderShutOut,
    /// A disk was full.
    FullDisk,
    /// Bits of a disk changed.
    RottenDisk,
    /// A store refused to open on it.
    RotNoticed,
    /// A person answered an ask.
    AskAnswered,
    /// A resolver gave an old answer, because no server was to be reached.
    StaleAnswer,
    /// A user arrived at a plane that does not serve.
    UserLost,
    /// A user arrived at a plane that the gateway sends nobody to any more.
    ResidualTraffic,
    /// A leader died when the intent of a switchover was committed and its route had not changed.
    CrashBeforeEffect,
    /// An operator's switch stood in the log twice, and moved its group once.
    DuplicateSuppressed,
    /// A node without a quorum refused an operator's switch; or, as a leader, wrote a move that was never committed.
    MinorityRefused,
    /// A route of an older epoch was shown to a gateway and not taken; or a deposed leader wrote a move that was never
    /// committed.
    OldLeaderFenced,
    /// A node took over a snapshot while a switchover was under way.
    SnapshotInMidSwitch,
    /// A leader that was cut off from every quorum, or deposed, refused a read.
    StaleReadRefused,
    /// An automatic switchover had the ballot of an observer beside the members.
    ObserverBallot,
    /// An observer beside the members died.
    ObserverCrash,
    /// Frames of one kind were held up or lost, and the others were not.
    KindStruck,
    /// What an outsider sent to a node, or was sent by it, was lost or late.
    RoughWay,
    /// Another configuration came into force while a switchover was under way.
    ConfiguredInMidSwitch,
    /// Two gateways sent the same group to different planes.
    GatewaysApart,
    /// A machine slept, and its clock with it.
    Suspend,
    /// A process was asked to stop.
    CleanStop,
    /// Two cuts lay on the same way at once.
    CutsOverlap,
    /// Whatever travelled on a link of one member was held up, lost or doubled.
    LinkStruck,
    /// An observer's way to a plane was lossy or slow.
    RoughSight,
    /// What passed between an outsider and a node came twice.
    DoubledFromOutside,
}

impl Class {
    /// All of them, in order, with their names.
    pub const ALL: [(Self, &'static str); 60] = [
        (Self::AutomaticSwitchover, "automatic-switchover"),
        (Self::LeaderChange, "leader-change"),
        (Self::LeaderChangeInMidSwitch, "leader-change-in-mid-switch"),
        (Self::SwitchoverInPartition, "switchover-in-partition"),
        (Self::HeldDecision, "held-decision"),
        (Self::OperatorSwitchover, "operator-switchover"),
        (Self::RepeatedRequest, "repeated-request"),
        (Self::UnknownRequest, "unknown-request"),
        (Self::Crash, "crash"),
        (Self::CrashAfterVote, "crash-after-vote"),
        (Self::CrashBetweenOutputs, "crash-between-outputs"),
        (Self::LostWrite, "lost-write"),
        (Self::KeptWrite, "kept-write"),
        (Self::LostTail, "lost-tail"),
        (Self::TornPage, "torn-page"),
        (Self::FailedDisk, "failed-disk"),
        (Self::FailedSync, "failed-sync"),
        (Self::LyingSync, "lying-sync"),
        (Self::Pause, "pause"),
        (Self::PauseAfterRead, "pause-after-read"),
        (Self::Partition, "partition"),
        (Self::OneWayCut, "one-way-cut"),
        (Self::LostMessage, "lost-message"),
        (Self::DuplicateMessage, "duplicate-message"),
        (Self::HeldReadAnswer, "held-read-answer"),
        (Self::SickService, "sick-service"),
        (Self::SickPlane, "sick-plane"),
        (Self::BothPlanesSick, "both-planes-sick"),
        (Self::BlindObserver, "blind-observer"),
        (Self::WallStep, "wall-step"),
        (Self::GatewayMoved, "gateway-moved"),
        (Self::SnapshotInstalled, "snapshot-installed"),
        (Self::OverloadedPlane, "overloaded-plane"),
        (Self::LyingPlane, "lying-plane"),
        (Self::OutsiderShutOut, "outsider-shut-out"),
        (Self::FullDisk, "full-disk"),
        (Self::RottenDisk, "rotten-disk"),
        (Self::RotNoticed, "rot-noticed"),
        (Self::AskAnswered, "ask-answered"),
        (Self::StaleAnswer, "stale-answer"),
        (Self::UserLost, "user-lost"),
        (Self::ResidualTraffic, "residual-traffic"),
        (Self::CrashBeforeEffect, "crash-before-effect"),
        (Self::DuplicateSuppressed, "duplicate-suppressed"),
        (Self::MinorityRefused, "minority-refused"),
        (Self::OldLeaderFenced, "old-leader-fenced"),
        (Self::SnapshotInMidSwitch, "snapshot-in-mid-switch"),
        (Self::StaleReadRefused, "stale-read-refused"),
        (Self::ObserverBallot, "observer-ballot"),
        (Self::ObserverCrash, "observer-crash"),
        (Self::KindStruck, "kind-struck"),
        (Self::RoughWay, "rough-way"),
        (Self::ConfiguredInMidSwitch, "configured-in-mid-switch"),
        (Self::GatewaysApart, "gateways-apart"),
        (Self::Suspend, "suspend"),
        (Self::CleanStop, "clean-stop"),
        (Self::CutsOverlap, "cuts-overlap"),
        (Self::LinkStruck, "link-struck"),
        (Self::RoughSight, "rough-sight"),
        (Self::DoubledFromOutside, "doubled-from-outside"),
    ];
}

impl Class {
    /// Whether only the store of production, over its simulated disk, can show it.
    pub const fn is_of_the_real_disk(self) -> bool {
        matches!(
            self,
            Self::LostTail
                | Self::TornPage
                | Self::FailedSync
                | Self::LyingSync
                | Self::RottenDisk
                | Self::RotNoticed
        )
    }
}

/// How often each class was seen in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts([u64; Class::ALL.len()]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; Class::ALL.len()])
    }
}

impl Counts {
    /// Sees one.
    pub const fn see(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }

    /// Sees many.
    pub const fn add(&mut self, class: Class, count: u64) {
        self.0[class as usize] += count;
    }

    /// How many.
    pub const fn of(&self, class: Class) -> u64 {
        self.0[class as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_stands_at_its_place_in_the_list() {
        for (place, (class, _)) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, place);
        }
    }
}
