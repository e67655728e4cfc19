//! How a command ends: exit codes, and failures that say what to do next.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;

use crate::config::Faults;
use crate::edge::api::client::ApiError;

/// What the shell sees. The table in `docs/reference/exit-codes.md` is compared with this one by a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done.
    Done,
    /// It was refused, or it failed; nothing is left half done.
    Failed,
    /// The command line cannot be understood.
    Usage,
    /// No controller answers: nothing happened.
    Unreachable,
    /// It may or may not have happened; the message says what shows it.
    Unknown,
    /// A fault of this program.
    Bug,
}

impl Exit {
    /// Every way to end, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Done, Self::Failed, Self::Usage, Self::Unreachable, Self::Unknown, Self::Bug];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Unknown => 4,
            Self::Bug => 70,
        }
    }

    /// One line for `--help` and the documents.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "what was asked for is done",
            Self::Failed => "it was refused or it failed; the message says what is so now",
            Self::Usage => "the command line cannot be understood",
            Self::Unreachable => "no controller answers; nothing happened",
            Self::Unknown => "it may or may not have happened; the message says what shows it",
            Self::Bug => "a fault of biplane itself",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Where the names are that exist.
const SHOWN_BY: &str =
    "`biplane status` lists groups and planes; `biplane explain last` shows the last switchover";

/// Lists of the API that `status` shows too.
const NAMED: [&str; 3] = ["/v1/groups", "/v1/planes", "/v1/switchovers"];

/// Where a client's token is.
const TOKEN: &str = "client.toml names the file of the token, or the certificate, that says who asks: `biplane init` wrote the \
                     first token to `token`, and an admin makes others with `biplane token create`";

/// The exit codes as lines of `--help`.
pub(super) fn exit_help() -> String {
    let lines = Exit::ALL.map(|exit| format!("  {:>2}  {}", exit.code(), exit.meaning()));
    format!("Exit codes:\n{}", lines.join("\n"))
}

/// Why a command did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How to end.
    pub exit: Exit,
    /// What is wrong.
    pub what: String,
    /// What to do next; empty when `what` says it already.
    pub next: String,
}

/// A failure as `--json` prints it, on standard error.
#[derive(Debug, Serialize)]
struct FailureJson<'a> {
    error: &'a str,
    next: &'a str,
    exit: u8,
}

impl Failure {
    /// It failed or was refused.
    pub fn failed(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, what: what.into(), next: next.into() }
    }

    /// The command line makes no sense.
    pub fn usage(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, what: what.into(), next: next.into() }
    }

    /// For standard error.
    pub fn render(&self, json: bool) -> String {
        if !json {
            return format!("biplane: {self}");
        }
        let Self { exit, what, next } = self;
        let fields = FailureJson { error: what, next, exit: exit.code() };
        serde_json::to_string(&fields).unwrap_or_else(|_| format!("biplane: {self}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.next.is_empty() { Ok(()) } else { write!(f, "\n  next: {}", self.next) }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::failed(
            faults.to_string(),
            "mend the file; `biplane config check FILE` reads it again",
        )
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let exit = match &error {
            ApiError::Unreachable(_) => Exit::Unreachable,
            ApiError::UnknownOutcome { .. } => Exit::Unknown,
            ApiError::BadRequest(_) => Exit::Usage,
            ApiError::Problem(_) | ApiError::BadAnswer { .. } => Exit::Failed,
        };
        match error {
            ApiError::Problem(problem) => Self {
                exit,
                what: if problem.detail.is_empty() {
                    problem.title.to_string()
                } else {
                    problem.detail.clone()
                },
                // The API names an address where the right names stand; here the command that shows them helps more.
                next: match problem.status {
                    401 => TOKEN.to_owned(),
                    404 if NAMED.iter().any(|list| problem.next.contains(list)) => {
                        SHOWN_BY.to_owned()
                    }
                    _ => problem.next,
                },
            },
            other => Self { exit, what: other.to_string(), next: String::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::api::{Problem, ProblemKind};

    #[test]
    fn every_way_to_end_has_its_own_number() {
        let mut codes = Exit::ALL.map(Exit::code).to_vec();
        codes.dedup();
        assert_eq!(codes, [0, 1, 2, 3, 4, 70]);
    }

    #[test]
    fn a_refusal_fails_and_says_what_to_do() {
        let problem = Problem::new(ProblemKind::Conflict, "dwell: 20 s left", "wait, or --forced");
        let failure = Failure::from(ApiError::Problem(Box::new(problem)));
        assert_eq!(failure, Failure::failed("dwell: 20 s left", "wait, or --forced"));
        assert_eq!(failure.render(false), "biplane: dwell: 20 s left\n  next: wait, or --forced");
        let json: serde_json::Value = serde_json::from_str(&failure.render(true)).unwrap();
        assert_eq!(json["exit"], 1);
    }

    #[test]
    fn what_the_api_says_to_do_is_said_unless_a_command_shows_the_same() {
        let next = |next: &str| {
            let problem = Problem::new(ProblemKind::NotFound, "there is none", next);
            Failure::from(ApiError::Problem(Box::new(problem))).next
        };
        assert_eq!(next("GET /v1/groups names them all"), SHOWN_BY);
        assert_eq!(
            next("`biplane alarms` lists what stands"),
            "`biplane alarms` lists what stands"
        );
    }

    #[test]
    fn an_unknown_outcome_is_never_a_failure() {
        let error = ApiError::UnknownOutcome {
            why: "silent".into(),
            settle: "/v1/switchovers/last".into(),
        };
        let failure = Failure::from(error);
        assert_eq!(failure.exit, Exit::Unknown);
        assert!(failure.what.contains("/v1/switchovers/last"), "{failure}");
    }

    #[test]
    fn silence_of_all_controllers_has_a_code_of_its_own() {
        assert_eq!(Failure::from(ApiError::Unreachable(Vec::new())).exit, Exit::Unreachable);
    }
}
