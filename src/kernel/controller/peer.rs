//! What members tell each other, as bytes: postcard behind a format number. Commands inside are JSON, so that
//! an older leader logs what a newer member says without understanding it all.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::input::{DataPlaneHint, GatewayReport};
use crate::kernel::domain::{GroupName, Incarnation, QuestionId, ServiceName};
use crate::kernel::ledger::{Ballot, Command, ObserverState};

/// The format of these frames.
const FORMAT: u8 = 1;
/// Commands in one frame.
const COMMANDS_MAX: usize = 64;
/// Bytes of commands in one frame, unless a single command has more.
const BYTES_MAX: usize = 1 << 20;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PeerMessage {
    /// Consensus' own.
    Raft(#[serde(with = "serde_bytes")] Vec<u8>),
    /// "I live", and whether this member stands apart from consensus: to everybody.
    Heartbeat { incarnation: Incarnation, applied: u64, ruleset: u32, apart: bool },
    /// Commands for the leader to log.
    Forward(Vec<Vec<u8>>),
    /// Something began to speak against (service, plane): to the leader, at once.
    Suspect(Vec<(ServiceName, u8)>),
    /// A gateway's report, passed on to everybody.
    Gateway(GatewayReport),
    /// A gateway's hint, passed on to everybody.
    Hint(DataPlaneHint),
    /// From a leader: "you said that entries up to `committed` are committed, and my log ended at `last`."
    Ahead { committed: u64, last: u64 },
    /// The digest of the state at a log index: to everybody.
    Digest { index: u64, digest: String },
    /// The wall clock when it left, and until when this member's certificate is good (0: not known), in milliseconds
    /// since 1970: to everybody who knows ruleset 2.
    Card { wall: u64, certificate_until: u64 },
    /// "What have you seen of this group's services?" To those who know ruleset 3.
    WantSeen { ask: u64, group: GroupName },
    /// The answer, as JSON.
    Seen { ask: u64, seen: String },
    /// From an observer beside the members: "I live".
    Present(Present),
    /// To an observer beside the members: what it needs to know.
    Brief(Brief),
}

/// What an observer beside the members says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Present {
    pub(super) incarnation: Incarnation,
    /// It knows what briefs up to this log index said.
    pub(super) taken: u64,
    /// The configuration that it works by; 0 while it has none.
    pub(super) config: u64,
    /// As in [`PeerMessage::Card`].
    pub(super) wall: u64,
    /// As in [`PeerMessage::Card`].
    pub(super) certificate_until: u64,
}

