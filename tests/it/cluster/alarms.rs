//! A group that asks: a person is told by a signed webhook and by a program, answers on the command line, and the group
//! moves.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use biplane::edge::notify::signature;
use serde_json::Value;

use super::super::process::until;
use super::super::world::{EAST, LIMIT, NODES, WEST, World};
use super::alone;
use super::config::{done, in_force, written};

const SECRET: &str = "a secret of more than sixteen bytes";

/// A webhook's receiver. The first message of each kind is turned away, so that it must come again.
struct Pager {
    address: SocketAddr,
    messages: Receiver<(String, Value)>,
    turned_away: Receiver<Value>,
}

impl Pager {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, messages) = channel();
        let (refused, turned_away) = channel();
        std::thread::spawn(move || {
            let mut refused = Some(refused);
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let asked = read_request(&mut stream);
                let (head, body) = asked.split_once("\r\n\r\n").expect("a head and a body");
                let message: Value = serde_json::from_str(body).expect("JSON");
                let first = refused.take_if(|_| message["phase"] == "raised");
                let answer = if let Some(refused) = first {
                    if refused.send(message["id"].clone()).is_err() {
                        return;
                    }
                    "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
                } else {
                    if sender.send((checked(head, body), message)).is_err() {
                        return;
                    }
                    "HTTP/1.1 204 Thanks\r\n\r\n"
                };
                // Who has gone away does not need the answer.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, messages, turned_away }
    }

    /// Waits for a message.
    fn hears(&self, phase: &str, kind: &str) -> Value {
        let began = Instant::now();
        let mut others = Vec::new();
        while began.elapsed() < LIMIT {
            let Ok((_, message)) = self.messages.recv_timeout(LIMIT) else { break };
            let kind_fits = kind.is_empty() || message["kind"] == kind;
            if message["phase"] == phase && kind_fits {
                return message;
            }
            others.push(message);
        }
        panic!("no {phase} {kind} among {others:#?}");
    }
}

fn read_request(stream: &mut std::net::TcpStream) -> String {
    let mut text = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let whole = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            let length = field(head, "content-length").parse::<usize>().expect("a length");
            if body.len() >= length {
                return whole;
            }
        }
        let read = stream.read(&mut bytes).expect("a request");
        assert!(read > 0, "it breaks off: {whole}");
        text.extend_from_slice(&bytes[..read]);
    }
}

fn field(head: &str, name: &str) -> String {
    let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
    line.and_then(|line| Some(line.split_once(": ")?.1.to_owned())).expect("the field")
}

/// The notice's id, if the signature is that of the body.
fn checked(head: &str, body: &str) -> String {
    let given = field(head, "biplane-signature");
    let seconds = given[2..].split_once(',').expect("t=…,v1=…").0.parse().expect("seconds");
    assert_eq!(given, signature(SECRET.as_bytes(), seconds, body.as_bytes()));
    field(head, "biplane-notice")
}

/// A cluster whose nodes know a secret and a program, and whose group asks.
fn asking(pager: &Pager) -> World {
    let world = World::steady_prepared(&[], |world| {
        std::fs::write(world.file("pager.secret"), format!("{SECRET}\n")).unwrap();
        let log = world.file("told.log");
        for node in NODES {
            let file = world.file(&format!("{node}/node.toml"));
            let text = std::fs::read_to_string(&file).unwrap();
            let more = format!(
                "\n[notify.pager]\nsecret = \"../pager.secret\"\n[notify.script]\n\
                 program = [\"/bin/sh\", \"-c\", \"cat >> {}\"]\n",
                log.display()
            );
            std::fs::write(&file, text + &more).unwrap();
        }
    });
    let text = in_force(&world);
    let notify = format!(
        "\n[notify.pager]\nwebhook = \"http://{}/hook\"\nalive = \"1s\"\n[notify.script]\nprogram = true\n",
        pager.address
    );
    let file = written(&world, &(text + &notify), &[("mode = \"auto\"", "mode = \"ask\"")]);
    // Until every member knows the rules, it is not taken.
    until(LIMIT, || match world.biplane(&["config", "apply", &file, "--reason", "ask first"]) {
        (Some(0), _) => Ok(()),
        (_, said) => Err(said),
    });
    world.is_well(EAST);
    world
}

