//! Telling others of alarms: the leader hands each notice to each of those who are to be told, in order, until it has a
//! receipt, and logs that. A new leader goes on where the log stands, so a notice may come twice; its id says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Controller, Effect, EffectId, EffectOrder, Level, Output, Receipt, limits};
use crate::kernel::domain::{
    AlarmId, EventId, GroupName, MemberName, Moment, NotifyName, PlaneName, WallTime,
};
use crate::kernel::ledger::{AlarmKind, Cluster, Command, Done, Notice, Notify, Phase};

/// How it goes with one of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Telling {
    /// What is on its way: a notice, or a sign of life.
    under_way: Option<(EffectId, Option<EventId>, Moment)>,
    /// Delivered, and not in the log yet.
    delivered: Option<EventId>,
    /// When it was proposed to be logged.
    logged_at: Option<Moment>,
    /// Not before this.
    not_before: Moment,
    /// Failures in a row, and the last one's words.
    failures: u32,
    why: String,
    /// When the next sign of life is due.
    alive_due: Moment,
}

/// All of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Notifying {
    by_name: BTreeMap<NotifyName, Telling>,
}

impl Notifying {
    /// Those who could not be told several times in a row, and why.
    pub(super) fn failing(&self) -> impl Iterator<Item = (&NotifyName, &str)> {
        let failing = |telling: &&Telling| telling.failures >= limits::NOTIFY_FAILS;
        self.by_name
            .iter()
            .filter(move |(_, telling)| failing(telling))
            .map(|(name, telling)| (name, telling.why.as_str()))
    }

    pub(super) fn next_due(&self) -> Moment {
        let due = |telling: &Telling| match telling.under_way {
            Some((_, _, lost)) => lost,
            None => telling.not_before.min(telling.alive_due),
        };
        self.by_name.values().map(due).min().unwrap_or(Moment::NEVER)
    }

    pub(super) fn clear(&mut self) {
        self.by_name.clear();
    }
}

/// What is sent of a notice. The names of the fields are a contract.
#[derive(Serialize)]
struct Message<'a> {
    /// Who receives it twice knows it by this.
    id: EventId,
    cluster: &'a MemberName,
    /// `raised`, `acknowledged` or `cleared`.
    phase: Phase,
    at: WallTime,
    alarm: AlarmId,
    kind: AlarmKind,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a GroupName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plane: Option<&'a PlaneName>,
    text: &'a str,
    raised_at: WallTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<&'a Done>,
}

/// The sign that the cluster has a leader.
#[derive(Serialize)]
struct Alive<'a> {
    cluster: &'a MemberName,
    phase: &'static str,
    at: WallTime,
    node: String,
    open_alarms: usize,
}

impl Controller {
    /// Hands out what is due.
    pub(super) fn tell_others(&mut self) {
        let Some(config) = self.ledger.config().cloned() else { return };
        if config.notify.is_empty() && self.notifying.by_name.is_empty() {
            return;
        }
        self.notifying.by_name.retain(|name, _| config.notify.contains_key(name));
        for (name, settings) in &config.notify {
            self.notifying.by_name.entry(name.clone()).or_default();
            self.log_delivered(name);
            self.tell_one(&config, name, settings);
        }
    }

    /// A delivery is logged, and logged again until it stands there.
    fn log_delivered(&mut self, name: &NotifyName) {
        let told = self.ledger.alarms_kept().told.get(name).copied();
        let Some(telling) = self.notifying.by_name.get_mut(name) else { return };
        let Some(delivered) = telling.delivered else { return };
        if told.is_some_and(|told| told >= delivered) {
            telling.delivered = None;
            telling.logged_at = None;
            return;
        }
        let waits = telling.logged_at.is_some_and(|at| self.now.since(at) < limits::RESEND);
        if !waits {
            telling.logged_at = Some(self.now);
            let target = name.clone();
            self.leading.push_own(Command::Notified { target, notice: delivered });
        }
    }

    fn tell_one(&mut self, config: &Arc<Cluster>, name: &NotifyName, settings: &Notify) {
        let now = self.now;
        let Some(telling) = self.notifying.by_name.get_mut(name) else { return };
        if telling.under_way.is_some_and(|(_, _, lost)| lost <= now) {
            telling.under_way = None;
        }
        if telling.under_way.is_some() {
            return;
        }
        let notice = self.next_notice(name);
        let Some(telling) = self.notifying.by_name.get_mut(name) else { return };
        let (id, body) = match notice {
            Some(notice) if telling.not_before <= now => {
                (Some(notice.id), message(config, &notice))
            }
            _ => match settings.alive {
                Some(every) if telling.alive_due <= now => {
                    telling.alive_due = now + every;
                    (None, self.alive(config))
                }
                _ => return self.sleep(name, notice.is_some()),
            },
        };
        let effect_id = self.verifying.next_effect();
        let Some(telling) = self.notifying.by_name.get_mut(name) else { return };
        if settings.alive.is_none() {
            telling.alive_due = Moment::NEVER;
        }
        // A receipt that was lost is not waited for without end.
        telling.under_way = Some((effect_id, id, now + settings.timeout * 2));
        let (target, settings) = (name.clone(), settings.clone());
        let timeout = settings.timeout;
        let effect = Effect::Notify { target, settings, id, body };
        self.outputs.push_back(Output::Perform(EffectOrder { id: effect_id, effect, timeout }));
    }

