//! The network between members, and between them and observers: one directed link for each pair. A message is dropped when
//! it *arrives* at a cut link, so what was under way when a cut began is lost too.

use std::collections::BTreeMap;

use super::action::Frames;
use super::cuts::Cuts;
use super::frame::Kind;
use super::queue::{MS, Micros, SECOND};
use super::rng::Rng;

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Shortest delay of a message.
    pub delay_min: Micros,
    /// What is added, mostly less than this.
    pub delay_spread: Micros,
    /// Lost messages in a thousand.
    pub loss: u32,
    /// Messages in a thousand that arrive a second time, up to `replay` later.
    pub duplicates: u32,
    /// How late a duplicate may come.
    pub replay: Micros,
    /// Messages in a thousand that are held up by `held_for`.
    pub held: u32,
    /// See `held`.
    pub held_for: Micros,
}

impl Weather {
    /// A local network on a good day.
    pub const FAIR: Self = Self {
        delay_min: 200,
        delay_spread: 800,
        loss: 0,
        duplicates: 0,
        replay: 0,
        held: 0,
        held_for: 0,
    };

    /// Draws a bad day.
    pub fn draw(rng: &mut Rng, lossy: bool, replaying: bool, clogged: bool) -> Self {
        Self {
            delay_min: rng.between(100, 5 * MS),
            delay_spread: rng.between(200, 30 * MS),
            loss: if lossy { u32::try_from(rng.between(5, 150)).unwrap_or(5) } else { 0 },
            duplicates: if replaying { u32::try_from(rng.between(5, 100)).unwrap_or(5) } else { 0 },
            replay: rng.between(MS, 2 * SECOND),
            held: if clogged { u32::try_from(rng.between(1, 30)).unwrap_or(1) } else { 0 },
            held_for: rng.between(10 * MS, SECOND),
        }
    }
}

/// What becomes of a message: when it arrives, and when once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Delay of the message; lost when absent.
    pub first: Option<Micros>,
    /// Delay of its duplicate.
    pub again: Option<Micros>,
}

/// All links.
#[derive(Clone, Debug)]
pub struct Network {
    /// In force now.
    pub weather: Weather,
    /// Kinds of frame that are held up by up to so long.
    held: BTreeMap<Frames, Micros>,
    /// Kinds of frame of which so many in a thousand are lost.
    lost: BTreeMap<Frames, u32>,
    /// Kinds of frame of which so many in a thousand come twice, and how much later at most.
    doubled: BTreeMap<Frames, (u32, Micros)>,
    /// By sender, then receiver.
    cut: Vec<Vec<Cuts>>,
}

impl Network {
    /// Nothing is cut.
    pub fn new(nodes: usize, weather: Weather) -> Self {
        Self {
            weather,
            held: BTreeMap::new(),
            lost: BTreeMap::new(),
            doubled: BTreeMap::new(),
            cut: vec![vec![Cuts::default(); nodes]; nodes],
        }
    }

    /// Draws the fate of one message.
    pub fn fate(&self, rng: &mut Rng) -> Fate {
        let weather = &self.weather;
        let mut delay = weather.delay_min + rng.small(weather.delay_spread);
        if rng.chance(weather.held) {
            delay += weather.held_for;
        }
        let first = (!rng.chance(weather.loss)).then_some(delay);
        let again = rng.chance(weather.duplicates).then(|| delay + rng.below(weather.replay));
        Fate { first, again }
    }

    /// Holds frames of a kind up by up to so long from now on; 0 ends it.
    pub fn hold(&mut self, frames: Frames, by: Micros) {
        if by == 0 {
            self.held.remove(&frames);
        } else {
            self.held.insert(frames, by);
        }
    }

    /// Loses so many in a thousand of the frames of a kind from now on; 0 ends it.
    pub fn lose(&mut self, frames: Frames, lost: u32) {
        if lost == 0 {
            self.lost.remove(&frames);
        } else {
            self.lost.insert(frames, lost);
        }
    }

