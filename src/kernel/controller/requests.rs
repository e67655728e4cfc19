//! Clients' requests: read, or become a command that is sent to the leader until it is settled. A request whose
//! command may have been logged is never answered "failed": it is *unknown*, with the URL that settles it.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use serde::{Deserialize, Serialize};

use super::configure::resend_after;
use super::{
    Action, ClientRequest, Controller, Output, Plan, Refusal, RefusalKind, RequestId, Response,
    SwitchKind, SwitchRequest, View, limits,
};
use crate::kernel::domain::{Moment, QuestionId, pairs};
use crate::kernel::ledger::{
    ALARMS_SINCE, Command, Evidence, Move, Outcome, RefusalReason, RequestKey, SwitchCommand,
    TOKENS_SINCE,
};
use crate::kernel::policy::WhenBothDown;
use crate::kernel::switchover::{FORCED_STEPS, Kind, PLANNED_STEPS};

/// One request under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    principal: String,
    action: Action,
    deadline: Moment,
    /// Once it has become a command: its key, the command, and when to send it again.
    sent: Option<(RequestKey, Command, Moment)>,
    /// Whether it ever left this node's hands: from then on its outcome is unknown until settled.
    risked: bool,
}

/// All of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Requests {
    counter: u64,
    pending: BTreeMap<RequestId, Pending>,
    #[serde(with = "pairs")]
    by_key: BTreeMap<RequestKey, RequestId>,
}

impl Requests {
    /// How many requests there are, and how many of their keys.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.pending.len(), self.by_key.len())
    }

    /// Whether a client still waits for an answer.
    pub(super) fn waits(&self, id: RequestId) -> bool {
        self.pending.contains_key(&id)
    }

    pub(super) fn next_due(&self) -> Moment {
        let due = |pending: &Pending| {
            pending.sent.as_ref().map_or(pending.deadline, |(_, _, at)| (*at).min(pending.deadline))
        };
        self.pending.values().map(due).min().unwrap_or(Moment::NEVER)
    }
}

impl Controller {
    pub(super) fn on_request(&mut self, request: ClientRequest) {
        let ClientRequest { id, principal, action } = request;
        if action == Action::Look {
            let view = Arc::new(self.make_view(Some(Arc::new(self.prober.clone()))));
            return self.reply(id, Response::Read(view));
        }
        if let Some(why) = self.why_apart() {
            let next =
                "ask another node; what is to be done here stands above and in this node's log"
                    .to_owned();
            return self.refuse(id, RefusalKind::Unavailable, why, next);
        }
        if self.requests.pending.len() >= limits::REQUESTS {
            let why = format!("{} requests are under way already", limits::REQUESTS);
            return self.refuse(id, RefusalKind::Unavailable, why, "try again soon".to_owned());
        }
        if let Err(refusal) = self.all_know(needs(&action)) {
            return self.reply(id, Response::Refused(refusal));
        }
        let deadline = self.now + self.timing().request_timeout;
        let direct = match &action {
            Action::Look
            | Action::Read
            | Action::Explain(_)
            | Action::Switch(_)
            | Action::Configure(_) => None,
            Action::Token { name, change } => {
                let key = self.next_key();
                let (by, name, change) = (principal.clone(), name.clone(), change.clone());
                Some((key, Command::Token { request: key, by, name, change }))
            }
            Action::Freeze { groups, on, reason, for_ms, abort } => {
                let key = self.next_key();
                let groups = groups.iter().cloned().collect();
                let (by, on, reason) = (principal.clone(), *on, reason.clone());
                let (for_ms, abort) = (*for_ms, *abort);
                let freeze =
                    Command::Freeze { request: key, by, groups, on, reason, for_ms, abort };
                Some((key, freeze))
            }
            Action::Drain { plane, on, reason, for_ms } => {
                let key = self.next_key();
                let (by, plane) = (principal.clone(), plane.clone());
                let (on, reason, for_ms) = (*on, reason.clone(), *for_ms);
                Some((key, Command::Drain { request: key, by, plane, on, reason, for_ms }))
            }
            Action::Answer { ask, approve, reason } => {
                let key = self.next_key();
                let (by, ask) = (principal.clone(), *ask);
                let (approve, reason) = (*approve, reason.clone());
                Some((key, Command::Answer { request: key, by, ask, approve, reason }))
            }
            Action::Acknowledge { alarm, reason } => {
                let key = self.next_key();
                let (by, alarm, reason) = (principal.clone(), *alarm, reason.clone());
                Some((key, Command::Acknowledge { request: key, by, alarm, reason }))
            }
        };
        let pending = Pending { principal, action, deadline, sent: None, risked: false };
        self.requests.pending.insert(id, pending);
        match direct {
            Some((key, command)) => self.submit(id, key, command),
            None => self.read_soon(id),
        }
    }

