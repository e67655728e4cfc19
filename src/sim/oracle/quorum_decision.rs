//! P2, quorum: behind every change of a route stands a decision in the log; behind every automatic one ballots
//! for its question from a majority of the *configured* observers, none of them isolated, at two sites; and
//! behind every ballot a probe that truly began after the question was written and truly ended so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Book, Committed, Finding, Oracle, majority};
use crate::kernel::controller::View;
use crate::kernel::domain::{
    Epoch, GroupName, HealthState, Incarnation, MemberId, QuestionId, ServiceName, SiteName,
    StatePair, SwitchoverId,
};
use crate::kernel::ledger::{Cluster, Command};
use crate::kernel::switchover::{Event, Kind, Switchover};
use crate::sim::queue::Micros;

/// One observer's words to one question.
#[derive(Clone, Debug, Default)]
struct Vote {
    incarnation: Incarnation,
    isolated: bool,
    /// What it said, and when the entry that says so was written.
    states: BTreeMap<ServiceName, (StatePair, Micros)>,
}

type Votes = BTreeMap<MemberId, Vote>;

/// The oracle's own count of the log.
#[derive(Debug)]
pub(super) struct QuorumDecision {
    cluster: Arc<Cluster>,
    services: Vec<ServiceName>,
    words: BTreeMap<MemberId, (Incarnation, u64)>,
    votes: BTreeMap<QuestionId, Votes>,
    /// At each step that routes: the index whose configuration was in force, and the votes as they stood.
    at_route: BTreeMap<SwitchoverId, Vec<(u64, QuestionId, Votes)>>,
    shown: BTreeMap<GroupName, Epoch>,
    /// The epoch at which each group began that came with a later configuration.
    began: BTreeMap<GroupName, Epoch>,
    judged: BTreeSet<SwitchoverId>,
}

impl QuorumDecision {
    pub(super) fn new(cluster: &Arc<Cluster>) -> Self {
        Self {
            cluster: Arc::clone(cluster),
            services: cluster.services.keys().cloned().collect(),
            words: BTreeMap::new(),
            votes: BTreeMap::new(),
            at_route: BTreeMap::new(),
            shown: BTreeMap::new(),
            began: BTreeMap::new(),
            judged: BTreeSet::new(),
        }
    }

    /// Notes an observer's word; false when it is older than what it said before.
    fn is_news(&mut self, observer: MemberId, word: (Incarnation, u64)) -> bool {
        let before = self.words.get(&observer).copied();
        let news = before.is_none_or(|before| word > before);
        if news {
            self.words.insert(observer, word);
        }
        news
    }

    fn judge(&self, book: &Book, s: &Switchover) -> Finding {
        let asked = book.committed(s.id.index).and_then(|entry| entry.envelope.as_ref());
        let commands = asked.map_or(&[][..], |envelope| &envelope.commands);
        let stands = commands.iter().any(|command| match (s.kind, command) {
            (Kind::Automatic | Kind::Approved, Command::Decide { moves, .. }) => {
                moves.iter().any(|m| m.group == s.group && m.to == s.to)
            }
            (Kind::Planned | Kind::Forced, Command::Switch(switch)) => {
                switch.moved.group == s.group && switch.moved.to == s.to
            }
            _ => false,
        });
        if !stands {
            return Err(format!("{} has no decision in the log at its index", s.id));
        }
        if s.kind == Kind::Forced {
            return Ok(());
        }
        let counts = self.at_route.get(&s.id).map_or(&[][..], Vec::as_slice);
        let mut why = format!("{} was routed by no step in the log", s.id);
        for (index, question, votes) in counts {
            match self.count(book, s, (*index, *question), votes) {
                Ok(()) => return Ok(()),
                Err(short) => why = format!("{} ({} {}): {short}", s.id, s.kind, question),
            }
        }
        Err(why)
    }

    /// The votes to a question, as of the step that routes, by the configuration of an index.
    fn count(
        &self,
        book: &Book,
        s: &Switchover,
        (index, question): (u64, QuestionId),
        votes: &Votes,
    ) -> Finding {
        let cluster = book.settings.at(index).ok_or("no configuration is in force")?;
        if book.settings.at(question.index).is_none_or(|then| !Arc::ptr_eq(then, cluster)) {
            return Err("it was asked of another configuration".to_owned());
        }
        let settings = cluster.groups.get(&s.group).ok_or("an unknown group")?;
        let critical = |name: &&ServiceName| {
            cluster.services.get(*name).is_some_and(|service| service.critical)
        };
        let plane = |name| cluster.plane_index(name).ok_or("an unknown plane");
        let (from, to) = (plane(&s.from)?, plane(&s.to)?);
        let asked = book.entries.get(&(question.index, question.term)).map_or(0, |q| q.born);
        let needed = majority(self.cluster.members.len() + self.cluster.observers.len());
        for name in settings.services.iter().filter(critical) {
            let up = voters(votes, name, to, HealthState::Up);
            if up.len() < needed {
                return Err(format!(
                    "{} of {needed} ballots say that {name} is up on {}",
                    up.len(),
                    s.to
                ));
            }
            self.probed(book, votes, &up, (name, to), asked, true)?;
        }
        if s.kind == Kind::Planned {
            return Ok(());
        }
        let mut sites: BTreeSet<&SiteName> = BTreeSet::new();
        let mut out = false;
        for name in settings.services.iter().filter(critical) {
            let down = voters(votes, name, from, HealthState::Down);
            sites.extend(down.iter().filter_map(|observer| self.site(*observer)));
            if down.len() >= needed {
                out = true;
                self.probed(book, votes, &down, (name, from), asked, false)?;
            }
        }
        if !out {
            return Err(format!("no critical service is down on {} by {needed} ballots", s.from));
        }
        // Who approves may know more than two sites see: a person's yes goes above this rule.
        if s.kind == Kind::Approved {
            return Ok(());
        }
        let target_site = self.cluster.plane_site(&s.to);
        if sites.len() < 2 || sites.iter().all(|site| Some(*site) == target_site) {
            return Err("the ballots against the source come from one site".to_owned());
        }
        Ok(())
    }

