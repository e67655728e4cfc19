//! The whole state as bytes: self-describing JSON with a format number.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::audit::hex;
use super::state::Ledger;

/// The snapshot format that this version writes and the newest that it reads.
const FORMAT: u32 = 1;

/// Why bytes are not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Written by a newer version.
    #[error(
        "the snapshot has format {0}; this version reads up to {FORMAT}: start a newer biplane"
    )]
    Newer(u32),
    /// Not a snapshot.
    #[error("the snapshot cannot be read: {0}")]
    Unreadable(String),
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    ledger: &'a Ledger,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Deserialize)]
struct Read {
    ledger: Ledger,
}

impl Ledger {
    /// The state as bytes. Equal states give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&Written { format: FORMAT, ledger: self })
            .expect("the state's maps have text and number keys: all JSON")
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let unreadable = |error: serde_json::Error| SnapshotError::Unreadable(error.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if format > FORMAT {
            return Err(SnapshotError::Newer(format));
        }
        let Read { mut ledger } = serde_json::from_slice(bytes).map_err(unreadable)?;
        ledger.index_services();
        Ok(ledger)
    }

    /// Hex of SHA-256 over [`Self::to_bytes`]: equal on all nodes at equal index.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(self.to_bytes()))
    }

    /// Rebuilds what follows from the configuration.
    pub(super) fn index_services(&mut self) {
        let mut group_of = BTreeMap::new();
        if let Some(config) = &self.config {
            for (name, group) in &config.groups {
                for service in &group.services {
                    group_of.insert(service.clone(), name.clone());
                }
            }
        }
        self.group_of = Arc::new(group_of);
    }
}

/// Maps whose keys are not text, written as lists of pairs.
pub(super) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::kernel::ledger) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(in crate::kernel::ledger) fn deserialize<'de, K, V, D>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
