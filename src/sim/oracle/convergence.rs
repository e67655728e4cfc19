//! Convergence: when a healed quorum has come to rest, its members that have applied the same hold the same state, to
//! the last byte, and none is far behind.

use std::collections::BTreeMap;

use super::{Book, End, Finding, Oracle};
use crate::sim::rest::BEHIND;

/// It looks at the end only.
#[derive(Debug, Default)]
pub(super) struct Convergence;

impl Oracle for Convergence {
    fn name(&self) -> &'static str {
        "convergence"
    }

    fn ended(&mut self, _book: &Book, end: &End<'_>) -> Finding {
        let mut states: BTreeMap<u64, (u64, String)> = BTreeMap::new();
        let highest = end.healthy.iter().map(|view| view.applied).max().unwrap_or_default();
        for view in &end.healthy {
            let digest = view.ledger.digest();
            let first =
                states.entry(view.applied).or_insert_with(|| (view.member.0, digest.clone()));
            if first.1 != digest {
                return Err(format!(
                    "members {} and {} hold different states at index {}",
                    first.0, view.member, view.applied
                ));
            }
            if end.rested && view.in_quorum && view.applied + BEHIND < highest {
                return Err(format!(
                    "member {} is at index {}, and another at {highest}",
                    view.member, view.applied
                ));
            }
        }
        Ok(())
    }
}
