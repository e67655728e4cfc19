//! Settings that a trial may advise: each with its key, its range, and how a cluster looks with another value.

use std::sync::Arc;
use std::time::Duration;

use crate::config::limits::{self, NumberLimit, TimeLimit, words};
use crate::kernel::domain::{GroupName, ServiceName};
use crate::kernel::health::Check;
use crate::kernel::ledger::{Cluster, Policy};

/// A setting of a cluster file. Those of a service are those of all its checks; those of a group's checks, of all its
/// services'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `timing.election_min`, raised; `election_max` goes along.
    ElectionMin,
    /// `timing.verify_timeout`, raised.
    VerifyTimeout,
    /// `fall`, raised.
    Fall(ServiceName),
    /// `timeout`, raised.
    Timeout(ServiceName),
    /// `interval`, shortened.
    Interval(GroupName),
    /// `fall`, lowered.
    FewerFalls(GroupName),
    /// `dwell`, raised.
    Dwell(GroupName),
    /// `dwell`, shortened.
    ShorterDwell(GroupName),
    /// `budget.switches`, raised.
    Switches(GroupName),
    /// `budget.window`, raised.
    BudgetWindow(GroupName),
    /// `flap_limit.downs`, raised.
    Downs(GroupName),
    /// `ask_expires`, raised.
    AskExpires(GroupName),
}

/// What a cluster file says, and what it is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key with its tables, such as `timing.election_min`.
    pub key: String,
    /// As written in the file now.
    pub before: String,
    /// As it is to be written.
    pub after: String,
}

