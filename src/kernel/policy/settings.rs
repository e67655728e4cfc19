//! What the cluster file says of how a group may be moved.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Biplane judges, a person confirms.
    #[default]
    Ask,
    /// Biplane decides.
    Auto,
    /// Biplane only shows what it sees.
    Observe,
}

impl Mode {
    /// Its word in the cluster file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Auto => "auto",
            Self::Observe => "observe",
        }
    }
}

/// When the source counts as out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutWhen {
    /// A critical service is down there.
    #[default]
    AnyCritical,
    /// At least this many critical services are.
    AtLeast(usize),
}

/// What happens when neither plane is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenBothDown {
    /// The route stays and DNS goes on answering it.
    #[default]
    Keep,
    /// The route stays, and an operator's planned switch is refused at once instead of being prechecked. A forced
    /// one is not.
    Refuse,
}

/// At most `switches` automatic switchovers of a group within `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// How many.
    pub switches: u32,
    /// Within this time of the ledger.
    pub window: Duration,
}

/// A plane whose verdict went down `downs` times within `window` is unstable: no target until calm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlapLimit {
    /// How many times.
    pub downs: u32,
    /// Within this time of the ledger; also how long it must be calm.
    pub window: Duration,
}

/// How a group may be moved without a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Who decides.
    pub mode: Mode,
    /// Shortest time between the last change of the route and an automatic one.
    pub dwell: Duration,
    /// Automatic switchovers allowed; none counted when absent.
    pub budget: Option<Budget>,
    /// Flap damping of planes; none when absent.
    pub flap_limit: Option<FlapLimit>,
    /// When neither plane is good.
    pub when_both_down: WhenBothDown,
    /// Whether a degraded source counts as out.
    pub degraded_is_out: bool,
    /// How long a person who is asked has time to answer.
    #[serde(default = "usual_ask", skip_serializing_if = "is_usual_ask")]
    pub ask_expires: Duration,
}

/// How long an ask waits for an answer where the policy says nothing.
pub const ASK_EXPIRES: Duration = Duration::from_secs(15 * 60);

const fn usual_ask() -> Duration {
    ASK_EXPIRES
}

fn is_usual_ask(expires: &Duration) -> bool {
    *expires == ASK_EXPIRES
}
