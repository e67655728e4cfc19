//! Whether an automatic switchover had a cause: was its source in fact in trouble, by the plan of the run?

/// From when to when, in milliseconds of the run; the end is open while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spell {
    from: u64,
    to: Option<u64>,
}

impl Spell {
    fn meets(self, from: u64, to: u64) -> bool {
        self.from <= to && self.to.is_none_or(|end| end >= from)
    }
}

/// A question, its ballots and their way through the log take no longer than this after the outage was seen; what was
/// first seen by a watcher happened no longer before.
const DECIDED_WITHIN: u64 = 5_000;
/// What a node saw of a plane it can reach again is its report for this long.
const REPORTED_FOR: u64 = 1_500;

/// What was done to planes, and to the ways of nodes to planes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Harm {
    planes: [Vec<Spell>; 2],
    ways: [[Vec<Spell>; 2]; 3],
}

impl Harm {
    /// A plane goes out.
    pub(crate) fn plane_out(&mut self, plane: usize, at: u64) {
        self.planes[plane].push(Spell { from: at, to: None });
    }

    /// It is back.
    pub(crate) fn plane_back(&mut self, plane: usize, at: u64) {
        close(&mut self.planes[plane], at);
    }

    /// A node cannot reach a plane any more. Cuts may overlap: each has its end.
    pub(crate) fn way_cut(&mut self, node: usize, plane: usize, at: u64) {
        self.ways[node][plane].push(Spell { from: at, to: None });
    }

    /// One of the cuts is over.
    pub(crate) fn way_free(&mut self, node: usize, plane: usize, at: u64) {
        close(&mut self.ways[node][plane], at);
    }

    /// Whether a switch away from this plane, begun when a watcher saw it or shortly before, had a cause.
    pub(crate) fn excuses(&self, plane: usize, seen: u64) -> bool {
        let from = seen.saturating_sub(DECIDED_WITHIN);
        if self.planes[plane].iter().any(|spell| spell.meets(from, seen)) {
            return true;
        }
        (from..=seen).step_by(50).any(|moment| {
            let cut_off = |ways: &&[Vec<Spell>; 2]| {
                let past = moment.saturating_sub(REPORTED_FOR);
                ways[plane].iter().any(|spell| spell.meets(past, moment))
            };
            self.ways.iter().filter(cut_off).count() >= 2
        })
    }
}

fn close(spells: &mut [Spell], at: u64) {
    if let Some(open) = spells.iter_mut().find(|spell| spell.to.is_none()) {
        open.to = Some(at);
    }
}