/// Values that people write, in milliseconds.
const TIMES: [u64; 43] = [
    0,
    10,
    20,
    30,
    50,
    80,
    100,
    150,
    200,
    250,
    300,
    400,
    500,
    600,
    800,
    1_000,
    1_500,
    2_000,
    2_500,
    3_000,
    4_000,
    5_000,
    6_000,
    8_000,
    10_000,
    15_000,
    20_000,
    30_000,
    40_000,
    50_000,
    60_000,
    90_000,
    120_000,
    180_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    21_600_000,
    86_400_000,
    604_800_000,
];
/// Counts that people write.
const COUNTS: [u64; 16] = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100, 200, 500, 1_000];

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Setting {
    /// Round values to try, from the one next to what is set to the end of the setting's range.
    pub fn values(&self, cluster: &Cluster) -> Vec<u64> {
        let now = self.now(cluster);
        let time = |limit: &TimeLimit| (&TIMES[..], millis(limit.min), millis(limit.max));
        let count = |limit: &NumberLimit| (&COUNTS[..], limit.min, limit.max);
        let (round, min, max) = match self {
            Self::ElectionMin => time(&limits::ELECTION_MIN),
            Self::VerifyTimeout => time(&limits::VERIFY_TIMEOUT),
            Self::Fall(_) | Self::FewerFalls(_) => count(&limits::FALL),
            Self::Timeout(_) => time(&limits::TIMEOUT),
            Self::Interval(_) => time(&limits::INTERVAL),
            // Nobody means less than a second.
            Self::Dwell(_) | Self::ShorterDwell(_) => {
                (&TIMES[..], 1_000, millis(limits::DWELL.max))
            }
            Self::Switches(_) => count(&limits::BUDGET_SWITCHES),
            Self::BudgetWindow(_) => time(&limits::BUDGET_WINDOW),
            Self::Downs(_) => count(&limits::FLAP_DOWNS),
            Self::AskExpires(_) => time(&limits::ASK_EXPIRES),
        };
        let allowed = round.iter().copied().filter(|value| (min..=max).contains(value));
        if self.lowers() {
            let mut values: Vec<u64> = allowed.filter(|value| *value < now).collect();
            values.reverse();
            values
        } else {
            allowed.filter(|value| *value > now).collect()
        }
    }

    /// Whether it is a guard of a group: when the end of its range does not help, nothing on the way there does.
    pub(super) const fn is_policy(&self) -> bool {
        matches!(
            self,
            Self::Dwell(_)
                | Self::ShorterDwell(_)
                | Self::Switches(_)
                | Self::BudgetWindow(_)
                | Self::Downs(_)
                | Self::AskExpires(_)
        )
    }

    /// Whether it helps to have less of it.
    pub const fn lowers(&self) -> bool {
        matches!(self, Self::Interval(_) | Self::FewerFalls(_) | Self::ShorterDwell(_))
    }

    /// The value in force; of several checks the one that is worst.
    fn now(&self, cluster: &Cluster) -> u64 {
        let policy = |group: &GroupName, of: fn(&Policy) -> u64| {
            cluster.groups.get(group).map_or(u64::MAX, |group| of(&group.policy))
        };
        let of_service = |service: &ServiceName, of: fn(&Check) -> u64| {
            let checks = cluster.services.get(service).map(|service| service.checks.values());
            checks.and_then(|checks| checks.map(of).min()).unwrap_or(u64::MAX)
        };
        let of_group = |group: &GroupName, of: fn(&Check) -> u64| {
            let services = cluster.groups.get(group).map(|group| &group.services);
            let checks =
                services.into_iter().flatten().filter_map(|name| cluster.services.get(name));
            checks.flat_map(|service| service.checks.values()).map(of).max().unwrap_or(0)
        };
        match self {
            Self::ElectionMin => millis(cluster.timing.election_min),
            Self::VerifyTimeout => millis(cluster.timing.verify_timeout),
            Self::Fall(service) => of_service(service, |check| check.fall.into()),
            Self::Timeout(service) => of_service(service, timeout_of),
            Self::Interval(group) => of_group(group, |check| millis(check.interval)),
            Self::FewerFalls(group) => of_group(group, |check| check.fall.into()),
            Self::Dwell(group) | Self::ShorterDwell(group) => {
                policy(group, |policy| millis(policy.dwell))
            }
            Self::Switches(group) => policy(group, |policy| {
                policy.budget.map_or(u64::MAX, |budget| budget.switches.into())
            }),
            Self::BudgetWindow(group) => policy(group, |policy| {
                policy.budget.map_or(u64::MAX, |budget| millis(budget.window))
            }),
            Self::Downs(group) => policy(group, |policy| {
                policy.flap_limit.map_or(u64::MAX, |limit| limit.downs.into())
            }),
            Self::AskExpires(group) => policy(group, |policy| millis(policy.ask_expires)),
        }
    }

    /// The cluster with another value. What must stand in a relation to it moves as far as it has to, so that the file
    /// with all [`changes`] is sound.
    pub fn with(&self, cluster: &Cluster, value: u64) -> Cluster {
        let mut with = cluster.clone();
        let time = Duration::from_millis(value);
        let number = u32::try_from(value).unwrap_or(u32::MAX);
        match self {
            Self::ElectionMin => with.timing.election_min = time,
            Self::VerifyTimeout => with.timing.verify_timeout = time,
            Self::Fall(service) => of_service(&mut with, service, |c| c.fall = c.fall.max(number)),
            Self::Timeout(service) => of_service(&mut with, service, |check| {
                for target in check.targets.values_mut() {
                    let target = Arc::make_mut(target);
                    target.timeout = target.timeout.max(time);
                }
            }),
            Self::Interval(group) => of_group(&mut with, group, |check| {
                check.interval = check.interval.min(time);
                check.fast_interval = check.fast_interval.min(check.interval);
            }),
            Self::FewerFalls(group) => of_group(&mut with, group, |c| c.fall = c.fall.min(number)),
            group_setting => group_setting.set_policy(&mut with, time, number),
        }
        keep_relations(&mut with);
        with
    }

    fn set_policy(&self, cluster: &mut Cluster, time: Duration, number: u32) {
        let (Self::Dwell(group)
        | Self::ShorterDwell(group)
        | Self::Switches(group)
        | Self::BudgetWindow(group)
        | Self::Downs(group)
        | Self::AskExpires(group)) = self
        else {
            return;
        };
        let Some(policy) = cluster.groups.get_mut(group).map(|group| &mut group.policy) else {
            return;
        };
        match self {
            Self::Dwell(_) | Self::ShorterDwell(_) => policy.dwell = time,
            Self::AskExpires(_) => policy.ask_expires = time,
            Self::Switches(_) => {
                if let Some(budget) = &mut policy.budget {
                    budget.switches = number;
                }
            }
            Self::BudgetWindow(_) => {
                if let Some(budget) = &mut policy.budget {
                    budget.window = time;
                }
            }
            Self::Downs(_) => {
                if let Some(limit) = &mut policy.flap_limit {
                    limit.downs = number;
                }
            }
            _ => {}
        }
    }
}

