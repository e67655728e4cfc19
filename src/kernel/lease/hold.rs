//! The holder's side: when it may act, and when it must stop by itself. It rests on its own clock alone, read at the point of use;
//! timers are hints (rule 1).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::RENEWALS_SENT;
use super::renewal::{Holder, Renewal};
use super::terms::Terms;
use crate::kernel::domain::{Epoch, GroupName, Moment, PlaneName};

/// Where a holder stands with one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It does not act, and nothing of it runs.
    Stopped {},
    /// It is being started.
    Starting {
        /// At this epoch.
        epoch: Epoch,
    },
    /// It acts.
    Acting {
        /// At this epoch.
        epoch: Epoch,
    },
    /// It is being stopped; it may still act.
    Stopping {
        /// What it acted at.
        epoch: Epoch,
    },
}

/// What it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Right {
    /// At this epoch.
    pub epoch: Epoch,
    /// Nothing is begun from this moment on.
    pub until: Moment,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Order {
    /// Start to act at this epoch; what does not end before the deadline is killed.
    Start {
        /// At this epoch.
        epoch: Epoch,
        /// The deadline.
        by: Moment,
    },
    /// Stop: at the deadline nothing of it may run any more.
    Stop {
        /// What it acted at.
        epoch: Epoch,
        /// The deadline.
        by: Moment,
    },
    /// Tell the controllers that it has stopped, for this fence.
    Return {
        /// The entry that fenced.
        fence: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Sent {
    at: Moment,
    epoch: Epoch,
    lease: Duration,
    stop: Duration,
}

/// A lease that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Lease {
    epoch: Epoch,
    /// It has stopped by then.
    ends: Moment,
    /// How long it needs for that.
    stop: Duration,
}

/// One holder and one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    holder: Holder,
    group: GroupName,
    plane: PlaneName,
    terms: Terms,
    seq: u64,
    sent: BTreeMap<u64, Sent>,
    lease: Option<Lease>,
    /// Nothing at this epoch or an older one is ever held again: it was fenced here, or before this process.
    fenced: Option<Epoch>,
    /// The fence that is to be answered by a Return.
    owed: Option<u64>,
    phase: Phase,
}

impl Hold {
    /// A process that starts, when nothing of an earlier one runs any more. `fenced`: what the controllers fenced, as its disk has it.
    pub fn new(
        (holder, group, plane): (Holder, GroupName, PlaneName),
        terms: Terms,
        fenced: Option<Epoch>,
    ) -> Self {
        Self {
            holder,
            group,
            plane,
            terms,
            seq: 0,
            sent: BTreeMap::new(),
            lease: None,
            fenced,
            owed: None,
            phase: Phase::Stopped {},
        }
    }

    /// Where it stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The terms that it goes by from its next renewal on. What was granted before ends when it was to end.
    pub const fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// A renewal at this epoch, to leave after `now` was read; none where it is this holder's no more.
    pub fn renew(&mut self, epoch: Epoch, now: Moment) -> Option<Renewal> {
        if self.is_fenced(epoch) {
            return None;
        }
        self.seq += 1;
        let Terms { lease, stop, .. } = self.terms;
        self.sent.insert(self.seq, Sent { at: now, epoch, lease, stop });
        if self.sent.len() > RENEWALS_SENT {
            self.sent.pop_first();
        }
        let (holder, group, plane) = (self.holder.clone(), self.group.clone(), self.plane.clone());
        Some(Renewal { holder, seq: self.seq, group, plane, epoch, lease })
    }

    /// A renewal was granted. What is not known, was for another process, is too late or fenced changes nothing.
    pub fn granted(&mut self, echo: &Renewal, now: Moment) {
        let own =
            echo.holder == self.holder && echo.group == self.group && echo.plane == self.plane;
        let known = self.sent.get(&echo.seq).filter(|_| own);
        let same = |sent: &&Sent| sent.epoch == echo.epoch && sent.lease == echo.lease;
        let Some(sent) = known.filter(same) else { return };
        let lease = Lease { epoch: sent.epoch, ends: sent.at + sent.lease, stop: sent.stop };
        // What was sent before it is answered by it.
        self.sent = self.sent.split_off(&(echo.seq + 1));
        if self.is_fenced(lease.epoch) || lease.ends <= now {
            return;
        }
        match &mut self.lease {
            Some(held) if held.epoch == lease.epoch => {
                held.ends = held.ends.max(lease.ends);
                held.stop = held.stop.max(lease.stop);
            }
            // Another epoch begins when the one before has been stopped.
            Some(held) if held.epoch > lease.epoch || self.phase != (Phase::Stopped {}) => {}
            held => *held = Some(lease),
        }
    }

