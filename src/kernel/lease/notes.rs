//! When a controller's own process applied what is waited for, on its own clock: rule 4 of the wait.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::domain::{GroupName, Moment};

/// Notes of one process. A process that is started again notes anew when it applies again, which is later and never too early.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notes(BTreeMap<(GroupName, u64), Moment>);

impl Notes {
    /// This process has just applied the entry at an index, which fences the group or ends a registration.
    pub fn applied(&mut self, group: &GroupName, index: u64, now: Moment) {
        self.0.entry((group.clone(), index)).or_insert(now);
    }

    /// Whether so long has passed since then, on this clock. Never of what this process has not applied.
    pub fn waited(&self, group: &GroupName, index: u64, now: Moment, wait: Duration) -> bool {
        self.0.get(&(group.clone(), index)).is_some_and(|at| now.since(*at) >= wait)
    }

    /// When it will have.
    pub fn due(&self, group: &GroupName, index: u64, wait: Duration) -> Moment {
        self.0.get(&(group.clone(), index)).map_or(Moment::NEVER, |at| *at + wait)
    }

    /// Nobody waits any more for what a group's entries up to this index began, but for these.
    pub fn forget(&mut self, group: &GroupName, up_to: u64, but: impl Fn(u64) -> bool) {
        self.0.retain(|(of, index), _| of != group || *index > up_to || but(*index));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_counts_from_this_process_own_note_and_from_nothing_else() {
        let shop = GroupName::new("shop").expect("a name");
        let wait = Duration::from_secs(5);
        let at = |seconds: u64| Moment::from_micros(seconds * 1_000_000);
        let mut notes = Notes::default();
        assert!(!notes.waited(&shop, 7, Moment::NEVER, wait), "it has not applied it");
        assert_eq!(notes.due(&shop, 7, wait), Moment::NEVER);
        notes.applied(&shop, 7, at(10));
        // Told again it is the same entry.
        notes.applied(&shop, 7, at(12));
        assert!(!notes.waited(&shop, 7, Moment::from_micros(14_999_999), wait));
        assert!(notes.waited(&shop, 7, at(15), wait) && !notes.waited(&shop, 8, at(15), wait));
        assert_eq!(notes.due(&shop, 7, wait), at(15));
        notes.applied(&shop, 9, at(20));
        notes.forget(&shop, 9, |index| index == 9);
        assert!(!notes.waited(&shop, 7, at(99), wait) && notes.waited(&shop, 9, at(99), wait));
        assert_eq!(notes.len(), 1);
    }
}
