//! What happens to the three nodes all day: planes flap, people switch, reconfigure, freeze, drain, answer asks,
//! acknowledge alarms and make tokens; gateways come and go; a node is restarted now and then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use biplane::kernel::controller::{
    Action, ConfigRequest, GatewayReport, Input, Response, SwitchKind, SwitchRequest,
};
use biplane::kernel::domain::{
    AccessRole, GatewayName, GroupName, Incarnation, Moment, PlaneName, PrincipalName, WallTime,
};
use biplane::kernel::ledger::TokenChange;

use super::super::cluster::{NODES, PLANES};
use super::trio::Trio;

/// Ports of the three racks of endpoints on each plane, by group in turn.
pub(super) const RACKS: u16 = 3;
/// Gateways at once.
const GATEWAYS: u64 = 4;
/// A gateway lives so many seconds.
const GATEWAY_LIFE: u64 = 600;
/// Seconds between two restarts of a node, and how long it is down.
const RESTART_EVERY: u64 = 3 * 3600;
const DOWN_FOR: u64 = 20;
/// A beat of the workload.
const BEAT: Duration = Duration::from_millis(100);

/// What a request was for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Switch,
    Configure,
    Other,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) switches: u64,
    pub(super) configurations: u64,
    pub(super) others: u64,
    pub(super) refused: u64,
    pub(super) unknown: u64,
    pub(super) most_asks: usize,
    pub(super) most_alarms: usize,
}

impl Done {
    /// Configuration changes and switchovers that people asked for and that stand.
    pub(super) const fn changes(&self) -> u64 {
        self.switches + self.configurations
    }
}

/// The workload.
pub(super) struct Life {
    configs: Vec<Arc<ConfigRequest>>,
    groups: Vec<GroupName>,
    first_port: u16,
    kinds: BTreeMap<u64, Kind>,
    asked: u64,
    began: Moment,
    pub(super) done: Done,
}

impl Life {
    pub(super) fn new(
        configs: Vec<Arc<ConfigRequest>>,
        groups: usize,
        first_port: u16,
        now: Moment,
    ) -> Self {
        let group = |group| GroupName::new(&format!("g{group}")).expect("a good name");
        Self {
            configs,
            groups: (0..groups).map(group).collect(),
            first_port,
            kinds: BTreeMap::new(),
            asked: 0,
            began: now,
            done: Done::default(),
        }
    }

    /// Lives for a while; in the end so many changes stand.
    pub(super) fn live(&mut self, trio: &mut Trio, span: Duration, changes: u64) {
        let (from, had) = (trio.now, self.done.changes());
        while trio.now < from + span {
            trio.run_until(trio.now + BEAT);
            self.hear(trio);
            let elapsed = trio.now.since(from).as_millis().min(span.as_millis());
            let due =
                had + u64::try_from(u128::from(changes) * elapsed / span.as_millis()).unwrap();
            let under_way = self.kinds.values().filter(|kind| **kind != Kind::Other).count();
            let missing = due.saturating_sub(self.done.changes() + under_way as u64).min(4);
            (0..missing).for_each(|_| self.change(trio));
            let beats = trio.now.since(self.began).as_millis() / BEAT.as_millis();
            if beats.is_multiple_of(10) {
                self.second(trio, u64::try_from(beats / 10).expect("a day or so"));
            }
        }
    }

    fn hear(&mut self, trio: &mut Trio) {
        for (number, response) in std::mem::take(&mut trio.answers) {
            let Some(kind) = self.kinds.remove(&number) else { continue };
            match response {
                Response::Accepted { .. } => self.done.switches += 1,
                Response::Configured { changed: true, .. } => self.done.configurations += 1,
                Response::Refused(_) => self.done.refused += 1,
                Response::Unknown { .. } => self.done.unknown += 1,
                _ if kind == Kind::Other => self.done.others += 1,
                _ => {}
            }
        }
        // What was asked of a node that died is never answered.
        if trio.waiting() == 0 {
            self.kinds.clear();
        }
    }

    fn ask(&mut self, trio: &mut Trio, kind: Kind, action: Action) {
        self.asked += 1;
        self.kinds.insert(self.asked, kind);
        let living = |node: &usize| trio.nodes[*node].lives();
        let start = usize::try_from(self.asked).expect("small") % NODES.len();
        let node = (start..start + NODES.len()).map(|node| node % NODES.len()).find(living);
        trio.ask(node.expect("two nodes live"), self.asked, action);
    }

    /// A switch and another configuration in turn.
    fn change(&mut self, trio: &mut Trio) {
        let turn = usize::try_from(self.asked / 2).expect("small");
        if self.done.switches > self.done.configurations {
            let config = Arc::clone(&self.configs[turn % self.configs.len()]);
            return self.ask(trio, Kind::Configure, Action::Configure(config));
        }
        let switch = SwitchRequest {
            group: self.groups[turn % self.groups.len()].clone(),
            to: None,
            kind: if turn.is_multiple_of(5) { SwitchKind::Forced } else { SwitchKind::Planned },
            epoch: None,
            dry_run: false,
            reason: format!("the {turn}th move of the day"),
            idempotency_key: turn.is_multiple_of(2).then(|| format!("key-{turn}")),
        };
        self.ask(trio, Kind::Switch, Action::Switch(switch));
    }

