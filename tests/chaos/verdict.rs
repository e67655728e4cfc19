//! The end of a run: everything is healed, and then all must agree, and nothing may be missing.

use std::path::Path;
use std::process::Command;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::api::{Api, Tls, counter};
use super::books::{Records, audit, shown};
use super::bulk;
use super::diagnosis;
use super::files::{GROUPS, NODES, PLANES};
use super::history::{Ask, Told};
use super::revoke::is_refusal;
use super::strike::Strikes;
use super::users::{self, AllSeen};
use super::watchers::AllWatched;
use super::world::World;

/// Healed, the cluster agrees within this.
const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Looks again and again until it is so; gives what is missing when the time is over.
pub(crate) fn until<T>(
    limit: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(missing) if began.elapsed() > limit => {
                return Err(format!("after {} s: {missing}", limit.as_secs()));
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// What the verdict is made of.
pub(crate) struct Evidence<'a> {
    pub(crate) strikes: &'a mut Strikes,
    pub(crate) tls: &'a Tls,
    /// The first admin's.
    pub(crate) token: &'a str,
    pub(crate) seen: &'a AllSeen,
    pub(crate) watched: &'a AllWatched,
    pub(crate) first: [(u64, String); 2],
    pub(crate) operations: Vec<super::history::Operation>,
    pub(crate) biplane: &'a Path,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) findings: Vec<String>,
    /// Automatic switchovers.
    pub(crate) automatic: usize,
    /// Journals that replayed.
    pub(crate) replayed: usize,
    /// How long it took until all agreed, after everything was healed. Clients worked on meanwhile, for a second.
    pub(crate) converged_ms: u64,
}

/// Heals what is left, waits until all agree, and looks at everything.
pub(crate) fn judge(evidence: Evidence<'_>) -> Verdict {
    let Evidence { strikes, tls, token, seen, watched, first, operations, biplane } = evidence;
    let halted = strikes.world.now();
    let mut findings = std::mem::take(&mut strikes.findings);
    let apis: Vec<Api> = (0..NODES.len()).map(|node| Api::new(node, tls, token)).collect();
    findings.extend(released(&apis).err().map(|why| format!("guards cannot be lifted: {why}")));
    let agreed = until(LIMIT, || agreed(&apis));
    let converged_ms = strikes.world.now().saturating_sub(strikes.healed);
    if let Err(why) = agreed {
        findings.push(format!("not converged {why}"));
        findings.extend(diagnosis::take(&strikes.world, &apis).err());
    }
    for (name, token) in &strikes.revoked {
        let refused = until(LIMIT, || refused_everywhere(name, token, tls));
        findings.extend(refused.err());
    }
    let kept = until(LIMIT, || apis[0].get("/v1/config").map_err(|error| error.to_string()));
    match kept {
        Ok(kept) => findings.extend(bulk::missing(&strikes.configured, &kept)),
        Err(why) => findings.push(format!("the configuration cannot be read: {why}")),
    }
    let mut automatic = 0;
    match records(&apis, first) {
        Ok(records) => {
            findings.extend(audit(&operations, &records));
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            findings.extend(seen.faults.iter().cloned());
            findings.extend(shown(&seen.shown, &records));
            let own = records.switchovers.iter().filter(|record| record["kind"] == "automatic");
            automatic = own.clone().count();
            let causeless = |record| causeless(record, &strikes.world, watched, halted);
            findings.extend(own.filter_map(causeless));
        }
        Err(why) => findings.push(format!("the records cannot be read: {why}")),
    }
    findings.extend(strikes.world.ended());
    findings.extend(panics(&strikes.world));
    let (replayed, faults) = replays(strikes, biplane);
    findings.extend(faults);
    Verdict { findings, automatic, replayed, converged_ms }
}

/// Ends every freeze and drain.
fn released(apis: &[Api]) -> Result<(), String> {
    let reason = || "the end".to_owned();
    let freezes = (0..GROUPS.len()).map(|group| Ask::Freeze { group, on: false, reason: reason() });
    let drains = (0..PLANES.len()).map(|plane| Ask::Drain { plane, on: false, reason: reason() });
    for ask in freezes.chain(drains) {
        until(LIMIT, || {
            let told = apis.iter().map(|api| api.ask(&ask)).find(|told| matches!(told, Told::Done));
            told.map(|_| ()).ok_or_else(|| format!("{ask:?}"))
        })?;
    }
    Ok(())
}

/// Whether all three nodes, their DNS servers and the gateway tell the same, and nothing is under way.
fn agreed(apis: &[Api]) -> Result<(), String> {
    let mut all: Vec<Value> = Vec::new();
    for (node, api) in apis.iter().enumerate() {
        let status = api.get("/v1/status?stale=true").map_err(|error| error.to_string())?;
        if status["quorum"] != true || status["leader"].is_null() {
            return Err(format!("{} has no quorum", NODES[node]));
        }
        for member in status["members"].as_array().into_iter().flatten() {
            if member["role"] != "leader" && member["role"] != "follower" {
                return Err(format!("{} calls {} {}", NODES[node], member["name"], member["role"]));
            }
        }
        all.push(status);
    }
    for key in ["leader", "config_version", "planes"] {
        if all.iter().any(|status| status[key] != all[0][key]) {
            return Err(format!(
                "{key} differs: {:?}",
                all.iter().map(|s| &s[key]).collect::<Vec<_>>()
            ));
        }
    }
    for (group, (name, ..)) in GROUPS.iter().enumerate() {
        let groups: Vec<&Value> = all.iter().map(|status| group_of(status, name)).collect();
        let place = |shown: &Value| {
            (shown["epoch"].clone(), shown["plane"].clone(), shown["frozen"].clone())
        };
        if groups.iter().any(|shown| place(shown) != place(groups[0])) {
            return Err(format!(
                "{name} differs: {:?}",
                groups.iter().map(|g| place(g)).collect::<Vec<_>>()
            ));
        }
        settled(groups[0])?;
        let plane = groups[0]["plane"].as_str().unwrap_or_default();
        let epoch = counter(&groups[0]["epoch"]).ok_or("no epoch")?;
        served(group, epoch, plane)?;
    }
    let unfinished =
        apis[0].get("/v1/switchovers?stale=true").map_err(|error| error.to_string())?;
    let ended = ["done", "undone", "stuck", "overtaken"];
    for record in unfinished.as_array().into_iter().flatten() {
        if !ended.iter().any(|state| record["state"] == *state) {
            return Err(format!("switchover {} is {}", record["id"], record["state"]));
        }
    }
    Ok(())
}

fn group_of<'a>(status: &'a Value, name: &str) -> &'a Value {
    let mut groups = status["groups"].as_array().into_iter().flatten();
    groups.find(|group| group["name"] == name).unwrap_or(&Value::Null)
}