    pub(super) const fn next_key(&mut self) -> RequestKey {
        self.requests.counter += 1;
        RequestKey {
            member: self.me,
            incarnation: self.incarnation,
            counter: self.requests.counter,
        }
    }

    pub(super) fn submit(&mut self, id: RequestId, key: RequestKey, command: Command) {
        let sent = self.submit_to_leader(vec![command.clone()]);
        let again = self.now + resend_after(&command);
        if let Some(pending) = self.requests.pending.get_mut(&id) {
            pending.risked |= sent;
            pending.sent = Some((key, command, again));
            self.requests.by_key.insert(key, id);
        }
    }

    /// The state is as fresh as these requests demand: answer the reads, make commands of the rest.
    pub(super) fn answer_reads(&mut self, ids: &[RequestId]) {
        let mut view: Option<Arc<View>> = None;
        for id in ids {
            let Some(pending) = self.requests.pending.get(id) else { continue };
            match pending.action.clone() {
                Action::Read => {
                    let view = view.get_or_insert_with(|| {
                        Arc::new(self.make_view(Some(Arc::new(self.prober.clone()))))
                    });
                    let response = Response::Read(Arc::clone(view));
                    self.reply(*id, response);
                }
                Action::Explain(group) => self.begin_explain(*id, &group),
                Action::Switch(switch) => self.begin_switch(*id, &switch),
                Action::Configure(wish) => {
                    let by = pending.principal.clone();
                    self.begin_configure(*id, by, &wish);
                }
                Action::Look
                | Action::Answer { .. }
                | Action::Acknowledge { .. }
                | Action::Token { .. }
                | Action::Freeze { .. }
                | Action::Drain { .. } => {}
            }
        }
    }

    fn begin_switch(&mut self, id: RequestId, switch: &SwitchRequest) {
        let by = match self.requests.pending.get(&id) {
            Some(pending) => pending.principal.clone(),
            None => return,
        };
        let kind = match switch.kind {
            SwitchKind::Planned => Kind::Planned,
            SwitchKind::Forced => Kind::Forced,
        };
        let (Some(config), Some(route)) =
            (self.ledger.config(), self.ledger.routes().get(&switch.group))
        else {
            let reason = RefusalReason::NoSuchGroup(switch.group.clone());
            return self.reply(id, Response::Refused(refusal(&reason)));
        };
        let to = switch.to.clone().or_else(|| config.other_plane(&route.plane).cloned());
        let Some(to) = to else {
            let reason = RefusalReason::NoSuchPlane(route.plane.clone());
            return self.reply(id, Response::Refused(refusal(&reason)));
        };
        let base = switch.epoch.unwrap_or(route.epoch);
        let moved = Move { group: switch.group.clone(), to, base };
        if switch.dry_run {
            let response = self.plan(kind, &moved);
            return self.reply(id, response);
        }
        let key = self.next_key();
        let idempotency =
            switch.idempotency_key.clone().map(|idempotency| (idempotency, body_hash(switch)));
        let command = Command::Switch(SwitchCommand {
            request: key,
            by,
            kind,
            moved,
            reason: switch.reason.clone(),
            idempotency,
        });
        self.submit(id, key, command);
    }

    /// A dry run: reads, changes nothing.
    fn plan(&self, kind: Kind, moved: &Move) -> Response {
        let mut obstacles = Vec::new();
        let Some(facts) = self.ledger.facts(&moved.group, Evidence::Reports) else {
            return Response::Refused(refusal(&RefusalReason::NoSuchGroup(moved.group.clone())));
        };
        let Some(route) = self.ledger.routes().get(&moved.group) else {
            return Response::Refused(refusal(&RefusalReason::NoSuchGroup(moved.group.clone())));
        };
        if self.ledger.config().and_then(|c| c.plane_index(&moved.to)).is_none() {
            return Response::Refused(refusal(&RefusalReason::NoSuchPlane(moved.to.clone())));
        }
        if moved.base != route.epoch {
            let reason = RefusalReason::StaleEpoch { base: moved.base, current: route.epoch };
            obstacles.push(reason.to_string());
        }
        if route.plane == moved.to {
            obstacles.push(RefusalReason::AlreadyThere(moved.to.clone()).to_string());
        }
        if facts.in_flight {
            obstacles.push("a switchover of this group is under way".to_owned());
        }
        if kind == Kind::Planned {
            if !facts.target.good() {
                let both = facts.policy.when_both_down == WhenBothDown::Refuse;
                let rule = if both { " (when_both_down = \"refuse\")" } else { "" };
                obstacles.push(format!("the target is not up: {}{rule}", facts.target.words()));
            }
            if let Some(why) = facts.target_drained {
                obstacles.push(format!("the target is drained: {why}"));
            }
        }
        let steps = match kind {
            _ if route.plane == moved.to => &[],
            Kind::Forced => FORCED_STEPS,
            Kind::Planned | Kind::Automatic | Kind::Approved => PLANNED_STEPS,
        };
        Response::Plan(Plan {
            group: moved.group.clone(),
            epoch: route.epoch,
            from: route.plane.to_string(),
            to: moved.to.to_string(),
            steps: steps.iter().map(|step| (*step).to_owned()).collect(),
            obstacles,
        })
    }

