//! What differs between two configurations, in the words of the cluster file: keys, each with what was and what is.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::apply_config::with_addresses_of;
use super::cluster::Cluster;
use super::config_words::{as_written, key_as_written};
use super::limits::CHANGES_SHOWN;

/// A list whose order is its meaning: it changes as a whole.
const IN_ORDER: &str = "args";

/// One difference. Values are JSON of what the cluster file says: times are texts like `5s`, endpoints `HOST:PORT`,
/// tables are objects. With neither `was` nor `is` only the order changes in which things stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The key as the cluster file writes it: for example `services.web.checks.page.fall`, or
    /// `zones."shop.example".ttl`.
    pub path: String,
    /// What was; absent when the key is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// What is; absent when the key is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Value>,
    /// Of a list: what is new in it. With `removed` empty too, a list changes as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Value>,
    /// Of a list: what is gone from it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Value>,
}

/// The differences, in the order of their paths, and how many there are in all: at most so many are given as
/// [`CHANGES_SHOWN`] says. Members' addresses are not looked at.
pub fn changes(old: &Cluster, new: &Cluster) -> (Vec<Change>, usize) {
    let new = with_addresses_of(new.clone(), old);
    let mut found = Vec::new();
    tables("", &as_written(old), &as_written(&new), &mut found);
    found.extend(in_another_order(old, &new, &found));
    found.sort_by(|one, other| one.path.cmp(&other.path));
    let all = found.len();
    found.truncate(CHANGES_SHOWN);
    (found, all)
}

/// Tables of the file in which nothing but the order changes: zones list their servers and names, and planes are a
/// first and a second.
fn in_another_order(old: &Cluster, new: &Cluster, found: &[Change]) -> Vec<Change> {
    let mut paths = Vec::new();
    if old.planes != new.planes {
        paths.push("planes".to_owned());
    }
    let zones = new
        .zones
        .iter()
        .filter(|(origin, zone)| old.zones.get(*origin).is_some_and(|old| old != *zone));
    paths.extend(zones.map(|(origin, _)| format!("zones.{}", key_as_written(origin))));
    paths.retain(|path| !found.iter().any(|change| change.path.starts_with(path)));
    paths.into_iter().map(|path| Change { path, ..Change::default() }).collect()
}

fn tables(path: &str, was: &Map<String, Value>, is: &Map<String, Value>, found: &mut Vec<Change>) {
    let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    for key in keys {
        let written = key_as_written(key);
        let path = if path.is_empty() { written } else { format!("{path}.{written}") };
        match (was.get(key), is.get(key)) {
            (Some(was), Some(is)) if was == is => {}
            (Some(Value::Object(was)), Some(Value::Object(is))) => tables(&path, was, is, found),
            // A table of tables that is new, or gone, is each of its tables.
            (was, is) if holds_tables(was) || holds_tables(is) => {
                let of = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
                tables(&path, &of(was).unwrap_or_default(), &of(is).unwrap_or_default(), found);
            }
            (was, is) => found.push(change(path, key, was, is)),
        }
    }
}

/// `groups`, `zones` and the like: nothing but tables under names.
fn holds_tables(value: Option<&Value>) -> bool {
    let table = value.and_then(Value::as_object);
    table.is_some_and(|table| !table.is_empty() && table.values().all(Value::is_object))
}

fn change(path: String, key: &str, was: Option<&Value>, is: Option<&Value>) -> Change {
    let lists = was.and_then(Value::as_array).zip(is.and_then(Value::as_array));
    let (added, removed) = match lists {
        Some((was, is)) if key != IN_ORDER => elements(was, is),
        _ => (Vec::new(), Vec::new()),
    };
    Change { path, was: was.cloned(), is: is.cloned(), added, removed }
}

/// What is new in a list, and what is gone; nothing where that does not tell the whole change.
fn elements(was: &[Value], is: &[Value]) -> (Vec<Value>, Vec<Value>) {
    // Lists of the file hold texts.
    let texts =
        |list: &[Value]| -> BTreeSet<String> { list.iter().map(Value::to_string).collect() };
    let (before, after) = (texts(was), texts(is));
    let beside = |list: &[Value], other: &BTreeSet<String>, inside: bool| -> Vec<Value> {
        list.iter().filter(|one| other.contains(&one.to_string()) == inside).cloned().collect()
    };
    let repeated = before.len() < was.len() || after.len() < is.len();
    if repeated || beside(was, &after, true) != beside(is, &before, true) {
        return (Vec::new(), Vec::new());
    }
    (beside(is, &before, false), beside(was, &after, false))
}