    /// Lets so many in a thousand of the frames of a kind come a second time from now on, up to so much later; 0 ends it.
    pub fn double(&mut self, frames: Frames, twice: u32, within: Micros) {
        if twice == 0 {
            self.doubled.remove(&frames);
        } else {
            self.doubled.insert(frames, (twice, within));
        }
    }

    /// Frames travel as the weather has it, of whatever kind and link.
    pub fn spare_kinds(&mut self) {
        self.held.clear();
        self.lost.clear();
        self.doubled.clear();
    }

    /// What is held up, and by how much at most.
    pub fn held(&self) -> impl Iterator<Item = (&Frames, Micros)> {
        self.held.iter().map(|(frames, by)| (frames, *by))
    }

    /// What is lost, and how many in a thousand.
    pub fn lost(&self) -> impl Iterator<Item = (&Frames, u32)> {
        self.lost.iter().map(|(frames, lost)| (frames, *lost))
    }

    /// What comes twice: how many in a thousand, and how much later at most.
    pub fn doubled(&self) -> impl Iterator<Item = (&Frames, u32, Micros)> {
        self.doubled.iter().map(|(frames, (twice, within))| (frames, *twice, *within))
    }

    /// What befalls a frame because of its kind or its link. The kind, if anything did.
    pub fn befall(
        &self,
        frame: &[u8],
        (from, to): (usize, usize),
        fate: &mut Fate,
        rng: &mut Rng,
    ) -> Option<Kind> {
        if self.held.is_empty() && self.lost.is_empty() && self.doubled.is_empty() {
            return None;
        }
        let kind = Kind::of(frame);
        let held: Micros =
            self.held().filter(|(frames, _)| frames.has(kind, from, to)).map(|(_, by)| by).sum();
        let lost = self.lost().filter(|(frames, _)| frames.has(kind, from, to));
        let lost = lost.map(|(_, lost)| lost).max().unwrap_or_default();
        let doubled = self.doubled().filter(|(frames, ..)| frames.has(kind, from, to));
        let doubled = doubled.map(|(_, twice, within)| (twice, within)).max();
        if let (Some((twice, within)), Some(delay)) = (doubled, fate.first)
            && fate.again.is_none()
            && rng.chance(twice)
        {
            fate.again = Some(delay + rng.below(within.max(1)));
        }
        // A duplicate is a frame of this kind, too.
        for arrives in [&mut fate.first, &mut fate.again] {
            if held > 0
                && let Some(delay) = arrives
            {
                *delay += rng.below(held);
            }
            if lost > 0 && arrives.is_some() && rng.chance(lost) {
                *arrives = None;
            }
        }
        (held > 0 || lost > 0 || doubled.is_some()).then_some(kind)
    }

    /// Which of what was done strikes a frame of this kind on this link.
    pub fn struck(&self, kind: Kind, (from, to): (usize, usize)) -> impl Iterator<Item = &Frames> {
        let all = self.held.keys().chain(self.lost.keys()).chain(self.doubled.keys());
        all.filter(move |frames| frames.has(kind, from, to))
    }

