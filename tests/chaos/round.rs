//! One run: a cluster is made, troubled and judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use biplane::kernel::domain::AccessRole;
use serde_json::{Value, json};

use super::admins::{self, ADMINS};
use super::api::Api;
use super::books::tally;
use super::files::{Files, GROUPS, NODES};
use super::history::{Ask, History, Told};
use super::schedule::Schedule;
use super::strike::Strikes;
use super::users;
use super::verdict::{Evidence, judge, until};
use super::watchers;
use super::world::World;

/// A cluster is well within this after its start.
const START: Duration = Duration::from_secs(60);
/// Clients work on for this long after everything was healed.
const AFTER: Duration = Duration::from_secs(1);

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) length: Duration,
    pub(crate) dir: PathBuf,
    pub(crate) biplane: PathBuf,
}

/// Runs it; an error is a fault of the suite's surroundings, findings are in the result.
pub(crate) fn run(plan: &Plan) -> Result<Value, String> {
    let length = u64::try_from(plan.length.as_millis()).unwrap_or(u64::MAX);
    let schedule = Schedule::draw(plan.seed, length);
    let files = Files::make(&plan.dir, &plan.biplane)?;
    let words: Vec<String> = schedule.troubles.iter().map(ToString::to_string).collect();
    super::files::write(&plan.dir.join("schedule"), &(words.join("\n") + "\n"))?;
    let mut world = World::build(files, plan.biplane.clone(), schedule.odd)?;
    start_all(&mut world)?;
    let tls = super::api::tls(&world.files.cluster())?;
    let admin = std::fs::read_to_string(world.files.cluster().join("token"));
    let admin = admin.map_err(|error| error.to_string())?.trim().to_owned();
    let first_apis: Vec<Api> = (0..NODES.len()).map(|node| Api::new(node, &tls, &admin)).collect();
    until(START, || well(&first_apis[0]))?;
    let tokens = (0..ADMINS)
        .map(|number| new_token(&first_apis[0], &format!("c{number}")))
        .collect::<Result<Vec<_>, _>>()?;
    events_are_kept(&first_apis[0])?;
    let first = [first_state(&first_apis[0], 0)?, first_state(&first_apis[0], 1)?];

    world.began = Instant::now();
    let history = History::new(world.began);
    let (seen, watched) = (users::AllSeen::default(), watchers::AllWatched::default());
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = watchers::start(world.began, &tls, &admin, &watched, &stop);
    threads.extend(users::start(&world.lives, &seen, &stop));
    threads.extend(admins::start(plan.seed, &tls, &tokens, &history, &stop));
    let (watched_too, history_too) = (Arc::clone(&watched), history.clone());
    let mut strikes = Strikes::new(world, watched_too, history_too, tls.clone(), admin.clone());
    trouble(&mut strikes, &schedule, length)?;
    sleep(AFTER);
    halt(&stop, threads, &mut strikes);

    let operations = history.operations();
    let counts = tally(&operations);
    super::files::write(&plan.dir.join("history"), &written(&operations))?;
    let verdict = judge(Evidence {
        strikes: &mut strikes,
        tls: &tls,
        token: &admin,
        seen: &seen,
        watched: &watched,
        first,
        operations,
        biplane: &plan.biplane,
    });
    if !verdict.findings.is_empty() {
        keep_data(&strikes.world);
    }
    let kinds: BTreeMap<&str, (u64, u64)> =
        strikes.counts.iter().map(|(kind, counts)| (kind.name(), *counts)).collect();
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(json!({
        "seed": plan.seed, "kinds": kinds, "operations": counts, "automatic": verdict.automatic, "replayed": verdict.replayed,
        "converged_ms": verdict.converged_ms,
        "outage_ms": seen.longest, "served": seen.served, "failed": seen.failed,
        "resolved": seen.resolved, "findings": verdict.findings,
    }))
}

fn start_all(world: &mut World) -> Result<(), String> {
    for plane in 0..2 {
        world.start_plane(plane)?;
    }
    for node in 0..NODES.len() {
        world.start_node(node)?;
    }
    world.start_gateway()
}