fn of_service(cluster: &mut Cluster, service: &ServiceName, set: impl Fn(&mut Check)) {
    let checks = cluster.services.get_mut(service).into_iter().flat_map(|s| s.checks.values_mut());
    checks.for_each(set);
}

fn of_group(cluster: &mut Cluster, group: &GroupName, set: impl Fn(&mut Check)) {
    let services = cluster.groups.get(group).map(|group| group.services.clone());
    for service in services.into_iter().flatten() {
        of_service(cluster, &service, &set);
    }
}

fn timeout_of(check: &Check) -> u64 {
    check.targets.values().map(|target| millis(target.timeout)).max().unwrap_or(0)
}

/// The rules of the cluster file between its times.
fn keep_relations(cluster: &mut Cluster) {
    let timing = &mut cluster.timing;
    if timing.election_max < timing.election_min + 2 * timing.tick {
        timing.election_max = 2 * timing.election_min;
    }
    timing.observer_silence = timing.observer_silence.max(2 * timing.election_max);
    let checks = cluster.services.values().flat_map(|service| service.checks.values());
    let spans = checks.map(|check| {
        check.interval * check.fall
            + Duration::from_millis(timeout_of(check))
            + 2 * timing.election_max
    });
    timing.question_window = spans.fold(timing.question_window, Duration::max);
}

/// What one cluster's file says otherwise than another's.
pub fn changes(before: &Cluster, after: &Cluster) -> Vec<Change> {
    let (old, new) = (written(before), written(after));
    let differs = |((key, before), (_, after)): ((String, String), (String, String))| {
        (before != after).then_some(Change { key, before, after })
    };
    old.into_iter().zip(new).filter_map(differs).collect()
}

/// Every key that a [`Setting`] may touch, with its value as a file says it.
fn written(cluster: &Cluster) -> Vec<(String, String)> {
    let time = |time: Duration| format!("\"{}\"", words(time));
    let timing = &cluster.timing;
    let mut lines = vec![
        ("timing.election_min".to_owned(), time(timing.election_min)),
        ("timing.election_max".to_owned(), time(timing.election_max)),
        ("timing.verify_timeout".to_owned(), time(timing.verify_timeout)),
    ];
    for (name, service) in &cluster.services {
        for (check, settings) in &service.checks {
            let key = |last: &str| format!("services.{name}.checks.{check}.{last}");
            lines.push((key("interval"), time(settings.interval)));
            lines.push((key("fast_interval"), time(settings.fast_interval)));
            lines.push((key("timeout"), time(Duration::from_millis(timeout_of(settings)))));
            lines.push((key("fall"), settings.fall.to_string()));
        }
    }
    for (name, group) in &cluster.groups {
        let key = |last: &str| format!("groups.{name}.{last}");
        let policy = &group.policy;
        lines.push((key("dwell"), time(policy.dwell)));
        if let Some(budget) = policy.budget {
            lines.push((key("budget.switches"), budget.switches.to_string()));
            lines.push((key("budget.window"), time(budget.window)));
        }
        if let Some(limit) = policy.flap_limit {
            lines.push((key("flap_limit.downs"), limit.downs.to_string()));
        }
        lines.push((key("ask_expires"), time(policy.ask_expires)));
    }
    lines.push(("timing.observer_silence".to_owned(), time(timing.observer_silence)));
    lines.push(("timing.question_window".to_owned(), time(timing.question_window)));
    lines
}
