//! Questions and ballots, at apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::outcome::{Applied, RefusalReason, Refused};
use super::state::{Entry, Ledger, Question};
use crate::kernel::domain::{GroupName, Incarnation, MemberId, QuestionId, ServiceName, StatePair};

impl Ledger {
    pub(super) fn ask(
        &mut self,
        entry: &mut Entry,
        groups: BTreeSet<GroupName>,
        config: u64,
        why: String,
    ) {
        let Some(cluster) = self.config.clone() else { return };
        if config != self.config_version {
            let reason = RefusalReason::OtherConfiguration(config);
            return entry.applied.push(Applied::Refused(Refused::Question, reason));
        }
        let groups: BTreeSet<GroupName> = groups
            .into_iter()
            .filter(|group| self.groups.get(group).is_some_and(|state| state.question.is_none()))
            .collect();
        if groups.is_empty() {
            return;
        }
        let id = QuestionId { term: entry.term, index: entry.index };
        // Two questions in one entry are one question: ballots name the entry.
        if let Some(question) = self.questions.get_mut(&id) {
            Arc::make_mut(&mut question.groups).extend(groups.iter().cloned());
        } else {
            let until = self.time + cluster.timing.question_window;
            let question = Question {
                groups: Arc::new(groups.clone()),
                config,
                asked_at: self.time,
                asked_wall: self.wall,
                until,
                why,
                open: true,
                ballots: BTreeMap::new(),
            };
            self.questions.insert(id, question);
            entry.applied.push(Applied::Asked(id));
        }
        let states = Arc::make_mut(&mut self.groups);
        for group in &groups {
            if let Some(state) = states.get_mut(group) {
                state.question = Some(id);
            }
        }
    }

    pub(super) fn vote(
        &mut self,
        entry: &mut Entry,
        id: QuestionId,
        observer: MemberId,
        word: (Incarnation, u64),
        isolated: bool,
        states: BTreeMap<ServiceName, StatePair>,
    ) {
        let member = self.config.as_ref().is_some_and(|c| c.is_observer(observer));
        if !member || !self.is_news(observer, word) {
            let reason = RefusalReason::OldNews(observer);
            return entry.applied.push(Applied::Refused(Refused::Ballot, reason));
        }
        let state = self.observers.entry(observer).or_default();
        let new_process = state.incarnation < word.0;
        if new_process {
            // What an earlier process reported is not this one's word.
            state.states = Arc::new(BTreeMap::new());
        }
        state.incarnation = word.0;
        state.seq = word.1;
        if std::mem::replace(&mut state.lost, false) {
            self.tell_observer(entry, observer, "is heard again");
        }
        let Some(question) = self.questions.get_mut(&id).filter(|question| question.open) else {
            let reason = RefusalReason::QuestionClosed(id);
            return entry.applied.push(Applied::Refused(Refused::Ballot, reason));
        };
        let ballot = Arc::make_mut(question.ballots.entry(observer).or_default());
        if ballot.incarnation < word.0 {
            ballot.states.clear();
        }
        let group_of = &self.group_of;
        let asked = |service: &ServiceName| {
            group_of.get(service).is_some_and(|group| question.groups.contains(group))
        };
        let states: BTreeMap<_, _> = states.into_iter().filter(|(s, _)| asked(s)).collect();
        let mut services: BTreeSet<ServiceName> = states.keys().cloned().collect();
        if ballot.isolated != isolated {
            // All that it said counts from now on, or no longer does.
            services.extend(ballot.states.keys().cloned());
        }
        ballot.incarnation = word.0;
        ballot.seq = word.1;
        ballot.isolated = isolated;
        ballot.states.extend(states);
        entry.applied.push(Applied::Voted(id, services.into_iter().collect()));
    }

    /// Closes the open questions that `which` picks.
    pub(super) fn close_questions(&mut self, entry: &mut Entry, which: impl Fn(&Question) -> bool) {
        let open = self.questions.iter().filter(|(_, question)| question.open && which(question));
        let ids = open.map(|(id, _)| *id).collect();
        self.close_all(entry, ids);
    }

    /// The same by their ids.
    pub(super) fn close_questions_of(
        &mut self,
        entry: &mut Entry,
        which: impl Fn(QuestionId) -> bool,
    ) {
        let open = self.questions.iter().filter(|(id, question)| question.open && which(**id));
        let ids = open.map(|(id, _)| *id).collect();
        self.close_all(entry, ids);
    }

    fn close_all(&mut self, entry: &mut Entry, ids: Vec<QuestionId>) {
        for id in ids {
            let Some(question) = self.questions.get_mut(&id) else { continue };
            question.open = false;
            let states = Arc::make_mut(&mut self.groups);
            for group in question.groups.iter() {
                if let Some(state) = states.get_mut(group)
                    && state.question == Some(id)
                {
                    state.question = None;
                }
            }
            entry.applied.push(Applied::Closed(id, Arc::clone(&question.groups)));
        }
    }
}
