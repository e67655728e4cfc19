//! What will happen, in order of true time; equal times in the order in which they were put in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// True time: microseconds since the run began. No node ever sees it.
pub type Micros = u64;

/// Microseconds in a millisecond.
pub const MS: Micros = 1_000;
/// Microseconds in a second.
pub const SECOND: Micros = 1_000_000;

/// A queue of events. Bodies lie in slots, so that the heap moves small things.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<(Micros, u64, usize)>>,
    slots: Vec<Option<E>>,
    free: Vec<usize>,
    count: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), count: 0 }
    }
}

impl<E> Queue<E> {
    /// Puts an event in.
    pub fn put(&mut self, at: Micros, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = Some(event);
                slot
            }
            None => {
                self.slots.push(Some(event));
                self.slots.len() - 1
            }
        };
        self.count += 1;
        self.heap.push(Reverse((at, self.count, slot)));
    }

    /// Takes the next event, if it comes no later than `until`.
    pub fn take(&mut self, until: Micros) -> Option<(Micros, E)> {
        let Reverse((at, _, slot)) = *self.heap.peek()?;
        if at > until {
            return None;
        }
        self.heap.pop();
        self.free.push(slot);
        self.slots[slot].take().map(|event| (at, event))
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_then_of_arrival() {
        let mut queue = Queue::default();
        for (at, name) in [(5, "c"), (1, "a"), (5, "d"), (2, "b"), (9, "e")] {
            queue.put(at, name);
        }
        let mut taken = Vec::new();
        while let Some((_, name)) = queue.take(8) {
            taken.push(name);
        }
        assert_eq!(taken, ["a", "b", "c", "d"]);
        assert_eq!(queue.len(), 1);
    }
}
