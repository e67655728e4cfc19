//! What each node knows, watched from its own host, where nothing is cut: when a switchover was first seen, by how much
//! members' clocks differ, where each group is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::api::{Api, Tls, counter};
use super::files::{GROUPS, NODES, PLANES};
use super::network::{Host, Network};

const PAUSE: Duration = Duration::from_millis(150);

/// What was seen, in milliseconds of the run.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// When each switchover was first seen anywhere, by its id.
    pub(crate) begun: BTreeMap<String, u64>,
    /// Clock differences: when, who saw it, whose, by how many milliseconds.
    pub(crate) clocks: Vec<(u64, usize, usize, i64)>,
    /// The newest epoch of each group that was seen anywhere, and its plane.
    pub(crate) routes: [(u64, usize); 2],
}

/// What all watchers saw.
pub(crate) type AllWatched = Arc<Mutex<Watched>>;

/// Starts one for each node.
pub(crate) fn start(
    began: Instant,
    tls: &Tls,
    token: &str,
    watched: &AllWatched,
    stop: &Arc<AtomicBool>,
) -> Vec<JoinHandle<()>> {
    let watcher = |node: usize| {
        let (tls, token) = (Arc::clone(tls), token.to_owned());
        let (watched, stop) = (Arc::clone(watched), Arc::clone(stop));
        std::thread::spawn(move || {
            Network::enter(Host::Node(node)).expect("its namespace was made");
            let api = Api::new(node, &tls, &token);
            let mut since = String::from("e0-0");
            while !stop.load(Ordering::Relaxed) {
                look(node, &api, began, &mut since, &watched);
                std::thread::sleep(PAUSE);
            }
        })
    };
    (0..NODES.len()).map(watcher).collect()
}

fn look(node: usize, api: &Api, began: Instant, since: &mut String, watched: &AllWatched) {
    let now = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Ok(news) = api.get(&format!("/v1/events?stale=true&since={since}")) {
        let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        for event in news["events"].as_array().into_iter().flatten() {
            let begun = event["text"].as_str().and_then(|text| text.split_once(" begun: "));
            if let Some((id, _)) = begun {
                watched.begun.entry(id.to_owned()).or_insert_with(now);
            }
        }
        if let Some(newest) = news["newest"].as_str() {
            newest.clone_into(since);
        }
    }
    let Ok(status) = api.get("/v1/status?stale=true") else { return };
    let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
    for (group, (name, ..)) in GROUPS.iter().enumerate() {
        let mut groups = status["groups"].as_array().into_iter().flatten();
        let Some(shown) = groups.find(|shown| shown["name"] == *name) else { continue };
        let plane = PLANES.iter().position(|plane| shown["plane"] == *plane);
        if let (Some(epoch), Some(plane)) = (counter(&shown["epoch"]), plane) {
            watched.routes[group] = watched.routes[group].max((epoch, plane));
        }
    }
    for member in status["members"].as_array().into_iter().flatten() {
        let whose = NODES.iter().position(|name| member["name"] == *name);
        if let (Some(whose), Some(ahead)) = (whose, clock(member)) {
            watched.clocks.push((now(), node, whose, ahead));
        }
    }
}

fn clock(member: &Value) -> Option<i64> {
    member["clock_ms"].as_i64()
}
