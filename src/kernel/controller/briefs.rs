//! Observers beside the members, as a controller sees them: what they may say, and what they are told.
//!
//! Every member tells them what it applied, so that they outlive the death of any. A brief is whole in itself but for what
//! the ledger holds of the observer's reports, which may be large and is left out while the observer knows it. Briefs
//! that were lost are sent again: an observer says in every sign of life what it has taken.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::peer::{Brief, PeerMessage, Present};
use super::{Controller, Level, Output, Traffic, limits};
use crate::kernel::domain::{MemberId, Moment, ServiceName};
use crate::kernel::ledger::Command;

/// One of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Visitor {
    /// What it last said of itself.
    present: Option<Present>,
    /// The entry that last changed anything that it is told.
    changed: u64,
    /// The entry that last changed what the ledger holds of its reports.
    reported: u64,
    /// Up to which entry it was last told, and when.
    sent: Option<(u64, Moment)>,
    /// When it was last sent the settings of which configuration.
    settings_sent: Option<(u64, Moment)>,
    /// Whether people were told that it said what it may not.
    turned_away: bool,
}

/// All of them that the configuration names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Briefs {
    visitors: BTreeMap<MemberId, Visitor>,
}

impl Controller {
    /// The ledger or its configuration was replaced: nobody has been told of it.
    pub(super) fn brief_anew(&mut self) {
        let index = self.ledger.index();
        let visitors = &mut self.briefs.visitors;
        let Some(config) = self.ledger.config() else { return visitors.clear() };
        visitors.retain(|id, _| config.observers.contains_key(id));
        for id in config.observers.keys() {
            let visitor = visitors.entry(*id).or_default();
            (visitor.changed, visitor.reported, visitor.sent) = (index, index, None);
        }
    }

    /// A question or a ballot changed.
    pub(super) fn brief_all(&mut self) {
        let index = self.ledger.index();
        for visitor in self.briefs.visitors.values_mut() {
            visitor.changed = index;
        }
    }

    /// What the ledger holds of an observer's reports changed.
    pub(super) fn brief_reported(&mut self, observer: MemberId) {
        let index = self.ledger.index();
        if let Some(visitor) = self.briefs.visitors.get_mut(&observer) {
            (visitor.changed, visitor.reported) = (index, index);
        }
    }

    /// A frame from somebody who is no member: an observer of the configuration in force, or nobody.
    pub(super) fn on_visitor(&mut self, from: MemberId, frame: &Bytes) {
        if !self.briefs.visitors.contains_key(&from) {
            return;
        }
        match PeerMessage::decode(frame) {
            Some(PeerMessage::Present(present)) => self.on_present(from, present),
            Some(PeerMessage::Forward(commands)) => self.on_words(from, &commands),
            Some(PeerMessage::Suspect(services)) => {
                for (service, plane) in services {
                    self.suspect(&service, usize::from(plane), "an observer's probe failed");
                }
            }
            Some(PeerMessage::Seen { ask, seen }) => self.on_seen(from, ask, &seen),
            Some(_) => self.turn_away(from, "it speaks as only members may"),
            None => self.turn_away(from, "it sent a frame that this version cannot read"),
        }
    }

    fn on_present(&mut self, from: MemberId, present: Present) {
        self.heard.insert(from, self.now);
        self.leading.heard(from, self.now);
        let Some(visitor) = self.briefs.visitors.get_mut(&from) else { return };
        let same = visitor.present.is_some_and(|was| was.incarnation == present.incarnation);
        if !same {
            (visitor.sent, visitor.settings_sent) = (None, None);
            visitor.turned_away = false;
        }
        visitor.present = Some(present);
        self.on_card(from, present.wall, present.certificate_until);
    }

    /// It may report and vote, for itself.
    fn on_words(&mut self, from: MemberId, commands: &[Vec<u8>]) {
        if !self.leads() {
            return;
        }
        for bytes in commands {
            match serde_json::from_slice::<Command>(bytes) {
                Ok(
                    command @ (Command::Report { observer, .. } | Command::Ballot { observer, .. }),
                ) if observer == from => self.leading.push(command),
                Ok(_) => self.turn_away(from, "it sent a command that is not its own to give"),
                // One of a later version, perhaps.
                Err(_) => {}
            }
        }
    }

    /// What it said is not done, and people hear of it once for each of its processes.
    fn turn_away(&mut self, from: MemberId, why: &str) {
        let Some(visitor) = self.briefs.visitors.get_mut(&from) else { return };
        if !std::mem::replace(&mut visitor.turned_away, true) {
            let text = format!(
                "observer {from} was turned away: {why}; see which program uses its certificate"
            );
            self.tell(Level::Warn, "observer", None, text);
        }
    }

    /// Tells each observer what it may not know yet.
    pub(super) fn send_briefs(&mut self) {
        // What this node holds stands still, or came from nobody.
        if self.stands_apart() || self.briefs.visitors.is_empty() {
            return;
        }
        let ids: Vec<MemberId> = self.briefs.visitors.keys().copied().collect();
        for id in ids {
            if let Some(frame) = self.brief(id) {
                self.outputs.push_back(Output::Send { to: id, frame, traffic: Traffic::Normal });
            }
        }
    }

    fn brief(&mut self, id: MemberId) -> Option<Bytes> {
        let now = self.now;
        let silence = self.timing().observer_silence;
        let heard = self.heard.get(&id).is_some_and(|at| now.since(*at) <= silence);
        let visitor = self.briefs.visitors.get_mut(&id)?;
        let present = visitor.present.filter(|_| heard)?;
        let lost = |at: Moment| now.since(at) >= limits::RESEND;
        let due = match visitor.sent {
            None => true,
            Some((index, at)) => {
                visitor.changed > index || (present.taken < visitor.changed && lost(at))
            }
        };
        if !due {
            return None;
        }
        let (index, config) = (self.ledger.index(), self.ledger.config_version());
        visitor.sent = Some((index, now));
        let on_its_way = visitor.settings_sent.is_some_and(|(version, at)| {
            version == config && now.since(at) < limits::RESEND_CONFIG
        });
        let settings = (present.config != config && !on_its_way).then(|| {
            visitor.settings_sent = Some((config, now));
            let settings = self.ledger.config().map(AsRef::as_ref);
            serde_json::to_vec(&settings).expect("settings hold only text keys: all JSON")
        });
        let news = visitor.reported > present.taken || present.taken == 0;
        let held = news.then(|| self.ledger.observers().get(&id).cloned());
        let questions = self.ledger.questions().iter().filter(|(_, question)| question.open);
        let questions = questions
            .map(|(question, asked)| {
                let services = self.services_of(&asked.groups).into_iter().collect();
                let ballot = asked.ballots.get(&id).map(|ballot| ballot.as_ref().clone());
                (*question, services, ballot)
            })
            .collect();
        Some(PeerMessage::Brief(Brief { index, config, settings, held, questions }).encode())
    }

    /// The services of these groups.
    pub(super) fn services_of(
        &self,
        groups: &BTreeSet<crate::kernel::domain::GroupName>,
    ) -> BTreeSet<ServiceName> {
        let Some(config) = self.ledger.config() else { return BTreeSet::new() };
        let settings = groups.iter().filter_map(|group| config.groups.get(group));
        settings.flat_map(|group| group.services.iter().cloned()).collect()
    }
}
