//! Bulk for the disks: configurations with long comments, applied one after the other. What is in the log takes room
//! at every node, so a full disk is felt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::api::{Api, Tls};
use super::files::NODES;

/// Bytes of a comment.
const COMMENT: usize = 300_000;
/// So many at most: fewer than are kept, so that none of them is forgotten before the end of a run.
const MOST: usize = 8;

/// A configuration that was acknowledged: its number and its reason.
pub(crate) type Configured = (u64, String);

/// Applies configurations until it is told to stop.
pub(crate) fn run(
    number: usize,
    tls: &Tls,
    admin: &str,
    stop: &Arc<AtomicBool>,
) -> Vec<Configured> {
    let apis: Vec<Api> = (0..NODES.len()).map(|node| Api::new(node, tls, admin)).collect();
    let mut acknowledged = Vec::new();
    for at in 0..MOST * 4 {
        if stop.load(Ordering::Relaxed) || acknowledged.len() >= MOST {
            break;
        }
        let reason = format!("b{number}-{at}");
        let applied = apply(&apis[at % apis.len()], &reason);
        acknowledged.extend(applied.map(|version| (version, reason)));
        sleep(Duration::from_millis(100));
    }
    acknowledged
}

fn apply(api: &Api, reason: &str) -> Option<u64> {
    let shown = api.get("/v1/config").ok()?;
    let (version, text) = (shown["version"].as_u64()?, shown["text"].as_str()?);
    let own = text.split("\n# bulk ").next()?;
    let text = format!("{own}\n# bulk {reason} {}\n", ".".repeat(COMMENT));
    api.configure(version, text, reason).ok()
}

/// Acknowledged ones that are not in the list of those that are kept, though younger ones are.
pub(crate) fn missing(acknowledged: &[Configured], shown: &Value) -> Vec<String> {
    let Some(kept) = shown["kept"].as_object() else { return vec![format!("no list: {shown}")] };
    let oldest = kept.keys().filter_map(|number| number.parse::<u64>().ok()).min().unwrap_or(0);
    let lost = acknowledged.iter().filter(|(version, reason)| {
        *version >= oldest
            && kept.get(&version.to_string()).is_none_or(|k| k["reason"] != *reason.as_str())
    });
    lost.map(|(version, reason)| {
        format!("configuration {version} ({reason}) was acknowledged and is not kept")
    })
    .collect()
}