    fn is_fenced(&self, epoch: Epoch) -> bool {
        self.fenced.is_some_and(|fenced| epoch <= fenced)
    }

    /// The controllers have fenced the group at this epoch, by this entry. An older fence than one it knows is nothing new.
    pub fn fence(&mut self, epoch: Epoch, fence: u64) {
        if self.is_fenced(epoch) && self.owed.is_some_and(|owed| owed >= fence) {
            return;
        }
        self.fenced = self.fenced.max(Some(epoch));
        self.owed = Some(fence);
        if self.lease.is_some_and(|lease| self.is_fenced(lease.epoch))
            && self.phase == (Phase::Stopped {})
        {
            self.lease = None;
        }
    }

    /// What it may begin now.
    pub fn right(&self, now: Moment) -> Option<Right> {
        let Phase::Acting { epoch } = self.phase else { return None };
        let lease = self.lease.filter(|lease| lease.epoch == epoch && !self.is_fenced(epoch))?;
        let until = self.stops_at(lease);
        (now < until).then_some(Right { epoch, until })
    }

    /// When it begins to stop.
    fn stops_at(&self, lease: Lease) -> Moment {
        let ends = lease.ends.as_micros();
        let stop = lease.stop.max(self.terms.stop).as_micros();
        let stop = u64::try_from(stop).unwrap_or(u64::MAX);
        Moment::from_micros(ends.saturating_sub(stop))
    }

    /// When nothing of it may run any more: for whoever enforces that from outside, by a kill, a kernel's timer or a watchdog.
    pub fn ends(&self) -> Option<Moment> {
        let runs = self.phase != (Phase::Stopped {});
        runs.then(|| self.lease.map_or(Moment::ZERO, |lease| lease.ends))
    }

    /// What is to be done now. A start and a stop are ordered once, a Return until it is told: their ends are told with [`Self::started`], [`Self::stopped`] or [`Self::told`].
    pub fn order(&mut self, now: Moment) -> Option<Order> {
        let stops_at = self.lease.map(|lease| (lease, self.stops_at(lease)));
        match (self.phase, stops_at) {
            (Phase::Starting { epoch } | Phase::Acting { epoch }, held) => {
                let goes_on = held.is_some_and(|(lease, stops_at)| {
                    lease.epoch == epoch && now < stops_at && !self.is_fenced(epoch)
                });
                if goes_on {
                    return None;
                }
                self.phase = Phase::Stopping { epoch };
                Some(Order::Stop { epoch, by: held.map_or(now, |(lease, _)| lease.ends) })
            }
            (Phase::Stopping { .. }, _) => None,
            (Phase::Stopped {}, Some((lease, stops_at)))
                if now < stops_at && !self.is_fenced(lease.epoch) =>
            {
                self.phase = Phase::Starting { epoch: lease.epoch };
                Some(Order::Start { epoch: lease.epoch, by: stops_at })
            }
            (Phase::Stopped {}, _) => {
                self.lease = None;
                self.owed.map(|fence| Order::Return { fence })
            }
        }
    }

    /// The hook that starts it has ended well. Whatever came meanwhile is seen to by the next order.
    pub const fn started(&mut self) {
        if let Phase::Starting { epoch } = self.phase {
            self.phase = Phase::Acting { epoch };
        }
    }

    /// Nothing of it runs any more.
    pub const fn stopped(&mut self) {
        if let Phase::Stopping { .. } = self.phase {
            self.phase = Phase::Stopped {};
        }
    }

    /// The controllers have this Return in their log, or that fence stands no more.
    pub fn told(&mut self, fence: u64) {
        if self.owed.is_some_and(|owed| owed <= fence) {
            self.owed = None;
        }
    }

    /// When [`Self::order`] is to be asked again, if nothing comes before.
    pub fn due(&self) -> Moment {
        match (self.phase, self.lease) {
            (Phase::Starting { .. } | Phase::Acting { .. }, Some(lease)) => self.stops_at(lease),
            _ => Moment::NEVER,
        }
    }
}
