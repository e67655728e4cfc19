//! Services and their checks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::limits;
use super::super::reader::Section;
use super::{Named, endpoints, named_sections, named_sections_or};
use crate::kernel::domain::{
    CheckName, Endpoint, HttpProbe, PlaneName, ProbeKind, ProbeTarget, ServiceName,
};
use crate::kernel::health::{Check, Require, Service};

/// Services by name.
pub(super) type Services = Named<ServiceName, Service>;

#[derive(Clone, Copy)]
enum Kind {
    Http,
    Tcp,
}

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
    let kind = section.choice("kind", &[("http", Kind::Http), ("tcp", Kind::Tcp)]);
    if !section.has("kind") {
        let what = "is missing".to_owned();
        section.fault(&section.place, "kind", what, "write kind = \"http\" or kind = \"tcp\"");
    }
    let probe = match kind {
        Kind::Tcp => Some(ProbeKind::Tcp),
        Kind::Http => read_http(section).map(ProbeKind::Http),
    };
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

fn read_http(section: &Section<'_>) -> Option<HttpProbe> {
    let path = section.parsed_or_none("path", "a path, for example \"/healthz\"", |text| {
        let sound = text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic());
        if sound { Ok(text.to_owned()) } else { Err("a path starts with / and has no blanks") }
    });
    let path = path.or_else(|| (!section.has("path")).then(|| "/".to_owned()));
    let status = section
        .scalar_or_none("status", "a status or a range, for example \"200-299\"", status_range)
        .or_else(|| (!section.has("status")).then_some((200, 299)));
    let one_line = |text: &str| {
        let sound = !text.is_empty() && text.chars().all(|c| !c.is_control());
        if sound { Ok(text.to_owned()) } else { Err("is empty or has control characters") }
    };
    let host = section.parsed_or_none("host", "a host name", one_line).unwrap_or_default();
    let body_contains = section
        .text_or_none("body_contains", "a text that the body must contain")
        .map_or_else(String::new, |text| text.value);
    let tls = section.boolean("tls", false);
    let tls_verify = section.boolean("tls_verify", true);
    let header = section.section("header").and_then(|header| {
        let name = header.parsed("name", "a header's name", |text| {
            let sound = !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            if sound { Ok(text.to_ascii_lowercase()) } else { Err("is not a header's name") }
        });
        let value = header.text_or_none("value", "the value it must have");
        header.finish();
        Some((name?, value.map_or_else(String::new, |value| value.value)))
    });
    Some(HttpProbe {
        path: path?,
        host,
        tls,
        tls_verify: tls && tls_verify,
        status: status?,
        body_contains,
        header,
    })
}

fn status_range(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("`{text}` is neither a status nor a range of them");
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let low: u16 = low.trim().parse().map_err(|_| wrong())?;
    let high: u16 = high.trim().parse().map_err(|_| wrong())?;
    let sound = (100..=599).contains(&low) && (low..=599).contains(&high);
    if sound { Ok((low, high)) } else { Err(wrong()) }
}
