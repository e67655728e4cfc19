//! What differs between two configurations, for people: paths into them, each with what was and what is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::apply_config::with_addresses_of;
use super::cluster::Cluster;
use super::limits::CHANGES_SHOWN;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Where: for example `services.web.checks.http.fall`.
    pub path: String,
    /// What was, as JSON; absent when it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// What is; absent when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Value>,
}

/// The differences, in the order of their paths, and how many there are in all: at most so many are given as
/// [`CHANGES_SHOWN`] says. Members' addresses are not looked at.
pub fn changes(old: &Cluster, new: &Cluster) -> (Vec<Change>, usize) {
    let value = |cluster: &Cluster| {
        serde_json::to_value(cluster).expect("a cluster's maps have text and number keys: all JSON")
    };
    let (was, is) = (value(old), value(&with_addresses_of(new.clone(), old)));
    let mut found = Vec::new();
    compare(String::new(), &was, &is, &mut found);
    let all = found.len();
    found.truncate(CHANGES_SHOWN);
    (found, all)
}

fn compare(path: String, was: &Value, is: &Value, found: &mut Vec<Change>) {
    if was == is {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (was, is) else {
        return found.push(Change { path, was: Some(was.clone()), is: Some(is.clone()) });
    };
    if leaf(old) || leaf(new) {
        return found.push(Change { path, was: Some(was.clone()), is: Some(is.clone()) });
    }
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, was) in old {
        match new.get(key) {
            Some(is) => compare(below(key), was, is, found),
            None => found.push(Change { path: below(key), was: Some(was.clone()), is: None }),
        }
    }
    for (key, is) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        found.push(Change { path: below(key), was: None, is: Some(is.clone()) });
    }
}

/// Whether it is one value that is written as an object: a time span.
fn leaf(object: &serde_json::Map<String, Value>) -> bool {
    object.len() == 2 && object.contains_key("secs") && object.contains_key("nanos")
}
