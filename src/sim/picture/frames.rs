//! What a frame between members is, read from its first bytes by a reader of its own, as the oracle of votes does.

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
