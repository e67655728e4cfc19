//! A search for an order: do the words that were heard of one group fit a group of which everything is done at one
//! instant, between the question and the answer? After Wing and Gong ("Testing and verifying concurrent objects",
//! 1993) and Lowe ("Testing for linearizability", 2017): what is under way is put in order only when an answer
//! demands it, and no situation is looked at twice.

use std::collections::BTreeSet;

use crate::kernel::domain::SwitchoverId;
use crate::sim::queue::Micros;

/// What is known of a group: its epoch's counter (0 before it is there), the place of its plane, whether it is frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shown {
    pub(super) epoch: u64,
    pub(super) plane: usize,
    pub(super) frozen: bool,
}

/// The model of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Model {
    shown: Shown,
    /// The switchover that bars others.
    moving: Option<SwitchoverId>,
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// It is read.
    Read(Shown),
    /// It is frozen, or thawed.
    Freeze(bool),
    /// A switchover begins, at this epoch, to another plane.
    Begin { id: SwitchoverId, base: u64, to: usize },
    /// Its route changes: to this epoch and plane.
    Route { epoch: u64, plane: usize },
    /// The switchover bars others no more.
    Free(SwitchoverId),
}

impl Model {
    /// The group after a deed; nothing where it cannot be done.
    fn after(mut self, deed: Deed) -> Option<Self> {
        let fits = match deed {
            Deed::Read(shown) => shown == self.shown,
            Deed::Freeze(_) => self.shown.epoch > 0,
            Deed::Begin { base, to, .. } => {
                self.moving.is_none() && self.shown.epoch == base && self.shown.plane != to
            }
            Deed::Route { epoch, .. } => self.shown.epoch + 1 == epoch,
            Deed::Free(id) => self.moving == Some(id),
        };
        match deed {
            Deed::Read(_) => {}
            Deed::Freeze(on) => self.shown.frozen = on,
            Deed::Begin { id, .. } => self.moving = Some(id),
            Deed::Route { epoch, plane } => (self.shown.epoch, self.shown.plane) = (epoch, plane),
            Deed::Free(_) => self.moving = None,
        }
        fits.then_some(self)
    }
}

/// A deed, and when it may have been done.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) deed: Deed,
    /// Not before.
    pub(super) from: Micros,
    /// Not after; without one it may be done at any later time, or never.
    pub(super) until: Option<Micros>,
    /// Whose, for people.
    pub(super) whose: String,
}

/// One order so far: the group after it, and which of the deeds under way are done.
type Situation = (Model, BTreeSet<usize>);

/// Situations that one search may visit.
const SITUATIONS: usize = 100_000;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is an order.
    Fits,
    /// There is none: the deed that fits nowhere, by its place.
    Nowhere(usize),
    /// More situations than may be visited.
    TooMany,
}

/// Looks for an order.
pub(super) fn search(spans: &[Span]) -> Verdict {
    search_within(spans, SITUATIONS)
}

fn search_within(spans: &[Span], most: usize) -> Verdict {
    // (time, whether it ends, place): what begins when something ends may have been done before that.
    let mut events: Vec<(Micros, bool, usize)> = Vec::new();
    for (place, span) in spans.iter().enumerate() {
        events.push((span.from, false, place));
        events.extend(span.until.map(|until| (until.max(span.from), true, place)));
    }
    events.sort_unstable();
    let mut situations = BTreeSet::from([(Model::default(), BTreeSet::new())]);
    let mut under_way: BTreeSet<usize> = BTreeSet::new();
    let mut visited = 0;
    for (_, ends, place) in events {
        if !ends {
            under_way.insert(place);
            if matches!(spans[place].deed, Deed::Read(_)) {
                // One that fits is done at once: it changes nothing for the others.
                let read = |s| with_reads(spans, &under_way, s);
                situations = situations.into_iter().map(read).collect();
            }
            continue;
        }
        let Some(found) = with(spans, &under_way, place, situations, (&mut visited, most)) else {
            return Verdict::TooMany;
        };
        situations = found;
        if situations.is_empty() {
            return Verdict::Nowhere(place);
        }
        under_way.remove(&place);
        situations = situations
            .into_iter()
            .map(|(model, mut done)| {
                done.remove(&place);
                (model, done)
            })
            .collect();
    }
    Verdict::Fits
}

/// Every read under way that fits here is done here.
fn with_reads(spans: &[Span], under_way: &BTreeSet<usize>, situation: Situation) -> Situation {
    let (model, mut done) = situation;
    for place in under_way {
        let deed = spans[*place].deed;
        if matches!(deed, Deed::Read(_)) && model.after(deed).is_some() {
            done.insert(*place);
        }
    }
    (model, done)
}