    /// A request of some node was settled by an applied command.
    pub(super) fn on_settled(&mut self, key: RequestKey, outcome: &Outcome) {
        let Some(id) = self.requests.by_key.get(&key).copied() else { return };
        let response = match outcome {
            Outcome::Switchover(switchover, repeated) => {
                Response::Accepted { switchover: switchover.to_string(), repeated: *repeated }
            }
            Outcome::Configured(version) => {
                Response::Configured { version: *version, changed: true }
            }
            Outcome::Done {} => Response::Done,
            Outcome::Refused(reason) => Response::Refused(refusal(reason)),
        };
        self.reply(id, response);
    }

    /// Sends again what is not settled; ends what ran out of time.
    pub(super) fn serve_requests(&mut self) {
        let now = self.now;
        let again: Vec<(RequestId, Command)> = self
            .requests
            .pending
            .iter()
            .filter_map(|(id, pending)| match &pending.sent {
                Some((_, command, at)) if *at <= now => Some((*id, command.clone())),
                _ => None,
            })
            .collect();
        for (id, command) in again {
            let sent = self.submit_to_leader(vec![command]);
            if let Some(pending) = self.requests.pending.get_mut(&id) {
                pending.risked |= sent;
                if let Some((_, command, at)) = &mut pending.sent {
                    *at = now + resend_after(command);
                }
            }
        }
        self.propose_now();
        let late: Vec<RequestId> = self
            .requests
            .pending
            .iter()
            .filter(|(_, pending)| pending.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.time_out(id);
        }
    }

    fn time_out(&mut self, id: RequestId) {
        self.reads.forget(id);
        let Some(pending) = self.requests.pending.get(&id) else { return };
        if pending.risked {
            let settle = pending.action.settled_by();
            return self.reply(id, Response::Unknown { settle });
        }
        let why = "no quorum: no leader confirmed the request in time; nothing was changed";
        let next = "get a majority of the members running and connected: `biplane status` tells who is lost";
        self.refuse(id, RefusalKind::Unavailable, why.to_owned(), next.to_owned());
    }

    fn refuse(&mut self, id: RequestId, kind: RefusalKind, why: String, next: String) {
        self.reply(id, Response::Refused(Refusal { kind, why, next }));
    }

    pub(super) fn reply(&mut self, id: RequestId, response: Response) {
        if let Some(pending) = self.requests.pending.remove(&id)
            && let Some((key, _, _)) = pending.sent
        {
            self.requests.by_key.remove(&key);
        }
        self.outputs.push_back(Output::Reply { id, response });
    }
}

/// The ruleset that every member must know before this can be logged.
const fn needs(action: &Action) -> u32 {
    match action {
        Action::Token { .. } => TOKENS_SINCE,
        Action::Answer { .. } | Action::Acknowledge { .. } => ALARMS_SINCE,
        Action::Freeze { for_ms, abort, .. } if for_ms.is_some() || *abort => ALARMS_SINCE,
        Action::Drain { for_ms: Some(_), .. } => ALARMS_SINCE,
        _ => 1,
    }
}

impl Action {
    /// The path that tells what became of this request.
    pub fn settled_by(&self) -> String {
        match self {
            Self::Switch(SwitchRequest { group, .. }) => format!("/v1/groups/{group}"),
            Self::Configure(_) => "/v1/config".to_owned(),
            Self::Token { .. } => "/v1/tokens".to_owned(),
            Self::Answer { ask, .. } => format!("/v1/asks/{ask}"),
            Self::Acknowledge { .. } => "/v1/alarms".to_owned(),
            Self::Look
            | Self::Read
            | Self::Explain(_)
            | Self::Freeze { .. }
            | Self::Drain { .. } => "/v1/status".to_owned(),
        }
    }
}