    /// Nothing to tell now: no timer of it is due before there is.
    fn sleep(&mut self, name: &NotifyName, waits: bool) {
        let Some(telling) = self.notifying.by_name.get_mut(name) else { return };
        if !waits {
            telling.not_before =
                if telling.delivered.is_some() { self.now + limits::RESEND } else { Moment::NEVER };
        }
        let alive = self.ledger.config().and_then(|config| config.notify.get(name)?.alive);
        if alive.is_none() {
            telling.alive_due = Moment::NEVER;
        }
    }

    /// The oldest notice that is neither in the log as told nor delivered just now.
    fn next_notice(&self, name: &NotifyName) -> Option<Arc<Notice>> {
        let kept = self.ledger.alarms_kept();
        let told = kept.told.get(name).copied().unwrap_or_default();
        let delivered = self.notifying.by_name.get(name).and_then(|telling| telling.delivered);
        let told = delivered.map_or(told, |delivered| delivered.max(told));
        let at = kept.notices.partition_point(|notice| notice.id <= told);
        kept.notices.get(at).cloned()
    }

    fn alive(&self, config: &Cluster) -> String {
        let node = config.members.get(&self.me).map(|member| member.name.to_string());
        let alive = Alive {
            cluster: &config.name,
            phase: "alive",
            at: self.wall_now(),
            node: node.unwrap_or_else(|| self.me.to_string()),
            open_alarms: self.ledger.alarms_kept().open.len(),
        };
        serde_json::to_string(&alive).expect("names and numbers are all JSON")
    }

    /// There is a new notice: nobody sleeps any longer.
    pub(super) fn notice_came(&mut self) {
        for telling in self.notifying.by_name.values_mut() {
            if telling.not_before == Moment::NEVER {
                telling.not_before = self.now;
            }
        }
    }

    /// Takes the receipt of something that was told; false when it is not one.
    pub(super) fn on_told(&mut self, receipt: &Receipt) -> bool {
        let mut all = self.notifying.by_name.iter_mut();
        let known = all.find(|(_, telling)| {
            telling.under_way.is_some_and(|(effect, _, _)| effect == receipt.id)
        });
        let Some((name, telling)) = known else { return false };
        let name = name.clone();
        let now = self.now;
        let notice = telling.under_way.take().and_then(|(_, notice, _)| notice);
        match &receipt.outcome {
            Ok(_) => {
                let recovered = telling.failures >= limits::NOTIFY_FAILS;
                telling.failures = 0;
                telling.not_before = now;
                if notice.is_some() {
                    telling.delivered = notice;
                    telling.logged_at = None;
                }
                if recovered {
                    self.tell(Level::Info, "notify", None, format!("`{name}` can be told again"));
                }
            }
            Err(why) => {
                telling.failures = telling.failures.saturating_add(1);
                telling.why.clone_from(why);
                telling.not_before = now + pause(telling.failures);
                if telling.failures == limits::NOTIFY_FAILS {
                    let text = format!("`{name}` cannot be told of alarms: {why}");
                    self.tell(Level::Warn, "notify", None, text);
                }
            }
        }
        true
    }
}

/// Between two attempts.
fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(limits::NOTIFY_DOUBLINGS);
    (limits::NOTIFY_PAUSE * 2_u32.pow(doublings)).min(limits::NOTIFY_PAUSE_MAX)
}

fn message(config: &Cluster, notice: &Notice) -> String {
    let condition = &notice.alarm.condition;
    let message = Message {
        id: notice.id,
        cluster: &config.name,
        phase: notice.phase,
        at: notice.at,
        alarm: notice.alarm.id,
        kind: condition.kind,
        subject: &condition.subject,
        group: condition.group.as_ref(),
        plane: condition.plane.as_ref(),
        text: &condition.text,
        raised_at: notice.alarm.at,
        acknowledged: notice.alarm.acknowledged.as_ref(),
    };
    serde_json::to_string(&message).expect("names, numbers and text are all JSON")
}
