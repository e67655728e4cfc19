//! What members tell each other of themselves now and then, for people: their clocks and their certificates. Nothing is
//! decided by it.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::peer::PeerMessage;
use super::{Controller, MemberCard, Output, Traffic, limits};
use crate::kernel::domain::{MemberId, Moment, WallTime};

/// The ruleset from which on members understand cards.
const CARDS_SINCE: u32 = 2;

/// What was told, and when to tell next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cards {
    due: Moment,
    told: BTreeMap<MemberId, Told>,
}

/// What one member told of itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Told {
    /// The smallest difference of clocks in each of the last spans of time, and when the span began.
    clocks: VecDeque<(Moment, i64)>,
    certificate_until: Option<WallTime>,
}

impl Told {
    /// What makes a message late, on its way or at either end, makes clocks seem to differ, and nothing makes them seem to
    /// agree: so the smallest difference of several messages is the one to go by.
    fn note(&mut self, now: Moment, clock_ms: i64) {
        match self.clocks.back_mut().filter(|(since, _)| now.since(*since) < limits::CARD) {
            Some((_, best)) if clock_ms.unsigned_abs() < best.unsigned_abs() => *best = clock_ms,
            Some(_) => {}
            None => self.clocks.push_back((now, clock_ms)),
        }
        while self.clocks.len() > limits::CLOCK_SPANS {
            self.clocks.pop_front();
        }
    }

    fn card(&self) -> MemberCard {
        let differences = self.clocks.iter().map(|(_, clock_ms)| *clock_ms);
        MemberCard {
            // People who look see what was heard last; nobody is woken by one late message.
            clock_ms: differences.clone().next_back().unwrap_or_default(),
            clock_least_ms: differences.min_by_key(|ms| ms.unsigned_abs()).unwrap_or_default(),
            clock_sure: self.clocks.len() >= limits::CLOCK_SPANS,
            certificate_until: self.certificate_until,
        }
    }
}

impl Controller {
    /// Tells the others. Part of every sign of life; most of them carry none.
    pub(super) fn show_card(&mut self) {
        let known = self.wall.0 != WallTime::default();
        if self.now < self.cards.due || !known {
            return;
        }
        self.cards.due = self.now + limits::CARD;
        let wall = self.wall_now();
        let until = self.certificate_until.unwrap_or_default();
        let frame = PeerMessage::Card { wall: wall.0, certificate_until: until.0 }.encode();
        for member in self.file.members.keys().filter(|id| **id != self.me) {
            if self.agreement.known_by(*member) >= CARDS_SINCE {
                let (to, frame) = (*member, frame.clone());
                self.outputs.push_back(Output::Send { to, frame, traffic: Traffic::Normal });
            }
        }
    }

    /// Another member told of itself. Its way here counts as a difference of clocks: milliseconds.
    pub(super) fn on_card(&mut self, from: MemberId, wall: u64, certificate_until: u64) {
        if self.wall.0 == WallTime::default() {
            return;
        }
        let signed = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
        let clock_ms = signed(wall).saturating_sub(signed(self.wall_now().0));
        let told = self.cards.told.entry(from).or_default();
        told.note(self.now, clock_ms);
        told.certificate_until = Some(WallTime(certificate_until)).filter(|until| until.0 > 0);
        // In a quiet cluster nothing else would show it: metrics are made from what was published.
        self.publishing.dirty = true;
    }

    /// Those of all members that were heard of, and this one's own.
    pub(super) fn all_cards(&self) -> BTreeMap<MemberId, MemberCard> {
        let certificate_until = self.certificate_until;
        let own =
            MemberCard { clock_ms: 0, clock_least_ms: 0, clock_sure: true, certificate_until };
        let told = self.cards.told.iter().map(|(id, told)| (*id, told.card()));
        told.chain([(self.me, own)]).collect()
    }
}
