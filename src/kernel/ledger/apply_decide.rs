//! Decisions and the steps of switchovers, at apply: where every node ratifies what the leader proposed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::apply_admin::because;
use super::apply_ask::AskState;
use super::command::Move;
use super::events::EventKind;
use super::facts::Evidence;
use super::judged::GUARDS_SINCE;
use super::limits;
use super::outcome::{Applied, RefusalReason, Refused};
use super::state::{Entry, Ledger};
use crate::kernel::domain::{
    Epoch, GroupName, MemberId, PlaneName, QuestionId, Route, ServiceName, StatePair, SwitchoverId,
};
use crate::kernel::mutants::{self, Mutant};
use crate::kernel::policy::{Hold, Mode, holds};
use crate::kernel::switchover::{Event, Kind, State, Switchover};

/// Since this ruleset automatic switchovers are remembered whatever the budget is.
const ALL_TIMES_SINCE: u32 = 3;

impl Ledger {
    pub(super) fn decide(&mut self, entry: &mut Entry, question: QuestionId, moves: Vec<Move>) {
        #[cfg(feature = "mutants")]
        let moves = self.in_own_order(moves);
        for moved in moves {
            let group = moved.group.clone();
            match self.ratify(question, &moved) {
                Ok(switchover) => {
                    let automatic = switchover.kind == Kind::Automatic;
                    let id = self.begin(entry, switchover);
                    if automatic {
                        self.note_automatic(&group);
                    }
                    entry.applied.push(Applied::Switchover(id));
                }
                Err(reason) => {
                    entry.applied.push(Applied::Refused(Refused::Move(group), reason));
                }
            }
        }
    }

    /// Counts an automatic switchover. Its time is kept whatever the budget is: a later configuration may count more of them.
    fn note_automatic(&mut self, group: &GroupName) {
        let all = self.ruleset() >= ALL_TIMES_SINCE;
        let budget = self.config.as_ref().and_then(|c| c.groups.get(group)?.policy.budget);
        let keep =
            budget.map_or(0, |budget| usize::try_from(budget.switches).unwrap_or(usize::MAX));
        if let Some(state) = Arc::make_mut(&mut self.groups).get_mut(group) {
            state.automatic.push(self.time);
            let most = limits::AUTOMATIC_TIMES_KEPT;
            let keep = if all { most } else { keep.clamp(1, most) };
            let excess = state.automatic.len().saturating_sub(keep);
            state.automatic.drain(..excess);
        }
    }

    /// The hard guards, from replicated state alone.
    fn ratify(&self, question: QuestionId, moved: &Move) -> Result<Switchover, RefusalReason> {
        let route = self
            .routes
            .get(&moved.group)
            .ok_or_else(|| RefusalReason::NoSuchGroup(moved.group.clone()))?;
        self.check_base(moved)?;
        self.check_question(question, &moved.group)?;
        let facts = self
            .facts(&moved.group, Evidence::Ballots(question))
            .ok_or_else(|| RefusalReason::NoSuchGroup(moved.group.clone()))?;
        if moved.to != facts.target_name {
            return Err(RefusalReason::AlreadyThere(moved.to.clone()));
        }
        let holds = holds(&facts);
        if !holds.is_empty() {
            return Err(RefusalReason::Held(holds));
        }
        let cause = format!("{} on {}", facts.source.words(), route.plane);
        let (kind, by) = self.who_stands_for(&moved.group);
        Ok(Switchover {
            question: Some(question),
            ballots: self.ballots_about(question, &moved.group),
            ..self.planned(moved, route, kind, by, cause)
        })
    }

    /// The quorum, or the person who approved of what the quorum saw.
    fn who_stands_for(&self, group: &GroupName) -> (Kind, String) {
        let ask = self.groups.get(group).and_then(|state| self.asks.get(&state.ask?));
        let asks = |config: &Arc<super::Cluster>| {
            config.groups.get(group).is_some_and(|settings| settings.policy.mode == Mode::Ask)
        };
        match ask.map(|ask| &ask.state) {
            Some(AskState::Approved { done, .. }) if self.config.as_ref().is_some_and(asks) => {
                (Kind::Approved, done.by.clone())
            }
            _ => (Kind::Automatic, "quorum".to_owned()),
        }
    }

