//! Events of a cluster whose nodes come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use biplane::edge::api::FreezeBody;
use biplane::edge::api::client::EventNews;
use biplane::kernel::domain::EventId;

use super::super::process::{BIPLANE, until};
use super::super::world::{EAST, LIMIT, NODES, World};
use super::alone;

/// How many things happen, and how often a node dies meanwhile.
const EVENTS: usize = 1_000;
const KILLS: usize = 5;

/// Follows until it is told to stop and has heard `last`; gives what it heard, and how often it moved.
fn follow(world: &World, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<(Vec<String>, usize)> {
    let client = Arc::new(world.api().into_client());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watch = client.events(Some(EventId::default()));
            let (mut heard, mut moves) = (Vec::new(), 0);
            loop {
                match tokio::time::timeout(Duration::from_secs(2), watch.next()).await {
                    Ok(EventNews::Event(event)) => heard.push(event.id.to_string()),
                    Ok(EventNews::Lost { .. }) => moves += 1,
                    Ok(EventNews::Gap) => panic!("a gap after {:?}", heard.last()),
                    // Silence: either nothing happens, or everything is over.
                    Err(_) if stop.load(Ordering::Relaxed) => return (heard, moves),
                    Err(_) => {}
                }
            }
        })
    })
}

#[test]
fn a_watcher_moved_between_nodes_sees_no_gap_and_no_repeat() {
    let _turn = alone();
    let mut world = World::steady();
    let stop = Arc::new(AtomicBool::new(false));
    let watcher = follow(&world, Arc::clone(&stop));
    let (api, mut done) = (world.api(), 0);
    let mut killed: Option<usize> = None;
    for number in 0..EVENTS {
        if number % (EVENTS / KILLS) == EVENTS / KILLS / 2 {
            let node = (number / (EVENTS / KILLS)) % NODES.len();
            world.kill_node(node);
            killed = Some(node);
        }
        if let Some(node) = killed.filter(|_| number % (EVENTS / KILLS) == 0) {
            world.start_node(node);
            killed = None;
        }
        let body = FreezeBody {
            on: number % 2 == 0,
            reason: format!("number {number}"),
            for_ms: None,
            abort: false,
        };
        until(LIMIT, || api.post("/v1/groups/shop/freeze", &body));
        done += 1;
    }
    if let Some(node) = killed {
        world.start_node(node);
    }
    world.users_are_on(EAST);
    stop.store(true, Ordering::Relaxed);
    let (heard, moves) = watcher.join().unwrap();
    assert!(moves >= 1, "the watcher was never moved");
    let kept = until(LIMIT, || world.api().get("/v1/events"));
    assert_eq!(kept["gap"], false);
    let list = kept["events"].as_array().unwrap();
    let logged: Vec<&str> = list.iter().filter_map(|event| event["id"].as_str()).collect();
    // Between the watcher's last silence and this list something may have happened that is none of ours.
    let (till_then, later) = logged.split_at(heard.len().min(logged.len()));
    assert_eq!(heard, till_then, "heard and kept");
    let after = &list[list.len() - later.len()..];
    assert!(after.iter().all(|event| event["kind"] != "freeze"), "not heard: {after:?}");
    let freezes = list.iter().filter(|event| event["kind"] == "freeze").count();
    assert!(freezes >= done, "{freezes} of {done}");
    // The same at every node.
    for node in 0..NODES.len() {
        until(LIMIT, || {
            let here = world.api_of(node).get("/v1/events")?;
            if here["newest"] == kept["newest"] { Ok(()) } else { Err(here["newest"].to_string()) }
        });
    }
}

#[test]
fn a_follower_whose_reader_has_gone_ends() {
    let _turn = alone();
    let world = World::steady();
    let freeze = |on| {
        world.api().post(
            "/v1/groups/shop/freeze",
            &FreezeBody { on, reason: String::new(), for_ms: None, abort: false },
        )
    };
    // Until every member knows the rules, events are not kept.
    until(LIMIT, || {
        freeze(true)?;
        let kept = world.api().get("/v1/events")?;
        let some = kept["events"].as_array().is_some_and(|events| !events.is_empty());
        if some { Ok(()) } else { Err(kept.to_string()) }
    });
    let mut command = std::process::Command::new(BIPLANE);
    command.args(["events", "--follow"]).env("BIPLANE_DIR", world.cluster_dir());
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert!(line.contains("freeze"), "{line}");
    drop(out);
    let status = until(LIMIT, || {
        freeze(false)?;
        child.try_wait().unwrap().ok_or_else(|| "it follows on".to_owned())
    });
    assert!(status.success(), "{status}");
}