/// The situations in which a deed is done, by as few others before it as there may be; none when too many were visited.
fn with(
    spans: &[Span],
    under_way: &BTreeSet<usize>,
    wanted: usize,
    from: BTreeSet<Situation>,
    (visited, most): (&mut usize, usize),
) -> Option<BTreeSet<Situation>> {
    let mut found = BTreeSet::new();
    let mut seen: BTreeSet<Situation> = BTreeSet::new();
    let mut next: Vec<Situation> = from.into_iter().collect();
    while let Some(situation) = next.pop() {
        if situation.1.contains(&wanted) {
            found.insert(situation);
            continue;
        }
        if !seen.insert(situation.clone()) {
            continue;
        }
        if *visited == most {
            return None;
        }
        *visited += 1;
        let (model, done) = situation;
        let mut open: Vec<Deed> = Vec::new();
        for place in under_way.iter().filter(|place| !done.contains(place)) {
            let Span { deed, until, .. } = &spans[*place];
            let deed = *deed;
            if matches!(deed, Deed::Read(_)) {
                continue;
            }
            let Some(after) = model.after(deed) else { continue };
            if until.is_none() {
                // It need not be done where it changes nothing, and of equal ones the first does for all.
                if after == model || open.contains(&deed) {
                    continue;
                }
                open.push(deed);
            }
            let mut done = done.clone();
            done.insert(*place);
            next.push(with_reads(spans, under_way, (after, done)));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(deed: Deed, from: Micros, until: Micros) -> Span {
        let until = (until > 0).then_some(until);
        Span { deed, from, until, whose: "somebody".to_owned() }
    }

    const fn id(index: u64) -> SwitchoverId {
        SwitchoverId { index, nth: 0 }
    }

    fn read(epoch: u64, plane: usize, frozen: bool, from: Micros, until: Micros) -> Span {
        span(Deed::Read(Shown { epoch, plane, frozen }), from, until)
    }

    /// A group that is there at epoch 1 from time 5 on.
    fn group(more: &[Span]) -> Vec<Span> {
        let mut spans = vec![span(Deed::Route { epoch: 1, plane: 0 }, 0, 5)];
        spans.extend_from_slice(more);
        spans
    }

    #[test]
    fn a_stale_read_is_found_and_one_side_by_side_is_not() {
        let freeze = span(Deed::Freeze(true), 10, 20);
        let stale = group(&[freeze.clone(), read(1, 0, false, 21, 30)]);
        assert_eq!(search(&stale), Verdict::Nowhere(2));
        let beside = group(&[freeze, read(1, 0, false, 19, 30), read(1, 0, true, 31, 40)]);
        assert_eq!(search(&beside), Verdict::Fits);
    }

    #[test]
    fn a_read_that_goes_back_behind_another_is_found() {
        let freeze = span(Deed::Freeze(true), 10, 100);
        let reads = [read(1, 0, true, 20, 30), read(1, 0, false, 40, 50)];
        assert_eq!(search(&group(&[freeze.clone(), reads[0].clone()])), Verdict::Fits);
        let both = group(&[freeze, reads[0].clone(), reads[1].clone()]);
        assert_eq!(search(&both), Verdict::Nowhere(3));
    }

    #[test]
    fn a_search_visits_so_many_situations_and_not_one_more() {
        // Each subset of the freezes may be done before the read that fits nowhere.
        let freeze = |number: usize| span(Deed::Freeze(number.is_multiple_of(2)), 10, 100);
        let mut spans = group(&(0..6).map(freeze).collect::<Vec<_>>());
        spans.push(read(9, 0, false, 20, 30));
        let enough = (1..SITUATIONS).find(|most| search_within(&spans, *most) != Verdict::TooMany);
        let enough = enough.expect("six freezes have few orders");
        assert!(enough > 1 << 6, "{enough}");
        assert_eq!(search_within(&spans, enough), Verdict::Nowhere(7));
        assert_eq!(search_within(&spans, enough - 1), Verdict::TooMany);
    }

    #[test]
    fn a_lost_switch_is_found() {
        let begin = span(Deed::Begin { id: id(7), base: 1, to: 1 }, 10, 20);
        let route = span(Deed::Route { epoch: 2, plane: 1 }, 15, 30);
        let lost = group(&[begin.clone(), route.clone(), read(1, 0, false, 40, 50)]);
        assert_eq!(search(&lost), Verdict::Nowhere(3));
        let kept = group(&[begin, route, read(2, 1, false, 40, 50)]);
        assert_eq!(search(&kept), Verdict::Fits);
    }

    #[test]
    fn two_successes_of_one_compare_and_set_are_found() {
        let first = span(Deed::Begin { id: id(7), base: 1, to: 1 }, 10, 20);
        let second = span(Deed::Begin { id: id(8), base: 1, to: 1 }, 12, 22);
        assert_eq!(search(&group(&[first.clone(), second.clone()])), Verdict::Nowhere(2));
        let ended = span(Deed::Free(id(7)), 11, 21);
        assert_eq!(
            search(&group(&[first, second, ended])),
            Verdict::Fits,
            "the first was given up"
        );
    }

    #[test]
    fn an_open_write_may_be_done_late_or_never_but_once() {
        let open = span(Deed::Freeze(true), 10, 0);
        let never = [read(1, 0, false, 20, 30), read(1, 0, false, 900, 910)];
        let late = [read(1, 0, false, 20, 30), read(1, 0, true, 900, 910)];
        let whole = |reads: &[Span]| {
            let mut spans = group(std::slice::from_ref(&open));
            spans.extend_from_slice(reads);
            spans
        };
        assert_eq!(search(&whole(&never)), Verdict::Fits);
        assert_eq!(search(&whole(&late)), Verdict::Fits);
        let mut twice = late.to_vec();
        twice.push(span(Deed::Freeze(false), 920, 930));
        twice.push(read(1, 0, true, 940, 950));
        assert_eq!(search(&whole(&twice)), Verdict::Nowhere(5));
    }
}
