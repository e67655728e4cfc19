//! Response rate limits: a server that answers anybody's spoofed questions without end is a weapon.
//!
//! Counted for each network (IPv4 /24, IPv6 /56) and second, as BIND and Knot do. Beyond the limit every second
//! answer is a truncated one, so that a real asker comes again by TCP, and the others are not sent. Who shows a valid
//! cookie (RFC 7873) is not limited: the address is his. Nor is loopback.

use std::net::IpAddr;
use std::time::Duration;

use super::limits::{RATE_BUCKETS, RATE_PER_NETWORK, RATE_SLIP};

/// What an asker gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    /// An answer.
    Answer,
    /// A truncated one.
    Truncate,
    /// None.
    Drop,
}

/// One network in one second.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    network: u64,
    second: u64,
    count: u32,
}

/// Counts of one thread. A fixed table: where two networks meet in one place, the newer one is counted.
#[derive(Debug)]
pub(super) struct Rates {
    buckets: Vec<Bucket>,
    seed: u64,
}

impl Rates {
    /// `seed` is any number that askers do not know.
    pub(super) fn new(seed: u64) -> Self {
        Self { buckets: vec![Bucket::default(); RATE_BUCKETS], seed }
    }

    /// Counts a question. `now` is time since the server's start.
    pub(super) fn take(&mut self, asker: IpAddr, now: Duration) -> Rate {
        if asker.is_loopback() {
            return Rate::Answer;
        }
        let (network, second) = (network(asker), now.as_secs());
        let place = self.place_of(network);
        let Some(bucket) = self.buckets.get_mut(place) else { return Rate::Answer };
        if bucket.network != network || bucket.second != second {
            *bucket = Bucket { network, second, count: 0 };
        }
        bucket.count = bucket.count.saturating_add(1);
        match bucket.count.checked_sub(RATE_PER_NETWORK) {
            None | Some(0) => Rate::Answer,
            Some(beyond) if beyond % RATE_SLIP == 0 => Rate::Truncate,
            Some(_) => Rate::Drop,
        }
    }

    fn place_of(&self, network: u64) -> usize {
        let places = u64::try_from(self.buckets.len()).unwrap_or(u64::MAX);
        usize::try_from(spread(network ^ self.seed) % places).unwrap_or_default()
    }
}

/// The network's bits, IPv4 apart from IPv6.
fn network(asker: IpAddr) -> u64 {
    match asker.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits() >> 8) | 1 << 63,
        IpAddr::V6(address) => {
            u64::try_from(address.to_bits() >> 72).expect("56 bits are left of 128")
        }
    }
}

/// The finaliser of SplitMix64: neighbours go far apart.
const fn spread(number: u64) -> u64 {
    let a = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_gets_its_answers_then_truncated_ones_and_silence_in_turn() {
        let mut rates = Rates::new(7);
        let now = Duration::from_secs(5);
        for n in 0..RATE_PER_NETWORK {
            let last = n % 200;
            assert_eq!(rates.take(ip(&format!("192.0.2.{last}")), now), Rate::Answer, "{n}");
        }
        let beyond: Vec<Rate> = (0..4).map(|_| rates.take(ip("192.0.2.9"), now)).collect();
        assert_eq!(beyond, [Rate::Drop, Rate::Truncate, Rate::Drop, Rate::Truncate]);
        assert_eq!(rates.take(ip("192.0.3.9"), now), Rate::Answer, "another network");
        let next = now + Duration::from_secs(1);
        assert_eq!(rates.take(ip("192.0.2.9"), next), Rate::Answer, "another second");
    }

    #[test]
    fn so_many_networks_are_counted_at_once_and_one_more_takes_the_place_of_another() {
        let mut rates = Rates::new(7);
        let mut networks = (1_u32 << 8..126 << 16).map(|n| IpAddr::from((n << 8).to_be_bytes()));
        // One for each place.
        let mut askers = std::collections::BTreeMap::new();
        while askers.len() < RATE_BUCKETS {
            let asker = networks.next().expect("there are far more networks than places");
            askers.entry(rates.place_of(network(asker))).or_insert(asker);
        }
        let now = Duration::from_secs(5);
        for count in 1..=2 {
            for asker in askers.values() {
                assert_eq!(rates.take(*asker, now), Rate::Answer);
            }
            assert!(rates.buckets.iter().all(|bucket| bucket.count == count), "{count}");
        }
        rates.take(networks.next().expect("one more"), now);
        let known = rates.buckets.iter().filter(|bucket| bucket.count == 2).count();
        assert_eq!((known, rates.buckets.len()), (RATE_BUCKETS - 1, RATE_BUCKETS));
    }

    #[test]
    fn ipv6_is_counted_by_56_bits_and_loopback_is_not_counted() {
        let mut rates = Rates::new(7);
        for n in 0..=RATE_PER_NETWORK {
            let last = rates.take(ip(&format!("2001:db8:0:{:x}::1", n % 256)), Duration::ZERO);
            assert_eq!(last == Rate::Answer, n < RATE_PER_NETWORK, "{n}");
        }
        assert_eq!(rates.take(ip("2001:db8:0:100::1"), Duration::ZERO), Rate::Answer);
        for _ in 0..2 * RATE_PER_NETWORK {
            assert_eq!(rates.take(ip("127.0.0.1"), Duration::ZERO), Rate::Answer);
        }
    }
}
