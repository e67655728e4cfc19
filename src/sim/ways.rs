//! The ways from outside to the nodes: from gateways, clients and resolvers to each node's API or DNS server.

use super::action::Outsider;
use super::queue::Micros;
use super::rng::Rng;

/// One way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Way {
    shut: bool,
    /// Lost in a thousand.
    lost: u32,
    /// What is not lost comes up to so much later.
    late: Micros,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Ways(Vec<[Way; 3]>);

impl Ways {
    /// All open and fast.
    pub fn new(nodes: usize) -> Self {
        Self(vec![[Way::default(); 3]; nodes])
    }

    /// Shuts a way, or opens it.
    pub fn shut(&mut self, node: usize, from: Outsider, on: bool) {
        self.0[node][from as usize].shut = on;
    }

    /// Whether it is shut.
    pub fn is_shut(&self, node: usize, from: Outsider) -> bool {
        self.0[node][from as usize].shut
    }

    /// Makes a way lossy and slow, or smooth again.
    pub fn roughen(&mut self, node: usize, from: Outsider, lost: u32, late: Micros) {
        let way = &mut self.0[node][from as usize];
        (way.lost, way.late) = (lost, late);
    }

    /// Whether it is lossy or slow.
    pub fn is_rough(&self, node: usize, from: Outsider) -> bool {
        let way = &self.0[node][from as usize];
        way.lost > 0 || way.late > 0
    }

    /// What of a thousand is lost on it, and how late the rest comes.
    pub fn roughness(&self, node: usize, from: Outsider) -> (u32, Micros) {
        let way = &self.0[node][from as usize];
        (way.lost, way.late)
    }

    /// Opens every way.
    pub fn open_all(&mut self) {
        self.0.iter_mut().flatten().for_each(|way| way.shut = false);
    }

    /// Smooths every way.
    pub fn smooth_all(&mut self) {
        self.0.iter_mut().flatten().for_each(|way| (way.lost, way.late) = (0, 0));
    }

    /// How much later something arrives; nothing when it is lost.
    pub fn fate(&self, node: usize, from: Outsider, rng: &mut Rng) -> Option<Micros> {
        let way = &self.0[node][from as usize];
        if way.lost > 0 && rng.chance(way.lost) {
            return None;
        }
        Some(if way.late > 0 { rng.below(way.late) } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::queue::SECOND;
    use crate::sim::rng::Stream;

    #[test]
    fn a_rough_way_loses_and_delays_and_a_shut_one_is_another_matter() {
        let mut rng = Rng::stream(1, Stream::Workload);
        let mut ways = Ways::new(2);
        assert_eq!(ways.fate(0, Outsider::Clients, &mut rng), Some(0));
        ways.roughen(0, Outsider::Clients, 500, SECOND);
        let fates: Vec<_> = (0..100).map(|_| ways.fate(0, Outsider::Clients, &mut rng)).collect();
        assert!((20..80).contains(&fates.iter().filter(|fate| fate.is_none()).count()));
        assert!(fates.iter().flatten().any(|late| *late > SECOND / 2));
        assert_eq!(ways.fate(1, Outsider::Clients, &mut rng), Some(0));
        assert_eq!(ways.fate(0, Outsider::Gateway, &mut rng), Some(0));
        ways.shut(0, Outsider::Gateway, true);
        ways.smooth_all();
        assert!(ways.is_shut(0, Outsider::Gateway) && !ways.is_rough(0, Outsider::Clients));
        ways.open_all();
        assert!(!ways.is_shut(0, Outsider::Gateway));
    }
}