/// Every observer calls every service up on both planes, and the policy is content.
fn settled(group: &Value) -> Result<(), String> {
    for service in group["services"].as_array().into_iter().flatten() {
        for (plane, shown) in service["planes"].as_object().into_iter().flatten() {
            if shown["verdict"] != "up" {
                return Err(format!("{} on {plane} is {shown}", service["name"]));
            }
        }
    }
    if group["decision"] == "stay" {
        Ok(())
    } else {
        Err(format!("{}: {}", group["name"], group["because"]))
    }
}

fn served(group: usize, epoch: u64, plane: &str) -> Result<(), String> {
    let fetched = users::fetch(group).map_err(|why| format!("through the gateway: {why}"))?;
    if PLANES[fetched] != plane {
        return Err(format!("the gateway serves {}, the route is {plane}", PLANES[fetched]));
    }
    for (node, name) in NODES.iter().enumerate() {
        let by_dns = users::resolve(node, group).map_err(|why| format!("DNS of {name}: {why}"))?;
        if by_dns != (epoch, plane.to_owned()) {
            return Err(format!("DNS of {name} shows {by_dns:?}, the route is {plane}, {epoch}"));
        }
        let to =
            users::resolve_address(node, group).map_err(|why| format!("DNS of {name}: {why}"))?;
        if PLANES[to] != plane {
            return Err(format!("DNS of {name} sends users to {}", PLANES[to]));
        }
    }
    Ok(())
}

fn refused_everywhere(name: &str, token: &str, tls: &Tls) -> Result<(), String> {
    for (node, of) in NODES.iter().enumerate() {
        match Api::new(node, tls, token).get("/v1/planes?stale=true") {
            Err(error) if is_refusal(&error) => {}
            Ok(_) => return Err(format!("{of} lets {name} in, which is revoked")),
            Err(error) => return Err(format!("{of} does not refuse {name}: {error}")),
        }
    }
    Ok(())
}

fn records(apis: &[Api], first: [(u64, String); 2]) -> Result<Records, String> {
    until(LIMIT, || {
        let read = |path: &str| apis[0].get(path).map_err(|error| error.to_string());
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let events = read("/v1/events")?;
        if events["gap"] == true {
            return Err("more happened than events are kept: runs are too long".to_owned());
        }
        Ok(Records {
            switchovers: list(&read("/v1/switchovers")?),
            events: list(&events["events"]),
            first: first.clone(),
        })
    })
}

/// An automatic switchover away from a plane that nothing was done to.
fn causeless(record: &Value, world: &World, watched: &AllWatched, halted: u64) -> Option<String> {
    let id = record["id"].as_str()?;
    let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
    // One that no watcher saw began when they had gone.
    let seen = watched.begun.get(id).copied().unwrap_or(halted);
    let from = PLANES.iter().position(|plane| record["from"] == *plane)?;
    if world.harm.excuses(from, seen) {
        return None;
    }
    let (group, cause) = (&record["group"], &record["cause"]);
    Some(format!(
        "false switch: {id} of {group} away from {}, first seen at {seen} ms: {cause}; {}",
        PLANES[from], record["ballots"]
    ))
}

/// Panics in any log.
fn panics(world: &World) -> Vec<String> {
    let names = NODES.iter().chain(&["gateway"]);
    let lines = names.flat_map(|name| {
        let said = std::fs::read(world.files.log(name)).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let bad = |line: &&str| line.contains("panicked") || line.contains("this is a bug");
        said.lines().filter(bad).map(|line| format!("{name}: {line}")).collect::<Vec<_>>()
    });
    lines.collect()
}

/// Every node's journal, recomputed: how many are good, and what is wrong with the others. None where this program
/// keeps none.
fn replays(strikes: &mut Strikes, biplane: &Path) -> (usize, Vec<String>) {
    let known = Command::new(biplane).args(["replay", "--help"]).output();
    if !known.is_ok_and(|known| known.status.success()) {
        return (0, Vec::new());
    }
    let (mut good, mut faults) = (0, Vec::new());
    for (node, name) in NODES.iter().enumerate() {
        strikes.world.kill_node(node);
        let ended =
            Command::new(biplane).arg("replay").arg(strikes.world.files.data(node)).output();
        match ended {
            Ok(ended) if ended.status.success() => good += 1,
            Ok(ended) => {
                let words = [ended.stdout, ended.stderr].concat();
                let said = String::from_utf8_lossy(&words).into_owned();
                faults.push(format!("the journal of {name} does not replay: {said}"));
            }
            Err(error) => faults.push(format!("replay: {error}")),
        }
    }
    (good, faults)
}
