//! What is probed and for whom: equal checks of one endpoint are probed once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Require, Service, limits};
use crate::kernel::domain::{CheckName, Endpoint, PlaneName, ProbeKind, ProbeTarget, ServiceName};

/// One target with everything that decides how and how often it is probed and how it is judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct ProbeSpec {
    pub(super) judged: Judged,
    pub(super) interval: Duration,
    pub(super) fast_interval: Duration,
}

/// The part of a spec on which the meaning of past results rests: while it stays, they stay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) target: Arc<ProbeTarget>,
    pub(super) fall: u32,
    pub(super) rise: u32,
    pub(super) slow: Option<Duration>,
}

/// A service: its checks by name, each with the number of its target on each plane.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ServiceLayout {
    pub(super) name: ServiceName,
    pub(super) require: Require,
    pub(super) checks: Vec<(CheckName, [Option<usize>; 2])>,
}

/// Never changes once it is made, so that a prober is cheap to clone.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Layout {
    /// In order; a target's number is its place here.
    pub(super) specs: Vec<ProbeSpec>,
    /// By target: the (service, plane) that it speaks for, in order.
    pub(super) users: Vec<Vec<(usize, usize)>>,
    /// In the order of their names.
    pub(super) services: Vec<ServiceLayout>,
    /// The targets that tell whether this observer is isolated.
    pub(super) references: Vec<usize>,
}

impl Layout {
    pub(super) fn new(
        planes: &[PlaneName; 2],
        services: &BTreeMap<ServiceName, Service>,
        references: &[Endpoint],
        reference_interval: Duration,
    ) -> Self {
        let mut numbers: BTreeMap<ProbeSpec, usize> = BTreeMap::new();
        for check in services.values().flat_map(|service| service.checks.values()) {
            for target in planes.iter().filter_map(|plane| check.targets.get(plane)) {
                numbers.insert(spec_of(check, target), 0);
            }
        }
        let references: Vec<ProbeSpec> =
            references.iter().map(|endpoint| reference(endpoint, reference_interval)).collect();
        numbers.extend(references.iter().map(|spec| (spec.clone(), 0)));
        for (place, number) in numbers.values_mut().enumerate() {
            *number = place;
        }
        let mut users = vec![Vec::new(); numbers.len()];
        let services = services
            .iter()
            .enumerate()
            .map(|(place, (name, service))| {
                let checks = service.checks.iter().map(|(check_name, check)| {
                    let of = |plane: &PlaneName| {
                        let target = check.targets.get(plane)?;
                        numbers.get(&spec_of(check, target)).copied()
                    };
                    (check_name.clone(), [of(&planes[0]), of(&planes[1])])
                });
                let checks: Vec<_> = checks.collect();
                for plane in 0..2 {
                    for target in checks.iter().filter_map(|(_, targets)| targets[plane]) {
                        users[target].push((place, plane));
                    }
                }
                ServiceLayout { name: name.clone(), require: service.require, checks }
            })
            .collect();
        for list in &mut users {
            list.sort_unstable();
            list.dedup();
        }
        let mut references: Vec<usize> =
            references.iter().filter_map(|spec| numbers.get(spec).copied()).collect();
        references.sort_unstable();
        references.dedup();
        Self { specs: numbers.into_keys().collect(), users, services, references }
    }

    /// Probes that are started in a second while each target is probed at its fastest; one at least for each, for
    /// all begin within their first second.
    fn starts_a_second(&self) -> u64 {
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1);
        self.specs.iter().map(|spec| 1_000_000_u64.div_ceil(micros(spec.fast_interval))).sum()
    }

    /// A service's place.
    pub(super) fn service(&self, name: &ServiceName) -> Option<usize> {
        self.services.binary_search_by(|service| service.name.cmp(name)).ok()
    }

    /// The targets of a service on both planes.
    pub(super) fn targets_of(&self, service: usize) -> impl Iterator<Item = usize> + '_ {
        self.services[service]
            .checks
            .iter()
            .flat_map(|(_, targets)| targets.iter().flatten())
            .copied()
    }
}

/// Probes a second that an observer starts at full speed: equal checks of one endpoint are one, and checks with other
/// thresholds are not equal. Intervals are jittered, so it may be up to a ninth more for a while.
pub fn probe_rate(
    planes: &[PlaneName; 2],
    services: &BTreeMap<ServiceName, Service>,
    references: &[Endpoint],
    reference_interval: Duration,
) -> u64 {
    Layout::new(planes, services, references, reference_interval).starts_a_second()
}

fn spec_of(check: &super::Check, target: &Arc<ProbeTarget>) -> ProbeSpec {
    ProbeSpec {
        judged: Judged {
            target: Arc::clone(target),
            fall: check.fall,
            rise: check.rise,
            slow: check.slow,
        },
        interval: check.interval.max(limits::SHORTEST_INTERVAL),
        fast_interval: check
            .fast_interval
            .clamp(limits::SHORTEST_INTERVAL, check.interval.max(limits::SHORTEST_INTERVAL)),
    }
}

/// A connect is enough to know that there is a way; one result is enough to believe it.
fn reference(endpoint: &Endpoint, interval: Duration) -> ProbeSpec {
    let interval = interval.max(limits::SHORTEST_INTERVAL);
    ProbeSpec {
        judged: Judged {
            target: Arc::new(ProbeTarget {
                endpoint: endpoint.clone(),
                kind: ProbeKind::Tcp,
                timeout: interval,
            }),
            fall: 1,
            rise: 1,
            slow: None,
        },
        interval,
        fast_interval: interval.min(limits::REFERENCE_FAST_INTERVAL),
    }
}
