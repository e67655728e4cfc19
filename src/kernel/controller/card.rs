//! What members tell each other of themselves now and then, for people: their clocks and their certificates. Nothing is
//! decided by it.

use std::collections::BTreeMap;

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
    pub(super) told: BTreeMap<MemberId, MemberCard>,
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
        let certificate_until = Some(WallTime(certificate_until)).filter(|until| until.0 > 0);
        self.cards.told.insert(from, MemberCard { clock_ms, certificate_until });
        // In a quiet cluster nothing else would show it: metrics are made from what was published.
        self.publishing.dirty = true;
    }

    /// Those of all members that were heard of, and this one's own.
    pub(super) fn all_cards(&self) -> BTreeMap<MemberId, MemberCard> {
        let own = MemberCard { clock_ms: 0, certificate_until: self.certificate_until };
        let mut cards = self.cards.told.clone();
        cards.insert(self.me, own);
        cards
    }
}
