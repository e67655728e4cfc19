//! The network between members: one directed link for each pair. A message is dropped when it *arrives* at a cut
//! link, so what was under way when a cut began is lost too.

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
    /// Votes are held up by up to this long.
    pub votes_held: Micros,
    /// Answers to read rounds are held up by up to this long.
    pub answers_held: Micros,
    /// By sender, then receiver.
    cut: Vec<Vec<bool>>,
}

impl Network {
    /// Nothing is cut.
    pub fn new(nodes: usize, weather: Weather) -> Self {
        Self { weather, votes_held: 0, answers_held: 0, cut: vec![vec![false; nodes]; nodes] }
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

    /// Holds a vote, or a request for one, up: several then run for one term, and know it late.
    pub fn hold_votes(&self, fate: &mut Fate, rng: &mut Rng) {
        if self.votes_held > 0
            && let Some(delay) = &mut fate.first
        {
            *delay += rng.below(self.votes_held);
        }
    }

    /// Holds a frame up if it answers a read round: who asked may have tried again by then. True if it does.
    pub fn hold_answer(&self, frame: &[u8], fate: &mut Fate, rng: &mut Rng) -> bool {
        if self.answers_held == 0 || !is_read_answer(frame) {
            return false;
        }
        if let Some(delay) = &mut fate.first {
            *delay += rng.below(self.answers_held);
        }
        true
    }

    /// Whether what arrives now on this link is dropped.
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut[from][to]
    }

    /// Cuts one direction, or opens it.
    pub fn cut(&mut self, from: usize, to: usize, cut: bool) {
        if from != to {
            self.cut[from][to] = cut;
        }
    }

    /// Whether any link is cut.
    pub fn any_cut(&self) -> bool {
        self.cut.iter().flatten().any(|cut| *cut)
    }

    /// Opens every link.
    pub fn heal(&mut self) {
        for row in &mut self.cut {
            row.fill(false);
        }
    }
}

/// A frame's first fields: format, kind of frame, length; then raft's format and kind.
type Head = (u8, u32, u64, u8, u8);
/// A leader's answer to a read round of another member.
const READ_ANSWER: u8 = 16;

fn is_read_answer(frame: &[u8]) -> bool {
    let head = postcard::take_from_bytes::<Head>(frame).map(|(head, _)| head);
    matches!(head, Ok((_, 0, _, _, READ_ANSWER)))
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
    fn a_cut_has_a_direction() {
        let mut network = Network::new(3, Weather::FAIR);
        network.cut(0, 1, true);
        assert!(network.is_cut(0, 1) && !network.is_cut(1, 0));
        network.heal();
        assert!(!network.any_cut());
    }
}
