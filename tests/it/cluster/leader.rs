//! The leader's death, pause and polite end.

use std::io::Write as _;
use std::time::Duration;

use biplane::edge::identity::api_client_tls;
use rustix::process::Signal;
use serde_json::Value;

use super::super::hostile::wire::{Tls, connect_tls, exchange};
use super::super::process::until;
use super::super::world::{EAST, LIMIT, NODES, PLANES, WEST, World};
use super::{alone, only_automatic};

/// Begins a switch that cannot be verified yet: the gateway is stopped and shows nothing. Gives its id.
fn in_mid_switch(world: &World) -> String {
    world.gateway_process().signal(Signal::STOP);
    let id = world.api().switch(WEST, "mid-switch").unwrap();
    until(LIMIT, || state_of(world, &id)?.is("verifying"));
    id
}

/// A switchover's record.
struct Record(Value);

impl Record {
    fn is(&self, state: &str) -> Result<(), String> {
        if self.0["state"] == state { Ok(()) } else { Err(self.0["state"].to_string()) }
    }

    fn has_step(&self, name: &str) -> Result<(), String> {
        let steps: Vec<_> = self.0["steps"].as_array().into_iter().flatten().collect();
        if steps.iter().any(|step| step["step"] == name) { Ok(()) } else { Err(self.0.to_string()) }
    }
}

fn state_of(world: &World, id: &str) -> Result<Record, String> {
    world.api().get(&format!("/v1/switchovers/{id}")).map(Record)
}

/// It was unfinished when a new leader took it over; the gateway wakes, and it ends as it was meant to.
fn is_carried_out(world: &World, id: &str) {
    let taken_over = until(LIMIT, || {
        let record = state_of(world, id)?;
        record.has_step("leader-changed").map(|()| record)
    });
    let unfinished = taken_over.is("verifying");
    world.gateway_process().signal(Signal::CONT);
    assert_eq!(unfinished, Ok(()), "unfinished when it was taken over");
    until(LIMIT, || state_of(world, id)?.is("done"));
}

#[test]
fn the_leader_dies_in_mid_switch_and_what_was_acknowledged_is_carried_out() {
    let _turn = alone();
    let mut world = World::steady();
    let leader = world.leader();
    let id = in_mid_switch(&world);
    world.kill_node(leader);
    is_carried_out(&world, &id);
    world.users_are_on(WEST);
    world.start_node(leader);
    world.is_well(WEST);
    assert_eq!(world.switchovers().len(), 1);
}

#[test]
fn all_three_are_restarted_in_mid_switch_and_carry_it_out() {
    let _turn = alone();
    let mut world = World::steady();
    let id = in_mid_switch(&world);
    (0..NODES.len()).for_each(|node| world.kill_node(node));
    (0..NODES.len()).for_each(|node| world.start_node(node));
    is_carried_out(&world, &id);
    world.is_well(WEST);
    assert_eq!(world.switchovers().len(), 1);
}

#[test]
fn the_leader_dies_with_the_active_plane_and_the_others_switch() {
    let _turn = alone();
    let mut world = World::steady();
    let leader = world.leader();
    world.kill_node(leader);
    world.kill_plane(EAST);
    world.users_are_on(WEST);
    world.start_node(leader);
    world.start_plane(EAST);
    world.is_well(WEST);
    only_automatic(&world, 1);
}

#[test]
fn a_leader_that_is_asked_to_stop_hands_over_first() {
    let _turn = alone();
    let mut world = World::steady();
    let leader = world.leader();
    let term = world.api().get("/v1/status").unwrap()["term"].clone();
    world.signal_node(leader, Signal::TERM);
    world.node_ended(leader);
    let status = until(LIMIT, || {
        let status = world.api().get("/v1/status")?;
        match status["leader"].as_str() {
            Some(name) if name != NODES[leader] => Ok(status),
            other => Err(format!("{other:?} leads")),
        }
    });
    let terms = status["term"].as_u64().unwrap() - term.as_u64().unwrap();
    assert_eq!(terms, 1, "one term later, without a failed election between");
    world.start_node(leader);
    world.is_well(EAST);
    assert!(world.switchovers().is_empty());
}

