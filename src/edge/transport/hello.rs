//! The hello: the first frame in each direction of a connection.
//!
//! Four bytes of magic, then a postcard record. The record may grow at its end: a reader takes the fields that it
//! knows and leaves the rest, so that members of different versions can still tell each other why they part.

use serde::{Deserialize, Serialize};

use crate::kernel::controller::Traffic;
use crate::kernel::domain::MemberId;

/// The first four bytes of a hello and of its answer.
const MAGIC: &[u8; 4] = b"BPLM";
/// The oldest protocol that this version speaks.
pub(super) const PROTOCOL_MIN: u16 = 1;
/// The newest.
pub(super) const PROTOCOL_MAX: u16 = 1;

/// Which of the two connections this is, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Lane {
    /// Heartbeats and log.
    Normal,
    /// Snapshots.
    Bulk,
    /// An observer beside the members: both sides speak.
    Observer,
}

impl From<Traffic> for Lane {
    fn from(traffic: Traffic) -> Self {
        match traffic {
            Traffic::Normal => Self::Normal,
            Traffic::Bulk => Self::Bulk,
        }
    }
}

/// Who speaks, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// Oldest protocol spoken.
    pub min: u16,
    /// Newest protocol spoken.
    pub max: u16,
    /// The cluster's name.
    pub cluster: String,
    /// The speaker.
    pub member: MemberId,
    /// What the connection is for.
    pub lane: Lane,
}

/// What the accepting side says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Go on.
    Welcome(Hello),
    /// The connection is closed after this, and why.
    Refused(String),
}

/// Why a peer is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mismatch {
    #[error("it does not speak Biplane's member protocol")]
    NotAHello,
    #[error(
        "it speaks protocols {0} to {1}, this member {PROTOCOL_MIN} to {PROTOCOL_MAX}: upgrade the older one first"
    )]
    Protocol(u16, u16),
    #[error("it belongs to cluster `{theirs}`, this member to `{ours}`: check the cluster files")]
    Cluster { theirs: String, ours: String },
    #[error(
        "it says that it is member {said}, but its certificate is that of member {shown}: check the node files"
    )]
    Name { said: MemberId, shown: MemberId },
    #[error("its certificate is not that of a member of this cluster")]
    Stranger,
    #[error(
        "its certificate is not that of an observer of the configuration in force: see [observers] there \
         (`biplane config show`), and which certificate observer.toml names"
    )]
    NoObserver,
    #[error(
        "its certificate is that of member {shown}, not of member {wanted}: check the addresses"
    )]
    Other { shown: MemberId, wanted: MemberId },
    #[error("it says that it is this member itself ({0}): a copied data directory or node file?")]
    Myself(MemberId),
}

impl Hello {
    /// What this version says of itself.
    pub(super) const fn new(cluster: String, member: MemberId, lane: Lane) -> Self {
        Self { min: PROTOCOL_MIN, max: PROTOCOL_MAX, cluster, member, lane }
    }

    /// Whether a peer known by its certificate as `shown` may be talked to, and in which protocol.
    pub(super) fn accept(&self, ours: &str, shown: MemberId) -> Result<u16, Mismatch> {
        let protocol = self.max.min(PROTOCOL_MAX);
        if self.min > self.max || protocol < self.min.max(PROTOCOL_MIN) {
            return Err(Mismatch::Protocol(self.min, self.max));
        }
        if self.cluster != ours {
            // Another cluster's text is shown to people: keep it printable and short.
            let theirs = self.cluster.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
            return Err(Mismatch::Cluster { theirs, ours: ours.to_owned() });
        }
        if self.member != shown {
            return Err(Mismatch::Name { said: self.member, shown });
        }
        Ok(protocol)
    }
}

/// The bytes of a hello or an answer.
pub(super) fn encode(record: &impl Serialize) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(postcard::to_stdvec(record).expect("plain records of numbers and strings encode"));
    bytes
}

/// Reads what [`encode`] wrote; longer records are allowed.
pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Mismatch> {
    let record = bytes.strip_prefix(MAGIC.as_slice()).ok_or(Mismatch::NotAHello)?;
    let (record, _rest) = postcard::take_from_bytes(record).map_err(|_| Mismatch::NotAHello)?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello() -> Hello {
        Hello::new("demo".to_owned(), MemberId(2), Lane::Bulk)
    }

    #[test]
    fn a_hello_reads_back_as_written_and_may_grow() {
        let mut bytes = encode(&hello());
        assert_eq!(decode(&bytes), Ok(hello()));
        bytes.extend_from_slice(b"fields of a later version");
        assert_eq!(decode(&bytes), Ok(hello()));
        let welcome = Answer::Welcome(hello());
        assert_eq!(decode(&encode(&welcome)), Ok(welcome));
    }

    /// Members of different versions must be able to tell each other why they part.
    #[test]
    fn hellos_have_the_bytes_that_they_always_had() {
        let lines = [
            ("hello", encode(&hello())),
            ("welcome", encode(&Answer::Welcome(hello()))),
            ("refused", encode(&Answer::Refused("it belongs to another cluster".to_owned()))),
        ];
        let mut now = String::new();
        for (name, bytes) in lines {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            now.push_str(&format!("{name} {hex}\n"));
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/member/hello.txt");
        if std::env::var_os("REWRITE").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), now);
    }

    #[test]
    fn overlapping_protocol_ranges_agree_on_the_newest_common_one() {
        let range = |min, max| Hello { min, max, ..hello() }.accept("demo", MemberId(2));
        assert_eq!(range(0, 9), Ok(PROTOCOL_MAX));
        assert_eq!(range(PROTOCOL_MAX, PROTOCOL_MAX), Ok(PROTOCOL_MAX));
        assert_eq!(range(PROTOCOL_MAX + 1, 9), Err(Mismatch::Protocol(PROTOCOL_MAX + 1, 9)));
        assert_eq!(range(0, PROTOCOL_MIN - 1), Err(Mismatch::Protocol(0, PROTOCOL_MIN - 1)));
        assert_eq!(range(9, 0), Err(Mismatch::Protocol(9, 0)));
    }

    #[test]
    fn another_cluster_or_another_name_is_a_mismatch() {
        let cluster = hello().accept("prod", MemberId(2));
        assert!(matches!(cluster, Err(Mismatch::Cluster { .. })), "{cluster:?}");
        let name = hello().accept("demo", MemberId(3));
        assert_eq!(name, Err(Mismatch::Name { said: MemberId(2), shown: MemberId(3) }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_hello_or_an_error(mut bytes: Vec<u8>, magic: bool) {
            if magic {
                bytes.splice(..0, MAGIC.iter().copied());
            }
            let _ = decode::<Hello>(&bytes);
            let _ = decode::<Answer>(&bytes);
        }
    }
}
