//! Election timeouts as a function: the one place where raft would roll dice.

/// A timeout in `min..max` ticks: a hash of who, in which term and process. It changes with each real election,
/// so split votes do not repeat, and it is the same in every run with the same seed.
pub(super) fn timeout(
    seed: u64,
    id: u64,
    term: u64,
    incarnation: u64,
    range: (usize, usize),
) -> usize {
    let (min, max) = range;
    let span = u64::try_from(max.saturating_sub(min)).unwrap_or(u64::MAX).max(1);
    let mixed = [id, term, incarnation].into_iter().fold(seed, |hash, word| mix(hash ^ word));
    min + usize::try_from(mixed % span).unwrap_or(0)
}

/// SplitMix64's finalizer (Steele, Lea, Flood 2014).
const fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_stays_in_its_range_and_differs_between_members_and_terms() {
        let mut seen = std::collections::BTreeSet::new();
        for id in 1..=3 {
            for term in 0..20 {
                let ticks = timeout(7, id, term, 1, (10, 20));
                assert!((10..20).contains(&ticks));
                seen.insert((id, term, ticks));
            }
        }
        let distinct: std::collections::BTreeSet<_> = seen.iter().map(|(_, _, t)| *t).collect();
        assert!(distinct.len() > 5, "{distinct:?}");
        assert_eq!(timeout(7, 1, 1, 1, (10, 10)), 10);
    }
}
