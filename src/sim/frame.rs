//! What a frame between members or observers is, read from its first bytes by a reader of its own, as the oracle of votes
//! does.

/// Kinds of frame that the network can hold up or lose by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Votes, and requests for them.
    Votes,
    /// Questions whether there would be a vote, and the answers.
    PreVotes,
    /// Entries for other logs, and the answers.
    Appends,
    /// Whole states for other nodes.
    Snapshots,
    /// A leader's sign of life, and the answers.
    Heartbeats,
    /// Questions to a leader: is what I hold the newest?
    Reads,
    /// The answers to those.
    Answers,
    /// Reports, ballots and requests on their way to a leader.
    Commands,
    /// "Something began to speak against a plane."
    Suspicions,
    /// What members and observers say of themselves.
    Presence,
    /// What observers beside the members are told.
    Briefs,
    /// What a gateway said, passed on.
    Gateways,
    /// Everything else: digests, leaders that hand over, what is asked for an explanation.
    Others,
}

impl Kind {
    /// All of them, with their words.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Votes, "votes"),
        (Self::PreVotes, "prevotes"),
        (Self::Appends, "appends"),
        (Self::Snapshots, "snapshots"),
        (Self::Heartbeats, "heartbeats"),
        (Self::Reads, "reads"),
        (Self::Answers, "answers"),
        (Self::Commands, "commands"),
        (Self::Suspicions, "suspicions"),
        (Self::Presence, "presence"),
        (Self::Briefs, "briefs"),
        (Self::Gateways, "gateways"),
        (Self::Others, "others"),
    ];

    /// Its word.
    pub const fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The kind of a frame.
    pub fn of(frame: &[u8]) -> Self {
        match name_of(frame) {
            "vote request" | "vote" => Self::Votes,
            "pre-vote request" | "pre-vote" => Self::PreVotes,
            "append" | "append answer" => Self::Appends,
            "snapshot" => Self::Snapshots,
            "heartbeat" | "heartbeat answer" => Self::Heartbeats,
            "read index" => Self::Reads,
            "read index answer" => Self::Answers,
            "commands" => Self::Commands,
            "suspect" => Self::Suspicions,
            "alive" | "present" | "card" => Self::Presence,
            "brief" => Self::Briefs,
            "gateway report" | "hint" => Self::Gateways,
            _ => Self::Others,
        }
    }
}

/// A frame's first fields: format, kind of frame.
type Head = (u8, u32);
/// What follows in a frame of consensus: length, raft's format, kind of message.
type Raft = (u64, u8, u8);

/// A fixed word for a frame; `frame` for one that this reader does not know.
pub fn name_of(frame: &[u8]) -> &'static str {
    let Ok(((_, kind), rest)) = postcard::take_from_bytes::<Head>(frame) else { return "frame" };
    match kind {
        0 => {
            postcard::take_from_bytes::<Raft>(rest).map_or("frame", |((_, _, kind), _)| raft(kind))
        }
        1 => "alive",
        2 => "commands",
        3 => "suspect",
        4 => "gateway report",
        5 => "hint",
        6 => "ahead",
        7 => "digest",
        8 => "card",
        9 => "want seen",
        10 => "seen",
        11 => "present",
        12 => "brief",
        _ => "frame",
    }
}

/// Raft's numbers of its messages.
const fn raft(kind: u8) -> &'static str {
    match kind {
        3 => "append",
        4 => "append answer",
        5 => "vote request",
        6 => "vote",
        7 => "snapshot",
        8 => "heartbeat",
        9 => "heartbeat answer",
        13 => "transfer",
        14 => "timeout now",
        15 => "read index",
        16 => "read index answer",
        17 => "pre-vote request",
        18 => "pre-vote",
        _ => "raft",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_at_its_place_in_the_list() {
        for (place, (kind, word)) in Kind::ALL.into_iter().enumerate() {
            assert_eq!((kind as usize, kind.word()), (place, word));
        }
    }
}