    /// Whether what arrives now on this link is dropped.
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut[from][to].any()
    }

    /// Cuts one direction, until this cut is lifted or all are. Whether it was cut already.
    pub fn cut(&mut self, from: usize, to: usize, cut: u64) -> bool {
        from != to && self.cut[from][to].add(cut)
    }

    /// What this cut has cut is open, unless another one cut it too.
    pub fn lift(&mut self, cut: u64) {
        self.cut.iter_mut().flatten().for_each(|link| link.lift(cut));
    }

    /// Whether any link is cut.
    pub fn any_cut(&self) -> bool {
        self.cut.iter().flatten().any(Cuts::any)
    }

    /// Opens every link.
    pub fn heal(&mut self) {
        self.cut.iter_mut().flatten().for_each(Cuts::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Stream;

    #[test]
    fn fair_weather_loses_nothing_and_bad_weather_does() {
        let mut rng = Rng::stream(3, Stream::Network);
        let fair = Network::new(3, Weather::FAIR);
        assert!((0..500).all(|_| fair.fate(&mut rng).first.is_some()));
        let bad = Weather { loss: 200, duplicates: 200, replay: SECOND, ..Weather::FAIR };
        let bad = Network::new(3, bad);
        let fates: Vec<Fate> = (0..500).map(|_| bad.fate(&mut rng)).collect();
        assert!(fates.iter().filter(|fate| fate.first.is_none()).count() > 50);
        assert!(fates.iter().filter(|fate| fate.again.is_some()).count() > 50);
    }

    #[test]
    fn a_kind_of_frame_is_held_up_or_lost_on_its_link_only() {
        let mut rng = Rng::stream(3, Stream::Network);
        // Format, "commands", none of them.
        let commands = [1, 2, 0];
        let mut network = Network::new(3, Weather::FAIR);
        let frames = Frames { kind: Some(Kind::Commands), from: Some(0), to: None };
        network.lose(frames, 1000);
        network.hold(Frames::all(Kind::Votes), SECOND);
        let mut fate = |network: &Network, from| {
            let mut fate = Fate { first: Some(7), again: Some(7) };
            let kind = network.befall(&commands, (from, 2), &mut fate, &mut rng);
            assert_eq!(fate.first.is_some(), fate.again.is_some());
            (kind, fate.first)
        };
        assert_eq!(fate(&network, 0), (Some(Kind::Commands), None));
        assert_eq!(fate(&network, 1), (None, Some(7)));
        network.lose(frames, 0);
        assert_eq!(fate(&network, 0), (None, Some(7)));
        network.hold(frames, SECOND);
        assert!(matches!(fate(&network, 0), (Some(Kind::Commands), Some(7..))));
        network.spare_kinds();
        assert_eq!(fate(&network, 0), (None, Some(7)));
    }

    #[test]
    fn one_link_doubles_and_loses_whatever_travels_on_it_and_the_others_do_not() {
        let mut rng = Rng::stream(3, Stream::Network);
        let heartbeat = [1, 0, 0];
        let mut network = Network::new(3, Weather::FAIR);
        network.double(Frames::of(0, true), 1000, SECOND);
        let mut fate = |network: &Network, from| {
            let mut fate = Fate { first: Some(7), again: None };
            network.befall(&heartbeat, (from, 2), &mut fate, &mut rng);
            (fate.first, fate.again)
        };
        assert!(matches!(fate(&network, 0), (Some(7), Some(7..))));
        assert_eq!(fate(&network, 1), (Some(7), None));
        network.lose(Frames::of(2, false), 1000);
        assert_eq!((fate(&network, 0), fate(&network, 1)), ((None, None), (None, None)));
        network.double(Frames::of(0, true), 0, 0);
        network.lose(Frames::of(2, false), 0);
        assert_eq!(fate(&network, 0), (Some(7), None));
    }

    #[test]
    fn a_cut_has_a_direction_and_ends_by_itself_where_no_other_one_lies() {
        let mut network = Network::new(3, Weather::FAIR);
        assert!(!network.cut(0, 1, 1));
        assert!(network.is_cut(0, 1) && !network.is_cut(1, 0));
        assert!(network.cut(0, 1, 2) && !network.cut(1, 2, 2));
        network.lift(1);
        assert!(network.is_cut(0, 1) && network.is_cut(1, 2));
        network.lift(2);
        assert!(!network.any_cut());
        network.cut(0, 1, 3);
        network.heal();
        // A cut that was healed does not end again what came after it.
        network.cut(0, 1, 4);
        network.lift(3);
        assert!(network.is_cut(0, 1));
    }
}
