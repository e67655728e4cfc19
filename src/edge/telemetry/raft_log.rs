//! Raft logs through slog; this carries it into tracing with its key-values, under the target `raft`.

use std::fmt::{self, Write as _};

use slog::KV as _;

use crate::kernel::domain::MemberId;

/// A logger for the `raft` crate, which names the member in each line.
pub fn raft_logger(member: MemberId) -> slog::Logger {
    slog::Logger::root(Bridge, slog::o!("member" => member.0))
}

struct Bridge;

/// Calls a macro for the level of tracing that a level of slog means.
macro_rules! at_level {
    ($level:expr, $apply:ident) => {
        match $level {
            slog::Level::Critical | slog::Level::Error => $apply!(ERROR),
            slog::Level::Warning => $apply!(WARN),
            slog::Level::Info => $apply!(INFO),
            slog::Level::Debug => $apply!(DEBUG),
            slog::Level::Trace => $apply!(TRACE),
        }
    };
}

impl slog::Drain for Bridge {
    type Ok = ();
    type Err = slog::Never;

    fn is_enabled(&self, level: slog::Level) -> bool {
        macro_rules! enabled {
            ($level:ident) => {
                tracing::enabled!(target: "raft", tracing::Level::$level)
            };
        }
        at_level!(level, enabled)
    }

    fn log(
        &self,
        record: &slog::Record<'_>,
        values: &slog::OwnedKVList,
    ) -> Result<(), slog::Never> {
        if !self.is_enabled(record.level()) {
            return Ok(());
        }
        let mut pairs = Pairs(String::new());
        // Writing into a string does not fail; a value that refuses to be shown is left out.
        let _ = record.kv().serialize(record, &mut pairs);
        let _ = values.serialize(record, &mut pairs);
        macro_rules! emit {
            ($level:ident) => {
                tracing::event!(target: "raft", tracing::Level::$level, kv = %pairs.0, "{}", record.msg())
            };
        }
        at_level!(record.level(), emit);
        Ok(())
    }
}

/// `key=value key=value`
struct Pairs(String);

impl slog::Serializer for Pairs {
    fn emit_arguments(&mut self, key: slog::Key, value: &fmt::Arguments<'_>) -> slog::Result {
        let gap = if self.0.is_empty() { "" } else { " " };
        write!(self.0, "{gap}{key}={value}").map_err(|_| slog::Error::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::super::logging::capture::logged;
    use super::*;

    #[test]
    fn raft_lines_keep_their_key_values_and_level() {
        let lines = logged("info", || {
            let logger = raft_logger(MemberId(2));
            slog::info!(logger, "became leader at term {term}", term = 7; "vote" => 2);
            slog::warn!(logger, "slow");
            slog::debug!(logger, "not shown");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0]["message"], "became leader at term 7");
        assert_eq!(lines[0]["target"], "raft");
        let kv = lines[0]["kv"].as_str().unwrap();
        for pair in ["term=7", "vote=2", "member=2"] {
            assert!(kv.contains(pair), "{kv}");
        }
        assert_eq!(lines[1]["level"], "WARN");
    }

    #[test]
    fn raft_has_a_level_of_its_own() {
        let lines = logged("error,raft=debug", || {
            slog::debug!(raft_logger(MemberId(1)), "tick");
            tracing::warn!("not shown");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}
