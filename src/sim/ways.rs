//! The ways between nodes and outsiders: from gateways, clients and resolvers to each node's API or DNS server, and from each node
//! to the front door.

use super::action::{Outsider, Rough};
use super::cuts::Cuts;
use super::queue::Micros;
use super::rng::Rng;

/// One way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Way {
    cuts: Cuts,
    rough: Rough,
}

/// When something arrives that takes a way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// So much later than on a smooth way.
    pub late: Micros,
    /// Once more, so much later.
    pub again: Option<Micros>,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Ways(Vec<[Way; 4]>);

impl Ways {
    /// All open and fast.
    pub fn new(nodes: usize) -> Self {
        Self(vec![<[Way; 4]>::default(); nodes])
    }

    /// Shuts a way, until this cut is lifted or the way is opened. Whether it was shut already.
    pub fn shut(&mut self, node: usize, from: Outsider, cut: u64) -> bool {
        self.0[node][from as usize].cuts.add(cut)
    }

    /// Opens a way, whoever shut it.
    pub fn open(&mut self, node: usize, from: Outsider) {
        self.0[node][from as usize].cuts.clear();
    }

    /// What this cut has shut is open, unless another one shut it too.
    pub fn lift(&mut self, cut: u64) {
        self.0.iter_mut().flatten().for_each(|way| way.cuts.lift(cut));
    }

    /// Whether it is shut.
    pub fn is_shut(&self, node: usize, from: Outsider) -> bool {
        self.0[node][from as usize].cuts.any()
    }

    /// Whether any way is shut.
    pub fn any_shut(&self) -> bool {
        self.0.iter().flatten().any(|way| way.cuts.any())
    }

    /// Makes a way lossy and slow, or smooth again.
    pub fn roughen(&mut self, node: usize, from: Outsider, rough: Rough) {
        self.0[node][from as usize].rough = rough;
    }

    /// Whether it is lossy or slow.
    pub fn is_rough(&self, node: usize, from: Outsider) -> bool {
        self.roughness(node, from) != Rough::default()
    }

    /// How lossy and slow it is.
    pub fn roughness(&self, node: usize, from: Outsider) -> Rough {
        self.0[node][from as usize].rough
    }

    /// Opens every way.
    pub fn open_all(&mut self) {
        self.0.iter_mut().flatten().for_each(|way| way.cuts.clear());
    }

    /// Smooths every way.
    pub fn smooth_all(&mut self) {
        self.0.iter_mut().flatten().for_each(|way| way.rough = Rough::default());
    }

    /// When something arrives; nothing when it is lost.
    pub fn fate(&self, node: usize, from: Outsider, rng: &mut Rng) -> Option<Passage> {
        let rough = self.roughness(node, from);
        if rough.lost > 0 && rng.chance(rough.lost) {
            return None;
        }
        let late = if rough.late > 0 { rng.below(rough.late) } else { 0 };
        let twice = rough.twice > 0 && rng.chance(rough.twice);
        let again = twice.then(|| late + rng.below(rough.late.max(1)));
        Some(Passage { late, again })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::queue::SECOND;
    use crate::sim::rng::Stream;

    #[test]
    fn a_rough_way_loses_doubles_and_delays_and_a_shut_one_is_another_matter() {
        let mut rng = Rng::stream(1, Stream::Workload);
        let mut ways = Ways::new(2);
        let smooth = Some(Passage::default());
        assert_eq!(ways.fate(0, Outsider::Clients, &mut rng), smooth);
        let rough = Rough { lost: 500, twice: 500, late: SECOND };
        ways.roughen(0, Outsider::Clients, rough);
        let fates: Vec<_> = (0..100).map(|_| ways.fate(0, Outsider::Clients, &mut rng)).collect();
        let arrived: Vec<Passage> = fates.iter().flatten().copied().collect();
        assert!((20..80).contains(&arrived.len()));
        assert!(arrived.iter().any(|passage| passage.late > SECOND / 2));
        let twice = arrived.iter().filter(|passage| passage.again >= Some(passage.late)).count();
        assert!(twice > 10 && twice < arrived.len());
        assert_eq!(ways.fate(1, Outsider::Clients, &mut rng), smooth);
        assert_eq!(ways.fate(0, Outsider::Gateway, &mut rng), smooth);
        ways.smooth_all();
        assert!(!ways.is_rough(0, Outsider::Clients));
    }

    #[test]
    fn a_way_opens_when_every_cut_of_it_is_lifted_or_by_one_word() {
        let mut ways = Ways::new(2);
        assert!(!ways.shut(0, Outsider::Gateway, 1));
        assert!(ways.shut(0, Outsider::Gateway, 2));
        ways.smooth_all();
        ways.lift(1);
        assert!(ways.is_shut(0, Outsider::Gateway) && !ways.is_shut(0, Outsider::Door));
        ways.lift(2);
        assert!(!ways.is_shut(0, Outsider::Gateway));
        ways.shut(0, Outsider::Door, 3);
        ways.shut(0, Outsider::Clients, 3);
        ways.open(0, Outsider::Door);
        assert!(!ways.is_shut(0, Outsider::Door) && ways.is_shut(0, Outsider::Clients));
        ways.open_all();
        assert!(!ways.is_shut(0, Outsider::Clients));
    }
}
