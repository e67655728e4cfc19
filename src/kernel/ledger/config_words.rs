//! A cluster's settings in the words of its file: the keys and the values that a person writes there. What a file may
//! leave out stands here with the value that holds.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::cluster::{Cluster, GatewayRoute, Group, Member, Notify, NotifyKind, OnSwitch, Timing};
use crate::kernel::domain::{Decimal, Endpoint, PlaneName, ProbeKind, ProbeTarget, span_words};
use crate::kernel::health::{Check, Require, Service};
use crate::kernel::policy::{OutWhen, Policy, WhenBothDown};
use crate::kernel::zone::{CutOff, NameServer, ZoneName, ZoneSettings};

/// The cluster file's top table, as JSON: times are texts like `5s`, endpoints `HOST:PORT`, and what has a name stands
/// under it.
pub fn as_written(cluster: &Cluster) -> Map<String, Value> {
    let planes = cluster.planes.iter();
    let members = cluster.members.values();
    let observers = cluster.observers.values();
    let tables = [
        ("planes", table(planes.map(|p| (p.name.to_string(), json!({ "site": p.site }))))),
        ("members", table(members.map(|m| (m.name.to_string(), member(m))))),
        (
            "observers",
            table(observers.map(|o| (o.name.to_string(), json!({ "id": o.id, "site": o.site })))),
        ),
        ("services", named(&cluster.services, service)),
        ("groups", named(&cluster.groups, group)),
        ("zones", named(&cluster.zones, zone)),
        ("routes", named(&cluster.routes, route)),
        ("references", json!(cluster.references)),
        ("notify", named(&cluster.notify, notify)),
        ("timing", timing(&cluster.timing)),
    ];
    let mut top = Map::new();
    top.insert("cluster".to_owned(), json!(cluster.name));
    let filled = |(_, value): &(&str, Value)| value.as_object().is_some_and(|t| !t.is_empty());
    top.extend(tables.into_iter().filter(filled).map(|(key, value)| (key.to_owned(), value)));
    top
}

/// A key as a file writes it: quoted where it must be.
pub fn key_as_written(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    }
}

fn table(entries: impl Iterator<Item = (String, Value)>) -> Value {
    Value::Object(entries.collect())
}

fn named<N: ToString, T>(all: &BTreeMap<N, T>, words: impl Fn(&T) -> Value) -> Value {
    table(all.iter().map(|(name, one)| (name.to_string(), words(one))))
}

/// Puts in what is there.
fn put(value: &mut Value, key: &str, what: Option<Value>) {
    if let (Some(table), Some(what)) = (value.as_object_mut(), what) {
        table.insert(key.to_owned(), what);
    }
}

fn filled(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::from(text))
}

fn span(span: Duration) -> Value {
    Value::from(span_words(span))
}

fn member(member: &Member) -> Value {
    let Member { id, site, role, member_address, api_address, dns_address, .. } = member;
    let mut words =
        json!({ "id": id, "site": site, "role": role.as_str(), "member": member_address });
    put(&mut words, "api", api_address.map(|address| json!(address)));
    put(&mut words, "dns", dns_address.map(|address| json!(address)));
    words
}

/// By plane.
type Endpoints<'a> = BTreeMap<&'a PlaneName, &'a Endpoint>;

fn endpoints(check: &Check) -> Endpoints<'_> {
    check.targets.iter().map(|(plane, target)| (plane, &target.endpoint)).collect()
}

/// A service's own endpoints are those of most of its checks: the others write theirs.
fn service(service: &Service) -> Value {
    let Service { critical, checks, require } = service;
    let mut shared: BTreeMap<Endpoints<'_>, usize> = BTreeMap::new();
    for check in checks.values() {
        *shared.entry(endpoints(check)).or_default() += 1;
    }
    let most = shared.values().max().copied().unwrap_or_default();
    let own = checks.values().map(endpoints).find(|at| shared.get(at) == Some(&most));
    let own = own.unwrap_or_default();
    let require = match require {
        Require::All => json!("all"),
        Require::Any => json!("any"),
        Require::AtLeast(count) => json!({ "at_least": count }),
    };
    json!({
        "critical": critical,
        "require": require,
        "checks": named(checks, |one| check(one, &own)),
        "endpoints": own,
    })
}

fn check(check: &Check, own: &Endpoints<'_>) -> Value {
    let Check { targets, interval, fast_interval, fall, rise, slow } = check;
    let target = targets.values().next();
    let mut words = target.map_or_else(|| json!({}), |target| probe(&target.kind));
    let timeout = |target: &std::sync::Arc<ProbeTarget>| span(target.timeout);
    let at = endpoints(check);
    put(&mut words, "endpoints", (at != *own).then(|| json!(at)));
    put(&mut words, "interval", Some(span(*interval)));
    put(&mut words, "fast_interval", Some(span(*fast_interval)));
    put(&mut words, "timeout", target.map(timeout));
    put(&mut words, "fall", Some(json!(fall)));
    put(&mut words, "rise", Some(json!(rise)));
    put(&mut words, "slow", slow.map(span));
    words
}

