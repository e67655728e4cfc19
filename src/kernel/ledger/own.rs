//! Planted faults that make apply depend on the node that applies: they need to know which one that is.

use super::state::Ledger;
use crate::kernel::domain::WallTime;
use crate::kernel::mutants::{self, Mutant};

impl Ledger {
    /// Tells where (a number that differs between processes) and when the next entry is applied.
    pub fn stand(&mut self, process: u64, wall: WallTime) {
        self.here = (process, wall);
    }

    pub(super) fn look_at_own_clock(&mut self) {
        if mutants::active(Mutant::M35OwnClockInApply) {
            self.wall = self.wall.max(self.here.1);
        }
    }

    /// As a map whose hashes are seeded at each start would give them.
    pub(super) fn in_own_order<T>(&self, mut list: Vec<T>) -> Vec<T> {
        if mutants::active(Mutant::M36OwnOrderInApply) && !self.here.0.is_multiple_of(2) {
            list.reverse();
        }
        list
    }
}
