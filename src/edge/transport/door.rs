//! Who is connected: those who have not yet shown who they are, and the members.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::hello::Lane;
use super::limits::{CONTEST, CONTEST_SPAN, MAX_STRANGERS, MAX_STRANGERS_PER_ADDRESS};
use crate::kernel::domain::MemberId;

/// The connections of one transport.
#[derive(Clone, Debug, Default)]
pub(super) struct Door(Arc<Mutex<Guests>>);

#[derive(Debug, Default)]
struct Guests {
    /// Connections that have not shown who they are, by address, oldest first.
    strangers: BTreeMap<IpAddr, VecDeque<(u64, CancellationToken)>>,
    /// The newest connection of each member and lane. At most two a member, so bounded by the settings.
    members: BTreeMap<(MemberId, Lane), (u64, CancellationToken)>,
    /// When living connections of a member were last replaced; at most [`CONTEST`] each.
    replaced: BTreeMap<(MemberId, Lane), VecDeque<Instant>>,
    /// Numbers the connections.
    next: u64,
}

impl Guests {
    const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Door {
    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among those that have not shown who they are.
pub(super) struct Stranger {
    door: Door,
    pub(super) from: IpAddr,
    number: u64,
    /// Cancelled when this connection has to give way.
    pub(super) shed: CancellationToken,
}

impl Stranger {
    /// A place, if there is one, and whether an older connection had to give way for it.
    ///
    /// Addresses of members (`known`) have places of their own, so that nobody else can take them. At an address's limit
    /// the oldest gives way: who says nothing cannot keep out who does.
    pub(super) fn admit(door: &Door, from: IpAddr, known: bool) -> Option<(Self, bool)> {
        let mut guests = door.guests();
        let here = guests.strangers.get(&from).map_or(0, VecDeque::len);
        let all: usize = guests.strangers.values().map(VecDeque::len).sum();
        let crowded = here >= MAX_STRANGERS_PER_ADDRESS;
        if !crowded && !known && all >= MAX_STRANGERS {
            return None;
        }
        let number = guests.number();
        let shed = CancellationToken::new();
        let places = guests.strangers.entry(from).or_default();
        if crowded && let Some((_, oldest)) = places.pop_front() {
            oldest.cancel();
        }
        places.push_back((number, shed.clone()));
        drop(guests);
        Some((Self { door: door.clone(), from, number, shed }, crowded))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut guests = self.door.guests();
        let Some(places) = guests.strangers.get_mut(&self.from) else { return };
        places.retain(|(number, _)| *number != self.number);
        if places.is_empty() {
            guests.strangers.remove(&self.from);
        }
    }
}

/// A member's place; a newer connection of the same member and lane takes it over.
pub(super) struct Seat {
    door: Door,
    key: (MemberId, Lane),
    number: u64,
    /// Cancelled when a newer connection took this place.
    pub(super) replaced: CancellationToken,
}

impl Seat {
    /// Takes the place; says whether it has been taken from a living connection [`CONTEST`] times of late.
    pub(super) fn take(door: &Door, key: (MemberId, Lane), now: Instant) -> (Self, bool) {
        let mut guests = door.guests();
        let number = guests.number();
        let replaced = CancellationToken::new();
        let mut contested = false;
        if let Some((_, older)) = guests.members.insert(key, (number, replaced.clone())) {
            older.cancel();
            let times = guests.replaced.entry(key).or_default();
            times.push_back(now);
            if times.len() >= CONTEST {
                let first = times.pop_front();
                contested =
                    first.is_some_and(|at| now.saturating_duration_since(at) < CONTEST_SPAN);
            }
        }
        drop(guests);
        (Self { door: door.clone(), key, number, replaced }, contested)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut guests = self.door.guests();
        if guests.members.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            guests.members.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[test]
    fn at_an_addresses_limit_the_oldest_gives_way() {
        let door = Door::default();
        let mut inside: Vec<Stranger> = Vec::new();
        for _ in 0..MAX_STRANGERS_PER_ADDRESS {
            let (stranger, shed) = Stranger::admit(&door, address(1), true).unwrap();
            assert!(!shed);
            inside.push(stranger);
        }
        let (newest, shed) = Stranger::admit(&door, address(1), true).unwrap();
        assert!(shed && inside[0].shed.is_cancelled() && !inside[1].shed.is_cancelled());
        assert!(!newest.shed.is_cancelled());
        drop(inside);
        let (_, shed) = Stranger::admit(&door, address(1), true).unwrap();
        assert!(!shed, "who left has made room");
    }

    #[test]
    fn when_all_places_are_taken_members_addresses_still_get_in() {
        let door = Door::default();
        let crowd: Vec<_> = (0..MAX_STRANGERS)
            .map(|at| {
                let from = address(u8::try_from(at / MAX_STRANGERS_PER_ADDRESS).unwrap());
                Stranger::admit(&door, from, false).unwrap()
            })
            .collect();
        assert!(Stranger::admit(&door, address(200), false).is_none());
        assert!(Stranger::admit(&door, address(201), true).is_some());
        drop(crowd);
        assert!(Stranger::admit(&door, address(200), false).is_some());
    }

    #[test]
    fn a_seat_is_contested_when_it_is_taken_again_and_again_in_a_short_time() {
        let door = Door::default();
        let key = (MemberId(2), Lane::Normal);
        let began = Instant::now();
        let mut seats = Vec::new();
        let mut take = |after: Duration| {
            let (seat, contested) = Seat::take(&door, key, began + after);
            seats.push(seat);
            contested
        };
        for second in 0..u64::try_from(CONTEST).unwrap() {
            assert!(!take(Duration::from_secs(second)), "{second}");
        }
        assert!(take(Duration::from_secs(20)));
        assert!(!take(Duration::from_secs(200)), "slowly is no contest");
    }
}