/// So many rounds: `BIPLANE_ROUNDS`, or two.
fn rounds() -> usize {
    std::env::var("BIPLANE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

/// What is asked of a node that was stopped, and where the plane stands in the answer.
const QUESTIONS: [(&str, &str); 4] = [
    ("/v1/status", "/groups/0/plane"),
    ("/v1/groups", "/0/plane"),
    ("/v1/explain/shop", "/group/plane"),
    ("/v1/switchovers/last", "/to"),
];

/// Connections to a node, one for each question, greeted and ready.
struct Asker {
    open: Vec<Tls>,
    token: String,
}

impl Asker {
    fn of(world: &World, node: usize) -> Self {
        let tls = api_client_tls(&world.file("ca.crt")).unwrap();
        let token = std::fs::read_to_string(world.file("token")).unwrap().trim().to_owned();
        let connected = |_: &_| {
            let mut open = connect_tls(world.api_address(node), &tls, "127.0.0.1").unwrap();
            open.conn.complete_io(&mut open.sock).unwrap();
            open
        };
        Self { open: QUESTIONS.iter().map(connected).collect(), token }
    }

    /// Sends the questions; they wait in the node's sockets while it is stopped.
    fn ask(&mut self) {
        for (open, (path, _)) in self.open.iter_mut().zip(QUESTIONS) {
            let token = &self.token;
            let request = format!(
                "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
            );
            open.write_all(request.as_bytes()).unwrap();
            open.flush().unwrap();
        }
    }

    /// The answers that name a plane. The others are refusals.
    fn answers(self) -> Vec<(&'static str, String)> {
        let mut planes = Vec::new();
        for (open, (path, place)) in self.open.into_iter().zip(QUESTIONS) {
            let answer = String::from_utf8(exchange(open, b"")).unwrap();
            let Some((head, body)) = answer.split_once("\r\n\r\n") else { continue };
            if head.starts_with("HTTP/1.1 200") {
                let body: Value = serde_json::from_str(body).unwrap();
                let plane = body.pointer(place).unwrap_or_else(|| panic!("{path}: {body}"));
                planes.push((path, plane.as_str().unwrap().to_owned()));
            } else {
                assert!(head.starts_with("HTTP/1.1 503"), "{path}: {head}");
            }
        }
        planes
    }
}

#[test]
fn a_leader_that_was_paused_never_tells_the_old_route() {
    let _turn = alone();
    let world = World::steady();
    let (mut on, mut answered) = (EAST, 0);
    for round in 0..rounds() {
        let leader = world.leader();
        let mut asker = Asker::of(&world, leader);
        world.signal_node(leader, Signal::STOP);
        let stopped = std::time::Instant::now();
        let others: Vec<_> =
            (0..NODES.len()).filter(|n| *n != leader).map(|n| world.api_of(n)).collect();
        let to = if on == EAST { WEST } else { EAST };
        until(LIMIT, || {
            let key = format!("round-{round}");
            others[0].switch(to, &key).or_else(|_| others[1].switch(to, &key))
        });
        until(LIMIT, || {
            let last = others[0].get("/v1/switchovers/last")?;
            if last["state"] == "done" { Ok(()) } else { Err(last["state"].to_string()) }
        });
        // The pause is part of the promise: three seconds, whatever the others did meanwhile.
        std::thread::sleep(Duration::from_secs(3).saturating_sub(stopped.elapsed()));
        // The questions are there before it wakes: nothing can be asked sooner.
        asker.ask();
        world.signal_node(leader, Signal::CONT);
        for (path, plane) in asker.answers() {
            assert_eq!(plane, PLANES[to], "round {round}, {path}");
            answered += 1;
        }
        on = to;
        world.is_well(on);
    }
    let asked = rounds() * QUESTIONS.len();
    println!(
        "FIGURES paused leader: {} rounds, {answered} of {asked} questions answered",
        rounds()
    );
    // A refusal is honest; nothing but refusals would prove nothing.
    assert!(answered * 2 > asked, "{answered} of {asked} answered");
    assert_eq!(world.switchovers().len(), rounds());
}

#[test]
fn a_key_is_one_switchover_at_another_node_after_the_leaders_death_and_no_other_request() {
    let _turn = alone();
    let mut world = World::steady();
    let leader = world.leader();
    let moved = world.api_of(leader).switch(WEST, "key").unwrap();
    world.kill_node(leader);
    let [one, two] = world.living().collect::<Vec<_>>()[..] else { panic!("two are left") };
    assert_eq!(until(LIMIT, || world.api_of(one).switch(WEST, "key")), moved);
    let refused = until(LIMIT, || match world.api_of(two).switch(EAST, "key") {
        Err(why) if why.contains("was used for another request") => Ok(why),
        other => Err(format!("{other:?}")),
    });
    assert!(refused.contains("`key`"), "{refused}");
    let last = world.last_ended();
    assert_eq!((&last["id"], &last["state"]), (&moved.as_str().into(), &"done".into()));
}
