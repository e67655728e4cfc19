//! One log entry: a batch of commands with its time stamps.

use serde::{Deserialize, Serialize};

use super::command::Command;
use crate::kernel::domain::{LedgerTime, MemberId, WallTime};

/// The format that this version writes. Readers take every format up to it.
pub const FORMAT: u32 = 1;

/// The newest rules of ratification that this version knows. Two versions that judge a command differently would hold
/// different states, so a change of any guard is a new ruleset, in force from the entry that raises it. A golden log of
/// each is kept.
pub const RULESET: u32 = 3;

/// What every format begins with, for ever: its number can be read without knowing the rest.
const HEAD: &[u8] = b"{\"format\":";

/// What one log entry holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// Ledger time; apply takes the maximum of this and what stands.
    pub at: LedgerTime,
    /// Wall clock of the leader that proposed it.
    pub wall: WallTime,
    /// That leader.
    pub by: MemberId,
    /// The commands, in order.
    pub commands: Vec<Command>,
}

/// An envelope whose commands are read one by one, because one of them is not known here.
#[derive(Deserialize)]
struct Loose {
    format: u32,
    at: LedgerTime,
    wall: WallTime,
    by: MemberId,
    commands: Vec<serde_json::Value>,
}

impl Envelope {
    /// The bytes that are logged.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("commands hold only text keys, numbers and text: all JSON")
    }

    /// The format of logged bytes, if they begin as every format does.
    pub fn format_of(bytes: &[u8]) -> Option<u32> {
        let number = bytes.strip_prefix(HEAD)?;
        let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(&number[..digits]).ok()?.parse().ok()
    }

    /// Reads logged bytes. Commands that this version does not know come back as the reason why not, in
    /// their place: apply refuses them and goes on.
    pub fn decode(bytes: &[u8]) -> Result<(Self, Vec<(usize, String)>), String> {
        if let Ok(envelope) = serde_json::from_slice::<Self>(bytes) {
            return Ok((envelope, Vec::new()));
        }
        let loose: Loose = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let mut commands = Vec::new();
        let mut unknown = Vec::new();
        for (place, value) in loose.commands.into_iter().enumerate() {
            match serde_json::from_value(value) {
                Ok(command) => commands.push(command),
                Err(error) => unknown.push((place, error.to_string())),
            }
        }
        let Loose { format, at, wall, by, .. } = loose;
        Ok((Self { format, at, wall, by, commands }, unknown))
    }
}