    fn site(&self, observer: MemberId) -> Option<&SiteName> {
        let member = self.cluster.members.get(&observer).map(|member| &member.site);
        member.or_else(|| self.cluster.observers.get(&observer).map(|beside| &beside.site))
    }

    /// Behind each of these votes stands a probe begun after the question, with that end.
    fn probed(
        &self,
        book: &Book,
        votes: &Votes,
        voters: &[MemberId],
        what: (&ServiceName, usize),
        asked: Micros,
        passed: bool,
    ) -> Finding {
        let (name, plane) = what;
        let service = self.services.iter().position(|s| s == name).ok_or("an unknown service")?;
        for member in voters {
            let Some(vote) = votes.get(member) else { continue };
            let said = vote.states.get(name).map_or(0, |(_, said)| *said);
            let watched = (*member, vote.incarnation, service, plane);
            let seen = book.probes.get(&watched).is_some_and(|probes| {
                probes.iter().any(|p| p.passed == passed && p.began >= asked && p.ended <= said)
            });
            if !seen {
                let what = if passed { "up" } else { "down" };
                return Err(format!(
                    "member {member} says {what} of {name} on plane {plane} without a probe since the \
                     question"
                ));
            }
        }
        Ok(())
    }
}

fn voters(votes: &Votes, service: &ServiceName, plane: usize, state: HealthState) -> Vec<MemberId> {
    let says =
        |vote: &Vote| vote.states.get(service).is_some_and(|(pair, _)| pair.0[plane] == state);
    votes.iter().filter(|(_, v)| !v.isolated && says(v)).map(|(member, _)| *member).collect()
}

/// Whether a configuration that took force at this index has the group, and the one before had not.
fn added(book: &Book, group: &GroupName, index: u64) -> bool {
    let has = |index| Some(book.settings.at(index)?.groups.contains_key(group));
    has(index) == Some(true) && has(index.saturating_sub(1)) == Some(false)
}

impl Oracle for QuorumDecision {
    fn name(&self) -> &'static str {
        "quorum_decision"
    }

    fn committed(&mut self, _book: &Book, entry: &Committed) -> Finding {
        let Some(envelope) = &entry.envelope else { return Ok(()) };
        // Where a configuration comes into force in this entry, what stands before it goes by the one before.
        let mut settings_at = entry.index.saturating_sub(1);
        for command in &envelope.commands {
            match command {
                Command::Configure(_) | Command::Reconfigure(_) => settings_at = entry.index,
                Command::Report { observer, incarnation, seq, .. } => {
                    self.is_news(*observer, (*incarnation, *seq));
                }
                Command::Ballot { question, observer, incarnation, seq, isolated, states } => {
                    if !self.is_news(*observer, (*incarnation, *seq)) {
                        continue;
                    }
                    let votes = self.votes.entry(*question).or_default();
                    let vote = votes.entry(*observer).or_default();
                    if vote.incarnation != *incarnation {
                        *vote = Vote { incarnation: *incarnation, ..Vote::default() };
                    }
                    vote.isolated = *isolated;
                    let said =
                        states.iter().map(|(name, pair)| (name.clone(), (*pair, entry.born)));
                    vote.states.extend(said);
                }
                Command::Advance { switchover, event: Event::Route, question, .. } => {
                    let question = question.unwrap_or(QuestionId { term: 0, index: 0 });
                    let votes = self.votes.get(&question).cloned().unwrap_or_default();
                    let counted = (settings_at, question, votes);
                    self.at_route.entry(*switchover).or_default().push(counted);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn published(&mut self, book: &Book, _at: Micros, node: usize, view: &View) -> Finding {
        for (group, route) in view.routes.iter() {
            let shown = self.shown.get(group).copied();
            if shown.is_some_and(|shown| route.epoch <= shown) {
                continue;
            }
            self.shown.insert(group.clone(), route.epoch);
            // A group that came with a later configuration begins at the epoch of that one's index.
            if added(book, group, route.epoch.counter) {
                self.began.insert(group.clone(), route.epoch);
            }
            let began = match self.began.get(group) {
                Some(epoch) => epoch.counter,
                None if self.cluster.groups.contains_key(group) => 1,
                None => return Err(format!("{group} is shown, and no configuration brought it")),
            };
            let since = view.ledger.switchovers().values().filter(|s| s.id.index >= began);
            let of_group: Vec<_> = since.filter(|s| s.group == *group).collect();
            let moved = of_group.iter().filter(|s| s.epoch.is_some()).count();
            let undone =
                of_group.iter().filter(|s| s.steps.iter().any(|x| x.step == "undoing")).count();
            let changes = route.epoch.counter - began;
            if changes != (moved + undone) as u64 {
                return Err(format!(
                    "node {} shows epoch {} of {group}, but the ledger holds {moved} moves and {undone} \
                     returns since epoch counter {began}",
                    node + 1,
                    route.epoch
                ));
            }
            for switchover in of_group.iter().filter(|s| s.epoch.is_some()) {
                if self.judged.insert(switchover.id) {
                    self.judge(book, switchover)?;
                }
            }
        }
        Ok(())
    }
}
