//! Kernel events as log lines and counts.

use super::names::{EVENTS, SWITCHOVERS};
use crate::kernel::controller::{Event, Level};

/// Events of these kinds end a switchover: what follows the dash is its result.
const SWITCHOVER_ENDED: [&str; 4] =
    ["switchover-done", "switchover-undone", "switchover-stuck", "switchover-overtaken"];

/// Logs an event at its level, under the target `biplane`, and counts it.
pub fn record_event(event: &Event) {
    let Event { level, kind, text, group } = event;
    let group = group.as_ref().map(|group| group.as_str());
    macro_rules! emit {
        ($level:ident) => {
            tracing::event!(target: "biplane", tracing::Level::$level, kind, group, "{text}")
        };
    }
    let label = match level {
        Level::Debug => {
            emit!(DEBUG);
            "debug"
        }
        Level::Info => {
            emit!(INFO);
            "info"
        }
        Level::Warn => {
            emit!(WARN);
            "warn"
        }
        Level::Error => {
            emit!(ERROR);
            "error"
        }
    };
    metrics::counter!(EVENTS, "kind" => *kind, "level" => label).increment(1);
    if SWITCHOVER_ENDED.contains(kind)
        && let Some((_, result)) = kind.split_once('-')
    {
        metrics::counter!(SWITCHOVERS, "result" => result).increment(1);
    }
}
