//! Randomness from a seed: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
//! 2014), one stream for each concern, so that a change in one does not shift the others.

/// Who draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Which faults exist in this seed, and every parameter.
    Swarm = 1,
    /// Delays, loss, duplication between members.
    Network = 2,
    /// Latencies and what a crash leaves.
    Disk = 3,
    /// Offsets, rates and steps of clocks.
    Clock = 4,
    /// When faults strike.
    Faults = 5,
    /// How long requests and answers of clients travel.
    Workload = 6,
    /// Round trips to planes, DNS and gateways.
    Planes = 7,
    /// What clients ask, and where.
    Requests = 8,
}

/// One stream of numbers.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The stream of a seed for a concern.
    pub const fn stream(seed: u64, stream: Stream) -> Self {
        Self(mix(seed ^ mix(stream as u64)))
    }

    /// The next 64 bits.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number in `0..bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.draw()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A place in a list of `len`.
    pub fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// A number in `0..bound` that is mostly small.
    pub fn small(&mut self, bound: u64) -> u64 {
        let first = self.below(bound);
        self.below(first.saturating_add(1))
    }

    /// True `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.below(1000) < u64::from(per_mille)
    }

    /// One of a list that is not empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.place(from.len())]
    }
}

/// SplitMix64's finalizer: every bit of the input moves every bit.
pub const fn mix(word: u64) -> u64 {
    let mut z = word;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_equal_numbers_and_streams_differ() {
        let run = |stream| {
            let mut rng = Rng::stream(9, stream);
            (0..50).map(|_| rng.draw()).collect::<Vec<_>>()
        };
        assert_eq!(run(Stream::Network), run(Stream::Network));
        assert_ne!(run(Stream::Network), run(Stream::Disk));
    }

    #[test]
    fn draws_stay_in_their_bounds_and_use_them() {
        let mut rng = Rng::stream(1, Stream::Faults);
        let drawn: Vec<u64> = (0..1000).map(|_| rng.between(3, 7)).collect();
        assert!((3..=7).all(|n| drawn.contains(&n)));
        assert!(drawn.iter().all(|n| (3..=7).contains(n)));
        assert_eq!(rng.below(0), 0);
        let hits = (0..1000).filter(|_| rng.chance(100)).count();
        assert!((60..140).contains(&hits), "{hits}");
    }
}
