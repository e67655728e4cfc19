//! Telling somebody of alarms: a signed POST to a webhook, or a program of this node's.
//!
//! What is sent is JSON that the kernel made. A webhook's body is signed with a secret that only its receiver and the
//! members know: `Biplane-Signature: t=SECONDS,v1=HEX`, where HEX is HMAC-SHA-256 (RFC 2104) over `SECONDS.BODY`.
//! `Biplane-Notice` names the notice: who receives it twice drops it. Any status from 200 to 299 is a receipt.

mod program;
mod sign;
mod webhook;

#[cfg(test)]
mod tests;

pub use sign::signature;
pub use webhook::{Address, AddressError};

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::kernel::domain::{EventId, NotifyName};
use crate::kernel::ledger::NotifyKind;

/// Bounds of telling.
pub mod limits {
    /// Bytes of an answer's head: so many without an end are no receipt.
    pub const HEAD_BYTES: usize = 16 << 10;
    /// Fields of it; more are no receipt.
    pub const HEAD_FIELDS: usize = 64;
    /// Characters of what an error says.
    pub const WHY_CHARS: usize = 200;
}

/// What this node alone knows of somebody who is to be told.
#[derive(Clone, Default)]
pub struct Local {
    /// The secret that signs; a webhook without one is not told.
    pub secret: Option<Vec<u8>>,
    /// Whom a webhook's certificate must be signed by; none where it could not be read.
    pub tls: Option<Arc<ClientConfig>>,
    /// The program and its arguments.
    pub program: Vec<String>,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("secret", &self.secret.is_some())
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

/// One thing to tell.
#[derive(Clone, Debug)]
pub struct Told {
    /// Whom.
    pub target: NotifyName,
    /// How.
    pub kind: NotifyKind,
    /// The notice's id; none for a sign of life.
    pub id: Option<EventId>,
    /// What, as JSON.
    pub body: String,
}

/// Tells.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    local: Arc<BTreeMap<NotifyName, Local>>,
}

impl Notifier {
    /// With what this node knows of each.
    pub fn new(local: BTreeMap<NotifyName, Local>) -> Self {
        Self { local: Arc::new(local) }
    }

    /// Tells one of them. Dropping the future ends the attempt, and the program with all that it started.
    ///
    /// # Errors
    /// In words, when there is no receipt.
    pub async fn tell(&self, told: Told) -> Result<(), String> {
        let local = self.local.get(&told.target);
        match &told.kind {
            NotifyKind::Webhook { url } => {
                let secret = local.and_then(|local| local.secret.as_deref()).ok_or_else(|| {
                    format!(
                        "this node has no secret for `{0}`: write [notify.{0}] secret = \"FILE\" in its node.toml",
                        told.target
                    )
                })?;
                let tls = local.and_then(|local| local.tls.clone());
                webhook::post(url, secret, tls, &told).await.map_err(short)
            }
            NotifyKind::Program {} => {
                let program = local.map(|local| local.program.as_slice()).unwrap_or_default();
                if program.is_empty() {
                    return Err(format!(
                        "this node has no program for `{0}`: write [notify.{0}] program = [\"/PATH\"] in its node.toml",
                        told.target
                    ));
                }
                program::run(program, &told).await.map_err(short)
            }
        }
    }
}

/// The first characters of what went wrong: others' words are not of our length.
fn short(why: impl fmt::Display) -> String {
    why.to_string().chars().filter(|c| !c.is_control()).take(limits::WHY_CHARS).collect()
}