    /// Everything else has its second of the day.
    fn second(&mut self, trio: &mut Trio, second: u64) {
        self.flap(trio, second);
        self.gateways(trio, second);
        self.restart(trio, second);
        for node in 0..NODES.len() {
            trio.tell_the_time(node);
            if second.is_multiple_of(60) {
                let from = format!("192.0.2.{}", second / 60 % 200);
                trio.put(node, BEAT / 2, Input::LoginsFailed { count: 3, from });
            }
        }
        if second % 15 == 7 {
            self.answer(trio, second);
        }
        match second % 420 {
            100 => self.freeze(trio, true),
            130 => self.freeze(trio, false),
            300 | 320 => self.drain(trio, second % 420 == 300, second / 420),
            _ => {}
        }
        if second % 20 == 3 {
            self.token(trio, second / 20);
        }
        if second.is_multiple_of(60) {
            trio.look_at_sizes();
        }
    }

    /// Racks die and come back, each in its own rhythm, on either plane in turn: (period, dead for so long).
    fn flap(&self, trio: &mut Trio, second: u64) {
        for (rack, (period, dead)) in (0..RACKS).zip([(240, 60), (900, 150), (45, 12)]) {
            let plane = usize::from(second / period % 2 == 1);
            let port = self.first_port + rack;
            trio.dead.retain(|(_, there)| *there != port);
            // The third rests for half an hour after each half hour: what is unstable calms down.
            let rests = rack == 2 && second / 1800 % 2 == 1;
            if second % period >= period - dead && !rests {
                trio.dead.insert((plane, port));
            }
        }
    }

    /// Each lives for a while under its name; every second one says farewell.
    fn gateways(&self, trio: &mut Trio, second: u64) {
        let Some(view) = trio.view() else { return };
        for place in 0..GATEWAYS {
            let shifted = second + place * GATEWAY_LIFE / GATEWAYS;
            let (number, age) = (shifted / GATEWAY_LIFE, shifted % GATEWAY_LIFE);
            let silent = age + 30 > GATEWAY_LIFE && number.is_multiple_of(2);
            if silent {
                continue;
            }
            let leaves = age + 1 == GATEWAY_LIFE;
            let epochs = view.routes.iter().map(|(group, route)| (group.clone(), route.epoch));
            let report = GatewayReport {
                gateway: GatewayName::new(&format!("edge-{place}-{number}")).expect("a good name"),
                incarnation: Incarnation(number + 1),
                groups: if leaves { BTreeMap::new() } else { epochs.collect() },
                connections_failed: age,
            };
            for node in 0..NODES.len() {
                trio.put(node, BEAT / 4, Input::Gateway(report.clone()));
            }
        }
    }

    fn restart(&self, trio: &mut Trio, second: u64) {
        let turn = second % RESTART_EVERY;
        let node = usize::try_from(second / RESTART_EVERY).expect("small") % NODES.len();
        if second > DOWN_FOR && turn == RESTART_EVERY / 2 {
            trio.kill(node);
        } else if turn == RESTART_EVERY / 2 + DOWN_FOR && !trio.nodes[node].lives() {
            trio.start(node);
        }
    }

    /// Somebody looks at what waits.
    fn answer(&mut self, trio: &mut Trio, second: u64) {
        let Some(view) = trio.view() else { return };
        let asks = view.asks();
        let open: Vec<_> = asks.iter().filter(|ask| ask.state == "open").collect();
        self.done.most_asks = self.done.most_asks.max(asks.len());
        self.done.most_alarms = self.done.most_alarms.max(view.alarms().len());
        if let Some(ask) = open.first() {
            let approve = second.is_multiple_of(2);
            let reason = "somebody looked".to_owned();
            self.ask(trio, Kind::Other, Action::Answer { ask: ask.id, approve, reason });
        }
        let alarms = view.alarms();
        if let Some(alarm) = alarms.iter().find(|alarm| alarm.acknowledged.is_none()) {
            let reason = "seen".to_owned();
            self.ask(trio, Kind::Other, Action::Acknowledge { alarm: alarm.id, reason });
        }
    }

    fn freeze(&mut self, trio: &mut Trio, on: bool) {
        let groups = self.groups.iter().take(6).cloned().collect();
        let (reason, for_ms) = ("a busy hour".to_owned(), on.then_some(120_000));
        self.ask(trio, Kind::Other, Action::Freeze { groups, on, reason, for_ms, abort: false });
    }

    fn drain(&mut self, trio: &mut Trio, on: bool, turn: u64) {
        let name = PLANES[usize::from(turn % 2 == 1)];
        let plane = PlaneName::new(name).expect("a good name");
        let reason = "work on the racks".to_owned();
        self.ask(trio, Kind::Other, Action::Drain { plane, on, reason, for_ms: None });
    }

    /// Made, and revoked with the next turn.
    fn token(&mut self, trio: &mut Trio, turn: u64) {
        let name = PrincipalName::new(&format!("robot-{}", turn / 2)).expect("a good name");
        let change = if turn.is_multiple_of(2) {
            TokenChange::Create {
                role: AccessRole::Operator,
                groups: self.groups.iter().take(2).cloned().collect(),
                hash: format!("{turn:064x}"),
                expires: Some(WallTime(trio.wall() + 3_600_000)),
            }
        } else {
            TokenChange::Revoke {}
        };
        self.ask(trio, Kind::Other, Action::Token { name, change });
    }
}