/// What a member tells an observer beside the members, after its own apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Brief {
    /// The log index of what it says.
    pub(super) index: u64,
    /// The number of the configuration in force.
    pub(super) config: u64,
    /// The settings themselves, as JSON, where the observer works by others.
    pub(super) settings: Option<Vec<u8>>,
    /// What the ledger holds of the observer; absent where that has not changed since what it has taken.
    pub(super) held: Option<Option<ObserverState>>,
    /// Every open question: its services, and the observer's ballot as the ledger holds it.
    pub(super) questions: Vec<(QuestionId, Vec<ServiceName>, Option<Ballot>)>,
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

    /// Commands as frames of bounded size and number of commands; a command that is larger has one for itself.
    pub(super) fn forward(commands: &[Command]) -> Vec<Self> {
        let mut frames = Vec::new();
        let (mut frame, mut size) = (Vec::new(), 0);
        for command in commands {
            let bytes = serde_json::to_vec(command);
            let bytes = bytes.expect("commands hold only text keys: all JSON");
            if !frame.is_empty() && (frame.len() >= COMMANDS_MAX || size + bytes.len() > BYTES_MAX)
            {
                frames.push(Self::Forward(std::mem::take(&mut frame)));
                size = 0;
            }
            size += bytes.len();
            frame.push(bytes);
        }
        if !frame.is_empty() {
            frames.push(Self::Forward(frame));
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::kernel::domain::{Epoch, GatewayName, HealthState, MemberId, PlaneName, StatePair};
    use crate::kernel::ledger::RequestKey;

    fn brief() -> Brief {
        let web = ServiceName::new("web").expect("a good name");
        let pair = StatePair([HealthState::Up, HealthState::Down]);
        let states = BTreeMap::from([(web.clone(), pair)]);
        let incarnation = Incarnation(2);
        let (seq, isolated, lost) = (5, false, true);
        let ballot = Ballot { incarnation, seq, isolated, states: states.clone() };
        let held = ObserverState { incarnation, seq, lost, isolated, states: Arc::new(states) };
        Brief {
            index: 401,
            config: 3,
            settings: Some(b"{}".to_vec()),
            held: Some(Some(held)),
            questions: vec![(QuestionId { term: 2, index: 300 }, vec![web], Some(ballot))],
        }
    }

    /// One of each kind.
    fn messages() -> [(&'static str, PeerMessage); 13] {
        let service = ServiceName::new("web").expect("a good name");
        let gateway = GatewayName::new("edge-1").expect("a good name");
        let plane = PlaneName::new("east").expect("a good name");
        let group = GroupName::new("shop").expect("a good name");
        let report = GatewayReport {
            gateway: gateway.clone(),
            incarnation: Incarnation(4),
            groups: BTreeMap::from([(group.clone(), Epoch { generation: 1, counter: 300 })]),
            connections_failed: 2,
        };
        let heartbeat = PeerMessage::Heartbeat {
            incarnation: Incarnation(3),
            applied: 9,
            ruleset: 1,
            apart: true,
        };
        let present = Present {
            incarnation: Incarnation(2),
            taken: 400,
            config: 3,
            wall: 1_800_000_000_000,
            certificate_until: 300,
        };
        [
            ("raft", PeerMessage::Raft(vec![1, 2, 3])),
            ("heartbeat", heartbeat),
            ("forward", PeerMessage::Forward(vec![b"{\"tick\":{}}".to_vec()])),
            ("suspect", PeerMessage::Suspect(vec![(service.clone(), 1)])),
            ("gateway", PeerMessage::Gateway(report)),
            ("hint", PeerMessage::Hint(DataPlaneHint { gateway, route: service, plane })),
            ("ahead", PeerMessage::Ahead { committed: 7, last: 5 }),
            ("digest", PeerMessage::Digest { index: 64, digest: "00ff".repeat(16) }),
            ("card", PeerMessage::Card { wall: 1_800_000_000_000, certificate_until: 300 }),
            ("want-seen", PeerMessage::WantSeen { ask: 4, group }),
            ("seen", PeerMessage::Seen { ask: 4, seen: "{}".to_owned() }),
            ("present", PeerMessage::Present(present)),
            ("brief", PeerMessage::Brief(brief())),
        ]
    }

    /// Members of different versions talk to each other while a cluster is upgraded.
    #[test]
    fn frames_have_the_bytes_that_they_always_had() {
        let mut now = String::new();
        for (name, message) in messages() {
            let frame = message.encode();
            assert_eq!(PeerMessage::decode(&frame), Some(message));
            let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
            now.push_str(&format!("{name} {hex}\n"));
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/member/frames.txt");
        if std::env::var_os("REWRITE").is_some() {
            std::fs::write(path, &now).expect("tests/data/golden can be written");
        }
        assert_eq!(std::fs::read_to_string(path).expect("the golden file"), now);
    }

    #[test]
    fn forwarded_commands_are_cut_into_frames_by_number_and_by_size() {
        let freeze = |reason: usize| Command::Freeze {
            request: RequestKey { member: MemberId(1), incarnation: Incarnation(1), counter: 1 },
            by: String::new(),
            groups: BTreeSet::new(),
            on: true,
            reason: "r".repeat(reason),
            for_ms: None,
            abort: false,
        };
        let sizes = |commands: &[Command]| -> Vec<usize> {
            let frames = PeerMessage::forward(commands).into_iter();
            frames
                .map(|frame| match frame {
                    PeerMessage::Forward(commands) => commands.len(),
                    other => panic!("{other:?}"),
                })
                .collect()
        };
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&vec![freeze(1); COMMANDS_MAX + 1]), [COMMANDS_MAX, 1]);
        assert_eq!(sizes(&vec![freeze(BYTES_MAX / 3); 5]), [2, 2, 1]);
        assert_eq!(sizes(&[freeze(1), freeze(2 * BYTES_MAX), freeze(1)]), [1, 1, 1]);
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