/// What makes two requests the same: everything that is asked for.
fn body_hash(switch: &SwitchRequest) -> String {
    // The epoch is what the request is based on, not what it asks: who repeats it may have read another meanwhile.
    let SwitchRequest { group, to, kind, epoch: _, reason, dry_run: _, idempotency_key: _ } =
        switch;
    let body =
        serde_json::to_vec(&(group, to, kind, reason)).expect("names and words are all JSON");
    let hash = Sha256::digest(body);
    hash.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A refusal of the ledger, for the API: what to do next.
pub(super) fn refusal(reason: &RefusalReason) -> Refusal {
    let (kind, next) = match reason {
        RefusalReason::NoSuchGroup(_)
        | RefusalReason::NoSuchPlane(_)
        | RefusalReason::NoSuchSwitchover(_) => {
            (RefusalKind::NotFound, "`biplane status` lists groups and planes")
        }
        RefusalReason::StaleEpoch { .. } => {
            (RefusalKind::StaleEpoch, "read the group again and decide anew")
        }
        RefusalReason::StaleConfiguration { .. } => (
            RefusalKind::StaleConfiguration,
            "`biplane config show` is what is in force: change that",
        ),
        RefusalReason::Fixed(_) => {
            (RefusalKind::Unprocessable, "leave it as `biplane config show` has it")
        }
        RefusalReason::Busy(..) => (
            RefusalKind::Conflict,
            "apply again when it has ended: `biplane explain last` shows it",
        ),
        RefusalReason::WouldMove { .. } => (
            RefusalKind::Conflict,
            "a configuration moves nobody: give a new group the plane as its `home`, or switch first",
        ),
        RefusalReason::NameTaken(_) => {
            (RefusalKind::Conflict, "choose another name: what a name did is in the log for ever")
        }
        RefusalReason::TooManyTokens => {
            (RefusalKind::Conflict, "give programs of one kind one token, and people certificates")
        }
        RefusalReason::NoSuchAsk(_) => (RefusalKind::NotFound, "`biplane pending` lists them"),
        RefusalReason::AskAnswered(..) => {
            (RefusalKind::Conflict, "`biplane pending` lists what waits for an answer")
        }
        RefusalReason::NoSuchAlarm(_) => {
            (RefusalKind::NotFound, "it may be over: `biplane alarms` lists what stands")
        }
        RefusalReason::NeedsRuleset(_) => {
            (RefusalKind::Conflict, "bring every member to this version and see that it runs")
        }
        RefusalReason::NoScope => {
            (RefusalKind::Unprocessable, "leave the groups out, or make it an operator")
        }
        RefusalReason::Oneself => {
            (RefusalKind::Conflict, "let another admin do it, so that one is left")
        }
        RefusalReason::AlreadyThere(_) => (RefusalKind::Conflict, "nothing needs to be done"),
        RefusalReason::KeyReused(_) => (
            RefusalKind::Unprocessable,
            "use a new key for a new request (Idempotency-Key, or --key on the command line)",
        ),
        RefusalReason::NotConfigured => {
            (RefusalKind::Unavailable, "wait for the first leader: see `biplane status`")
        }
        RefusalReason::Held(_)
        | RefusalReason::TargetNotUp(_)
        | RefusalReason::NotNow(_)
        | RefusalReason::QuestionClosed(QuestionId { .. })
        | RefusalReason::AlreadyConfigured
        | RefusalReason::OtherConfiguration(_)
        | RefusalReason::OldNews(_)
        | RefusalReason::Unknown(_) => {
            (RefusalKind::Conflict, "see `biplane explain GROUP` for what would have to be true")
        }
    };
    Refusal { kind, why: reason.to_string(), next: next.to_owned() }
}

impl Controller {
    /// Commands of clients came after the leader's part of the turn: log them in the same turn.
    fn propose_now(&mut self) {
        if self.leads() {
            self.propose();
        }
    }

    /// The ledger came as a snapshot: requests may have been settled in what was skipped.
    pub(super) fn settle_from_ledger(&mut self) {
        let keys: Vec<RequestKey> = self.requests.by_key.keys().copied().collect();
        for key in keys {
            if let Some(outcome) = self.ledger.outcome(&key).cloned() {
                self.on_settled(key, &outcome);
            }
        }
    }
}
