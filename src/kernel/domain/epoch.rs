//! The epoch of a group's route.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// (ledger generation, counter): grows with every change of a group's route, never reused for a name,
/// carried into every actuator. Written `generation.counter`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
pub struct Epoch {
    /// Raised by a restore or a break-glass; 1 in a fresh cluster.
    pub generation: u32,
    /// Raised by every change of the route.
    pub counter: u64,
}

impl Epoch {
    /// The epoch after this one.
    pub const fn next(self) -> Self {
        Self { generation: self.generation, counter: self.counter + 1 }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.generation, self.counter)
    }
}

/// Why a text is not an epoch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an epoch: write GENERATION.COUNTER, for example 1.7")]
pub struct EpochError(pub String);

impl FromStr for Epoch {
    type Err = EpochError;

    fn from_str(text: &str) -> Result<Self, EpochError> {
        let wrong = || EpochError(text.to_owned());
        let (generation, counter) = text.split_once('.').ok_or_else(wrong)?;
        Ok(Self {
            generation: generation.parse().map_err(|_| wrong())?,
            counter: counter.parse().map_err(|_| wrong())?,
        })
    }
}

impl TryFrom<String> for Epoch {
    type Error = EpochError;

    fn try_from(text: String) -> Result<Self, EpochError> {
        text.parse()
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> Self {
        epoch.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_reads_back_as_written() {
        let epoch = Epoch { generation: 2, counter: 40 };
        assert_eq!(epoch.to_string().parse(), Ok(epoch));
        assert!("2".parse::<Epoch>().is_err());
        assert!("1.-1".parse::<Epoch>().is_err());
    }

    #[test]
    fn a_new_generation_outranks_every_counter() {
        let old = Epoch { generation: 1, counter: u64::MAX };
        let new = Epoch { generation: 2, counter: 0 };
        assert!(new > old);
    }
}
