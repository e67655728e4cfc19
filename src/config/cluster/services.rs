//! Services and their checks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::limits;
use super::super::reader::Section;
use super::{Named, checks, endpoints, named_sections, named_sections_or};
use crate::kernel::domain::{CheckName, Endpoint, PlaneName, ProbeKind, ProbeTarget, ServiceName};
use crate::kernel::health::{Check, Require, Service};

/// Services by name.
pub(super) type Services = Named<ServiceName, Service>;

pub(super) fn read(top: &Section<'_>, planes: Option<&[PlaneName; 2]>) -> Services {
    let mut services = Services::new();
    let mut unread = Vec::new();
    let note = |name: &str| unread.push(name.to_owned());
    for (name, section) in named_sections_or(top, "services", ServiceName::new, note) {
        services.note(name, read_service(&section, planes));
        section.finish();
    }
    services.faulty.extend(unread);
    services
}

fn read_service(section: &Section<'_>, planes: Option<&[PlaneName; 2]>) -> Option<Service> {
    let critical = section.boolean("critical", true);
    let words = [("all", Require::All), ("any", Require::Any)];
    let require = section.word_or_at_least("require", &words, &limits::AT_LEAST, Require::AtLeast);
    let at = section.section("endpoints").map(|s| endpoints(s, planes));
    if at.is_none() {
        let what = "is missing: where the service listens on each plane".to_owned();
        let write = "write endpoints = { PLANE = \"HOST:PORT\", … }";
        section.fault(&section.place, "endpoints", what, write);
    }
    let at = at.flatten();
    let mut checks = BTreeMap::new();
    let sections = named_sections(section, "checks", CheckName::new);
    let written = sections.len();
    for (name, check) in sections {
        let read = read_check(&check, planes, at.as_ref());
        check.finish();
        if let Some(check) = read {
            checks.insert(name.value, check);
        }
    }
    if written == 0 {
        let what = "has no check: without one nothing is known of it".to_owned();
        let write = "write [services.NAME.checks.port] with kind = \"tcp\"";
        section.fault(&section.place, "checks", what, write);
    }
    if let Require::AtLeast(wanted) = require
        && wanted > written
        && written > 0
    {
        let what = format!("at_least = {wanted}, but there are only {written} checks");
        section.fault(&section.place_of("require"), "require", what, "ask for fewer");
    }
    (checks.len() == written && written > 0).then_some(Service { critical, checks, require })
}

fn read_check(
    section: &Section<'_>,
    planes: Option<&[PlaneName; 2]>,
    service: Option<&BTreeMap<PlaneName, Endpoint>>,
) -> Option<Check> {
    let probe = checks::read(section);
    let own = section.section("endpoints").map(|s| endpoints(s, planes));
    let interval = section.time("interval", &limits::INTERVAL);
    let timeout = section.time("timeout", &limits::TIMEOUT);
    let floor = limits::FAST_INTERVAL.min;
    let fast = section.time_or_none("fast_interval", &limits::FAST_INTERVAL);
    let fast_interval = fast.unwrap_or_else(|| (interval / 5).max(floor)).min(interval.max(floor));
    if fast.is_some_and(|fast| fast > interval) {
        let what = format!("is longer than interval ({})", limits::words(interval));
        let place = section.place_of("fast_interval");
        section.fault(&place, "fast_interval", what, "write a shorter time");
    }
    let slow = section.time_or_none("slow", &limits::SLOW);
    if slow.is_some_and(|slow| slow >= timeout) {
        let what = format!("is not shorter than timeout ({})", limits::words(timeout));
        section.fault(&section.place_of("slow"), "slow", what, "write a shorter time, or none");
    }
    let fall = section.number("fall", &limits::FALL);
    let rise = section.number("rise", &limits::RISE);
    let number = |n: Option<u64>| u32::try_from(n?).ok();
    let at = match own {
        Some(own) => own?,
        None => service?.clone(),
    };
    let (fall, rise, probe) = (number(fall)?, number(rise)?, probe?);
    let targets = targets(at, &probe, timeout);
    Some(Check { targets, interval, fast_interval, fall, rise, slow })
}

fn targets(
    at: BTreeMap<PlaneName, Endpoint>,
    kind: &ProbeKind,
    timeout: Duration,
) -> BTreeMap<PlaneName, Arc<ProbeTarget>> {
    at.into_iter()
        .map(|(plane, endpoint)| {
            (plane, Arc::new(ProbeTarget { endpoint, kind: kind.clone(), timeout }))
        })
        .collect()
}