/// Whether everything is up, seen by everybody.
fn well(api: &Api) -> Result<(), String> {
    let status = api.get("/v1/status").map_err(|error| error.to_string())?;
    let mut services = 0;
    for group in status["groups"].as_array().into_iter().flatten() {
        for service in group["services"].as_array().into_iter().flatten() {
            for shown in
                service["planes"].as_object().into_iter().flat_map(|planes| planes.values())
            {
                let reports = shown["reports"].as_object().into_iter().flatten();
                if shown["verdict"] != "up" || reports.filter(|seen| seen.1 == "up").count() < 3 {
                    return Err(format!("{}: {shown}", service["name"]));
                }
                services += 1;
            }
        }
    }
    if services == 6 && status["gateways"].as_array().is_some_and(|list| list.len() == 1) {
        return (0..GROUPS.len()).try_for_each(|group| users::fetch(group).map(|_| ()));
    }
    Err(format!("{services} services on planes, gateways: {}", status["gateways"]))
}

fn new_token(api: &Api, name: &str) -> Result<String, String> {
    let mut again = 0;
    until(START, || {
        again += 1;
        let name = if again == 1 { name.to_owned() } else { format!("{name}-{again}") };
        api.make_token(&name, AccessRole::Operator).map_err(|error| error.to_string())
    })
}

/// Until every member knows how, events are not kept; the records are made of them.
fn events_are_kept(api: &Api) -> Result<(), String> {
    until(START, || {
        for on in [true, false] {
            api.ask(&Ask::Freeze { group: 0, on, reason: "the beginning".to_owned() });
        }
        let kept = api.get("/v1/events").map_err(|error| error.to_string())?;
        let some = kept["events"]
            .as_array()
            .is_some_and(|list| list.iter().any(|event| event["kind"] == "freeze"));
        if some { Ok(()) } else { Err("no events are kept".to_owned()) }
    })
}

fn first_state(api: &Api, group: usize) -> Result<(u64, String), String> {
    until(START, || match api.ask(&Ask::Group { group }) {
        Told::Group { epoch, plane, frozen: None } => Ok((epoch, plane)),
        other => Err(format!("{other:?}")),
    })
}

/// Carries the plan out, and ends everything in it.
fn trouble(strikes: &mut Strikes, schedule: &Schedule, length: u64) -> Result<(), String> {
    let mut next = 0;
    loop {
        let now = strikes.world.now();
        for number in strikes.due(now) {
            strikes.end(number)?;
        }
        while let Some(trouble) = schedule.troubles.get(next).filter(|trouble| trouble.at <= now) {
            strikes.begin(next, trouble)?;
            next += 1;
        }
        strikes.go_on()?;
        let ended = strikes.world.ended();
        if !ended.is_empty() {
            strikes.findings.extend(ended);
            return heal(strikes);
        }
        if now >= length {
            return heal(strikes);
        }
        sleep(Duration::from_millis(20));
    }
}

fn heal(strikes: &mut Strikes) -> Result<(), String> {
    strikes.due(u64::MAX).into_iter().try_for_each(|number| strikes.end(number))?;
    strikes.healed = strikes.world.now();
    Ok(())
}

fn halt(stop: &AtomicBool, threads: Vec<JoinHandle<()>>, strikes: &mut Strikes) {
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        if thread.join().is_err() {
            strikes.findings.push("a client of the suite panicked".to_owned());
        }
    }
}

fn written(operations: &[super::history::Operation]) -> String {
    let line = |operation: &super::history::Operation| {
        format!("{} {} {}\n", operation.call, operation.end, operation.words())
    };
    operations.iter().map(line).collect()
}

/// The disks go with this process: what is on them is kept beside.
fn keep_data(world: &World) {
    for (node, name) in NODES.iter().enumerate() {
        let (from, to) = (world.files.data(node), world.files.dir.join(format!("data-{name}")));
        let copied = super::network::run(&["cp", "-a", path(&from), path(&to)]);
        if let Err(why) = copied {
            eprintln!("{why}");
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("our paths are ASCII")
}