#[test]
fn a_person_is_told_answers_and_the_group_moves() {
    let _turn = alone();
    let pager = Pager::start();
    let mut world = asking(&pager);
    pager.hears("alive", "");
    world.kill_plane(EAST);
    let raised = pager.hears("raised", "ask");
    assert_eq!((&raised["cluster"], &raised["group"]), (&"world".into(), &"shop".into()));
    // Told again under the same id: who has it may drop it.
    assert_eq!(pager.turned_away.try_recv().as_ref(), Ok(&raised["id"]));
    until(LIMIT, || {
        let told = std::fs::read_to_string(world.file("told.log")).unwrap_or_default();
        if told.contains("\"kind\":\"ask\"") { Ok(()) } else { Err(told) }
    });
    let pending = done(&world, &["pending"]);
    assert!(pending.contains("open") && pending.contains("shop"), "{pending}");
    let alarms = done(&world, &["alarms"]);
    let id = alarms.split_whitespace().find(|word| word.starts_with('a') && word.contains('-'));
    let id = id.expect("an id").to_owned();
    let said = done(&world, &["ack", &id, "--reason", "looking"]);
    assert!(said.contains("acknowledged"), "{said}");
    pager.hears("acknowledged", "ask");
    assert!(world.switchovers().is_empty(), "nothing moved before the answer");

    let said = done(&world, &["approve", "shop", "--reason", "east is gone"]);
    assert!(said.contains("shop is on west"), "{said}");
    world.users_are_on(WEST);
    let last = world.last_ended();
    assert_eq!((&last["kind"], &last["by"]), (&"approved".into(), &"admin".into()), "{last:#}");
    pager.hears("cleared", "ask");
    let (code, said) = world.biplane(&["approve", "shop"]);
    assert!(code == Some(1) && said.contains("nothing is asked"), "{said}");
    let events = done(&world, &["events"]);
    assert!(events.contains("approved by admin: east is gone"), "{events}");
}

#[test]
fn an_alarm_of_a_lost_member_is_told_by_whoever_leads_and_is_over_when_it_is_back() {
    let _turn = alone();
    let pager = Pager::start();
    let mut world = asking(&pager);
    let leader = world.leader();
    world.kill_node(leader);
    let raised = pager.hears("raised", "member-lost");
    assert_eq!(raised["subject"], NODES[leader]);
    let metrics = until(LIMIT, || {
        let other = (leader + 1) % NODES.len();
        let text = world.api_of(other).text("/metrics")?;
        let line = "biplane_alarms{kind=\"member-lost\"} 1";
        if text.lines().any(|l| l == line) { Ok(text) } else { Err(text) }
    });
    assert!(metrics.contains("biplane_alarms{kind=\"held\"} 0"), "{metrics}");
    world.start_node(leader);
    pager.hears("cleared", "member-lost");
}

#[test]
fn a_freeze_for_a_time_ends_by_itself_and_says_whose_it_is() {
    let _turn = alone();
    let world = World::steady();
    let said = until(LIMIT, || match world.biplane(&["freeze", "shop", "--for", "3s"]) {
        (Some(0), said) => Ok(said),
        (_, said) => Err(said),
    });
    assert!(said.contains("for 3.0 s"), "{said}");
    let group = world.api().get("/v1/groups/shop").unwrap();
    assert_eq!(group["frozen_by"]["by"], "admin", "{group:#}");
    assert!(group["frozen_by"]["until"].is_u64(), "{group:#}");
    until(LIMIT, || {
        let group = world.api().get("/v1/groups/shop")?;
        if group["frozen"].is_null() { Ok(()) } else { Err(group.to_string()) }
    });
    let (code, said) = world.biplane(&["freeze", "shop", "--for", "soon"]);
    assert!(code == Some(2) && said.contains("write for example 90s"), "{said}");
    let body = serde_json::json!({ "on": true, "for_ms": 0 });
    let refused = world.api().post("/v1/groups/shop/freeze", &body).unwrap_err();
    assert!(refused.contains("from 1 to 31536000000"), "{refused}");
}

#[test]
fn failed_logins_stand_in_the_log_and_wake_somebody() {
    let _turn = alone();
    let world = World::steady();
    done(&world, &["status"]);
    let bad = tempfile::tempdir().unwrap();
    for file in ["client.toml", "ca.crt"] {
        std::fs::copy(world.file(file), bad.path().join(file)).unwrap();
    }
    let client = std::fs::read_to_string(world.file("client.toml")).unwrap();
    let name = client.lines().find_map(|line| line.strip_prefix("token = ")).expect("a token file");
    std::fs::write(bad.path().join(name.trim_matches('"')), "no-such-token\n").unwrap();
    let dir = bad.path().to_str().expect("ASCII");
    let (code, said) = world.biplane(&["status", "--dir", dir]);
    assert!(code == Some(1), "{said}");
    until(LIMIT, || {
        let events = world.api().get("/v1/events")?.to_string();
        if events.contains("failed logins at") { Ok(()) } else { Err(events) }
    });
    until(LIMIT, || {
        let alarms = world.api().get("/v1/alarms")?.to_string();
        if alarms.contains("\"logins\"") { Ok(()) } else { Err(alarms) }
    });
}
