//! What members tell each other, as bytes: postcard behind a format number. Commands inside are JSON, so that
//! an older leader logs what a newer member says without understanding it all.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::input::{DataPlaneHint, GatewayReport};
use crate::kernel::domain::{Incarnation, ServiceName};
use crate::kernel::ledger::Command;

/// The format of these frames.
const FORMAT: u8 = 1;
/// Commands in one frame.
const COMMANDS_MAX: usize = 64;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PeerMessage {
    /// Consensus' own.
    Raft(#[serde(with = "serde_bytes")] Vec<u8>),
    /// "I live": to everybody.
    Heartbeat { incarnation: Incarnation, applied: u64, ruleset: u32 },
    /// Commands for the leader to log.
    Forward(Vec<Vec<u8>>),
    /// Something began to speak against (service, plane): to the leader, at once.
    Suspect(Vec<(ServiceName, u8)>),
    /// A gateway's report, passed on to everybody.
    Gateway(GatewayReport),
    /// A gateway's hint, passed on to everybody.
    Hint(DataPlaneHint),
    /// The digest of the state at a log index: to everybody.
    Digest { index: u64, digest: String },
}

impl PeerMessage {
    pub(super) fn encode(&self) -> Bytes {
        let bytes = postcard::to_extend(self, vec![FORMAT])
            .expect("frames hold numbers, text and lists of known length: postcard takes them all");
        Bytes::from(bytes)
    }

    /// Reads a frame; what is not one, or has bytes left over, is none.
    pub(super) fn decode(frame: &Bytes) -> Option<Self> {
        let (format, rest) = frame.split_first()?;
        if *format != FORMAT {
            return None;
        }
        let (message, left) = postcard::take_from_bytes::<Self>(rest).ok()?;
        left.is_empty().then_some(message)
    }

    pub(super) fn forward(commands: &[Command]) -> impl Iterator<Item = Self> {
        commands.chunks(COMMANDS_MAX).map(|chunk| {
            let bytes = |command: &Command| {
                serde_json::to_vec(command).expect("commands hold only text keys: all JSON")
            };
            Self::Forward(chunk.iter().map(bytes).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_read_back_as_written() {
        let service = ServiceName::new("web").expect("a good name");
        for message in [
            PeerMessage::Raft(vec![1, 2, 3]),
            PeerMessage::Heartbeat { incarnation: Incarnation(3), applied: 9, ruleset: 1 },
            PeerMessage::Suspect(vec![(service, 1)]),
            PeerMessage::Forward(vec![b"{\"tick\":{}}".to_vec()]),
        ] {
            assert_eq!(PeerMessage::decode(&message.encode()), Some(message));
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = PeerMessage::decode(&Bytes::from(bytes.clone()));
            let mut framed = vec![FORMAT];
            framed.extend(bytes);
            let _ = PeerMessage::decode(&Bytes::from(framed));
        }
    }
}