fn probe(kind: &ProbeKind) -> Value {
    let mut words = json!({ "kind": kind.word() });
    let set = &mut words;
    match kind {
        ProbeKind::Tcp => {}
        ProbeKind::Http(http) => {
            let (low, high) = http.status;
            let status =
                if low == high { json!(low) } else { Value::from(format!("{low}-{high}")) };
            put(set, "path", filled(&http.path));
            put(set, "status", Some(status));
            put(set, "host", filled(&http.host));
            put(set, "body_contains", filled(&http.body_contains));
            put(set, "header", http.header.as_ref().map(header));
            transport(set, http.tls, http.tls_verify);
        }
        ProbeKind::Tls(tls) => {
            put(set, "host", filled(&tls.host));
            put(set, "tls_verify", Some(json!(tls.tls_verify)));
            put(set, "days", Some(json!(tls.days)));
        }
        ProbeKind::Dns(dns) => {
            put(set, "name", filled(&dns.name));
            put(set, "type", Some(json!(dns.record)));
            put(set, "contains", filled(&dns.contains));
        }
        ProbeKind::Grpc(grpc) => {
            put(set, "service", filled(&grpc.service));
            put(set, "host", filled(&grpc.host));
            transport(set, grpc.tls, grpc.tls_verify);
        }
        ProbeKind::Prometheus(query) => {
            put(set, "query", filled(&query.query));
            put(set, "above", query.above.map(number));
            put(set, "below", query.below.map(number));
            put(set, "path", filled(&query.path));
            put(set, "host", filled(&query.host));
            transport(set, query.tls, query.tls_verify);
        }
        ProbeKind::Exec(exec) => {
            put(set, "program", filled(&exec.program));
            put(set, "args", Some(json!(exec.args)));
        }
    }
    words
}

/// Whether a certificate must be good is said only where there is one.
fn transport(words: &mut Value, tls: bool, tls_verify: bool) {
    put(words, "tls", Some(json!(tls)));
    put(words, "tls_verify", tls.then(|| json!(tls_verify)));
}

fn header((name, value): &(String, String)) -> Value {
    let mut words = json!({ "name": name });
    put(&mut words, "value", filled(value));
    words
}

/// A number as it was written; as a text where JSON would round it.
fn number(decimal: Decimal) -> Value {
    let text = decimal.to_string();
    let exact = serde_json::from_str::<Value>(&text).ok();
    exact.filter(|number| format!("{number}") == text).unwrap_or(Value::String(text))
}

fn group(group: &Group) -> Value {
    let Group { services, out_when, home, policy, on_switch } = group;
    let out_when = match out_when {
        OutWhen::AnyCritical => json!("any_critical"),
        OutWhen::AtLeast(count) => json!({ "at_least": count }),
    };
    let on_switch = match on_switch {
        OnSwitch::Drain => "drain",
        OnSwitch::Cut => "cut",
    };
    let mut words = self::policy(policy);
    put(&mut words, "services", Some(json!(services)));
    put(&mut words, "out_when", Some(out_when));
    put(&mut words, "home", Some(json!(home)));
    put(&mut words, "on_switch", Some(json!(on_switch)));
    words
}

fn policy(policy: &Policy) -> Value {
    let Policy { mode, dwell, budget, flap_limit, when_both_down, degraded_is_out, ask_expires } =
        policy;
    let both = match when_both_down {
        WhenBothDown::Keep => "keep",
        WhenBothDown::Refuse => "refuse",
    };
    let mut words = json!({
        "mode": mode.as_str(),
        "dwell": span(*dwell),
        "when_both_down": both,
        "degraded_is_out": degraded_is_out,
        "ask_expires": span(*ask_expires),
    });
    let budget = budget.map(|b| json!({ "switches": b.switches, "window": span(b.window) }));
    let flap = flap_limit.map(|f| json!({ "downs": f.downs, "window": span(f.window) }));
    put(&mut words, "budget", budget);
    put(&mut words, "flap_limit", flap);
    words
}

fn zone(zone: &ZoneSettings) -> Value {
    let ZoneSettings { ttl, soa, name_servers, names, cut_off, .. } = zone;
    let server = |s: &NameServer| (s.name.clone(), json!(s.addresses));
    let name = |name: &ZoneName| {
        let ZoneName { name, group, addresses } = name;
        let mut words = json!(addresses);
        put(&mut words, "group", Some(json!(group)));
        (name.clone(), words)
    };
    let cut_off = match cut_off {
        CutOff::ServeStale => json!("serve-stale"),
        CutOff::Servfail(after) => json!({ "servfail": span(*after) }),
    };
    json!({
        "ttl": ttl,
        "mname": soa.mname,
        "rname": soa.rname,
        "refresh": soa.refresh,
        "retry": soa.retry,
        "expire": soa.expire,
        "negative_ttl": soa.negative_ttl,
        "name_servers": table(name_servers.iter().map(server)),
        "names": table(names.iter().map(name)),
        "cut_off": cut_off,
    })
}

fn route(route: &GatewayRoute) -> Value {
    let GatewayRoute { group, upstream, front_door } = route;
    let mut words = json!({ "group": group, "upstream": upstream });
    put(&mut words, "front_door", front_door.as_ref().map(|door| json!(door)));
    words
}

fn notify(notify: &Notify) -> Value {
    let Notify { kind, timeout, alive } = notify;
    let mut words = match kind {
        NotifyKind::Webhook { url } => json!({ "webhook": url }),
        NotifyKind::Program {} => json!({ "program": true }),
    };
    put(&mut words, "timeout", Some(span(*timeout)));
    put(&mut words, "alive", alive.map(span));
    words
}

fn timing(timing: &Timing) -> Value {
    json!({
        "tick": span(timing.tick),
        "heartbeat": span(timing.heartbeat),
        "election_min": span(timing.election_min),
        "election_max": span(timing.election_max),
        "question_window": span(timing.question_window),
        "observer_silence": span(timing.observer_silence),
        "reference_interval": span(timing.reference_interval),
        "verify_timeout": span(timing.verify_timeout),
        "request_timeout": span(timing.request_timeout),
    })
}