    pub(super) fn check_base(&self, moved: &Move) -> Result<(), RefusalReason> {
        match self.routes.get(&moved.group) {
            None => Err(RefusalReason::NoSuchGroup(moved.group.clone())),
            Some(route) if route.epoch != moved.base => {
                Err(RefusalReason::StaleEpoch { base: moved.base, current: route.epoch })
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn check_question(
        &self,
        id: QuestionId,
        group: &GroupName,
    ) -> Result<(), RefusalReason> {
        self.questions
            .get(&id)
            .filter(|q| q.open && q.config == self.config_version && q.groups.contains(group))
            .map(|_| ())
            .ok_or(RefusalReason::QuestionClosed(id))
    }

    /// A switchover with nothing done yet.
    pub(super) fn planned(
        &self,
        moved: &Move,
        route: &Route,
        kind: Kind,
        by: String,
        cause: String,
    ) -> Switchover {
        Switchover {
            id: SwitchoverId { index: self.index, nth: 0 },
            group: moved.group.clone(),
            from: route.plane.clone(),
            to: moved.to.clone(),
            kind,
            state: State::Planned,
            base: moved.base,
            epoch: None,
            by,
            cause,
            question: None,
            ballots: BTreeMap::new(),
            guards: None,
            skipped: Vec::new(),
            steps: Vec::new(),
            converging: Vec::new(),
            outcome: String::new(),
        }
    }

    /// Puts a switchover into the ledger; what gave way to it is overtaken.
    pub(super) fn begin(&mut self, entry: &mut Entry, mut switchover: Switchover) -> SwitchoverId {
        let id = SwitchoverId { index: entry.index, nth: entry.decided };
        entry.decided += 1;
        switchover.id = id;
        if self.ruleset() >= GUARDS_SINCE {
            // Before it is the group's last one, and before it counts against the budget.
            let evidence = switchover.question.map_or(Evidence::Reports, Evidence::Ballots);
            switchover.guards = self.guards(&switchover.group, evidence).map(Arc::new);
        }
        let asked = switchover.question.and_then(|question| self.questions.get(&question));
        if let Some(asked) = asked {
            switchover.note("detected", asked.asked_at, asked.asked_wall, entry.term);
        }
        switchover.note("decided", self.time, self.wall, entry.term);
        switchover
            .advance(Event::Precheck, self.time, self.wall, entry.term)
            .expect("a planned switchover takes `precheck`: it stands in the table");
        let last = self.groups.get(&switchover.group).and_then(|state| state.switchover);
        let (now, wall) = (self.time, self.wall);
        let switchovers = Arc::make_mut(&mut self.switchovers);
        if let Some(old) = last.and_then(|last| switchovers.get_mut(&last))
            && old.state.next(Event::Overtake).is_ok()
        {
            let old = Arc::make_mut(old);
            old.advance(Event::Overtake, now, wall, entry.term)
                .expect("the table was asked just above");
            old.outcome = format!("overtaken by {id}");
            let (old, of) = (old.id, old.group.clone());
            entry.applied.push(Applied::Switchover(old));
            let text = format!("{old} overtaken by {id}");
            self.tell(entry, EventKind::Switchover, Some(of), text);
        }
        let groups = Arc::make_mut(&mut self.groups);
        if let Some(state) = groups.get_mut(&switchover.group) {
            state.switchover = Some(id);
        }
        let Switchover { group, from, to, kind, cause, by, .. } = &switchover;
        let text =
            format!("{id} begun: {group} from {from} to {to}, {kind}, by {by}{}", because(cause));
        let group = group.clone();
        Arc::make_mut(&mut self.switchovers).insert(id, Arc::new(switchover));
        self.tell(entry, EventKind::Switchover, Some(group.clone()), text);
        self.ask_is_moot(entry, &group, id);
        id
    }

    fn ballots_about(
        &self,
        question: QuestionId,
        group: &GroupName,
    ) -> BTreeMap<MemberId, BTreeMap<ServiceName, StatePair>> {
        let services = self
            .config
            .as_ref()
            .and_then(|config| config.groups.get(group))
            .map_or(&[][..], |group| &group.services);
        let Some(question) = self.questions.get(&question) else { return BTreeMap::new() };
        let about = |states: &BTreeMap<ServiceName, StatePair>| {
            let pair = |service: &ServiceName| states.get(service).map(|p| (service.clone(), *p));
            services.iter().filter_map(pair).collect()
        };
        question
            .ballots
            .iter()
            .filter(|(_, ballot)| !ballot.isolated)
            .map(|(member, ballot)| (*member, about(&ballot.states)))
            .collect()
    }

    pub(super) fn advance(
        &mut self,
        entry: &mut Entry,
        id: SwitchoverId,
        event: Event,
        question: Option<QuestionId>,
        converging: Vec<String>,
        note: String,
    ) {
        match self.step(entry, id, event, question) {
            Ok(()) => {
                let switchovers = Arc::make_mut(&mut self.switchovers);
                if let Some(switchover) = switchovers.get_mut(&id).map(Arc::make_mut) {
                    if !converging.is_empty() || event == Event::Verified {
                        switchover.converging = converging;
                    }
                    if !note.is_empty() {
                        switchover.outcome = note;
                    }
                }
                entry.applied.push(Applied::Switchover(id));
                self.tell_step(entry, id);
            }
            Err(reason) => {
                entry.applied.push(Applied::Refused(Refused::Step(id, event), reason));
            }
        }
    }

    /// What a switchover's step means to those who follow: that it turned back, or ended.
    fn tell_step(&mut self, entry: &mut Entry, id: SwitchoverId) {
        let Some(switchover) = self.switchovers.get(&id) else { return };
        let Switchover { state, group, outcome, .. } = switchover.as_ref();
        if *state != State::Undoing && !state.ended() {
            return;
        }
        let text = format!("{id} {state}{}", because(outcome));
        let group = group.clone();
        self.tell(entry, EventKind::Switchover, Some(group), text);
    }

    fn step(
        &mut self,
        entry: &mut Entry,
        id: SwitchoverId,
        event: Event,
        question: Option<QuestionId>,
    ) -> Result<(), RefusalReason> {
        let switchover =
            self.switchovers.get(&id).cloned().ok_or(RefusalReason::NoSuchSwitchover(id))?;
        let state = switchover.state;
        state.next(event).map_err(|_| RefusalReason::NotNow(state))?;
        match event {
            Event::Route => {
                self.check_route(&switchover, question)?;
                let ballots = question.map(|q| self.ballots_about(q, &switchover.group));
                let epoch =
                    self.route_to(entry, &switchover.group, &switchover.to, switchover.kind);
                self.change(id, |s| {
                    s.epoch = Some(epoch);
                    s.question = question.or(s.question);
                    if let Some(ballots) = ballots {
                        s.ballots = ballots;
                    }
                });
            }
            Event::Undo => {
                self.check_way_back(&switchover)?;
                self.route_to(entry, &switchover.group, &switchover.from, Kind::Planned);
            }
            Event::Precheck
            | Event::Abandon
            | Event::Verify
            | Event::Verified
            | Event::Strand
            | Event::UndoRouted
            | Event::Overtake => {}
        }
        let (now, wall, term) = (self.time, self.wall, entry.term);
        self.change(id, |s| {
            s.advance(event, now, wall, term).expect("the table was asked at the top");
        });
        Ok(())
    }

    /// A new leader found these under way: a route that its predecessor logged may have been committed late.
    pub(super) fn mark_change_of_leader(&mut self, term: u64) {
        let (now, wall) = (self.time, self.wall);
        let live: Vec<SwitchoverId> = self
            .switchovers
            .values()
            .filter(|s| !s.state.ended() && s.steps.len() < limits::STEPS_BEFORE_MARKS)
            .map(|s| s.id)
            .collect();
        for id in live {
            self.change(id, |s| s.note("leader-changed", now, wall, term));
        }
    }

    fn change(&mut self, id: SwitchoverId, how: impl FnOnce(&mut Switchover)) {
        let switchovers = Arc::make_mut(&mut self.switchovers);
        if let Some(switchover) = switchovers.get_mut(&id) {
            how(Arc::make_mut(switchover));
        }
    }

    /// Whether the route may change now: the base is current and, unless forced, the ballots suffice.
    fn check_route(
        &self,
        switchover: &Switchover,
        question: Option<QuestionId>,
    ) -> Result<(), RefusalReason> {
        let Switchover { group, to, base, kind, .. } = switchover;
        self.check_base(&Move { group: group.clone(), to: to.clone(), base: *base })?;
        if *kind == Kind::Forced {
            return Ok(());
        }
        let none = QuestionId { term: 0, index: 0 };
        let question = question.ok_or(RefusalReason::QuestionClosed(none))?;
        self.check_question(question, group)?;
        let facts = self
            .facts(group, Evidence::Ballots(question))
            .ok_or_else(|| RefusalReason::NoSuchGroup(group.clone()))?;
        if !facts.target.good() {
            return Err(RefusalReason::TargetNotUp(facts.target.words()));
        }
        let out = facts.source.out(facts.out_when, facts.policy.degraded_is_out);
        if kind.by_ballots() && !out {
            return Err(RefusalReason::Held(vec![Hold::NotEnoughDown]));
        }
        if *kind == Kind::Automatic && !facts.two_sites_voted {
            return Err(RefusalReason::Held(vec![Hold::OneSiteVoted]));
        }
        Ok(())
    }

    /// The way back is open only to a plane whose verdict is `up`, and while nothing newer moved the route.
    fn check_way_back(&self, switchover: &Switchover) -> Result<(), RefusalReason> {
        let current = self.routes.get(&switchover.group).map(|route| route.epoch);
        if current != switchover.epoch {
            let base = switchover.epoch.unwrap_or(switchover.base);
            let current = current.unwrap_or(base);
            return Err(RefusalReason::StaleEpoch { base, current });
        }
        let back = self.config.as_ref().and_then(|config| config.plane_index(&switchover.from));
        let back = back.ok_or_else(|| RefusalReason::NoSuchPlane(switchover.from.clone()))?;
        let sum = self.sum(&switchover.group, back, Evidence::Reports);
        if sum.good() { Ok(()) } else { Err(RefusalReason::TargetNotUp(sum.words())) }
    }

    /// The only place where a route changes: always to a new epoch.
    fn route_to(
        &mut self,
        entry: &mut Entry,
        group: &GroupName,
        plane: &PlaneName,
        kind: Kind,
    ) -> Epoch {
        let first = self.first_epoch();
        let routes = Arc::make_mut(&mut self.routes);
        let mut epoch = routes.get(group).map_or(first, |route| route.epoch.next());
        if mutants::active(Mutant::M24EpochNotRaised) {
            let left =
                |s: &Arc<Switchover>| s.group == *group && s.from == *plane && s.epoch.is_some();
            let known = routes.get(group).filter(|_| self.switchovers.values().any(left));
            epoch = known.map_or(epoch, |route| route.epoch);
        }
        routes.insert(group.clone(), Route { plane: plane.clone(), epoch });
        let groups = Arc::make_mut(&mut self.groups);
        let state = groups.entry(group.clone()).or_default();
        state.changed_at = Some(self.time);
        state.cut = kind != Kind::Planned;
        entry.routed.insert(group.clone());
        entry.applied.push(Applied::Routed(group.clone()));
        let text = format!("{group} on {plane} since epoch {epoch}");
        self.tell(entry, EventKind::Route, Some(group.clone()), text);
        epoch
    }
}
