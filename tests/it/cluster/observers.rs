//! Three controllers and two observers beside them: n = 5, m = 3.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use super::super::process::{BIPLANE, until};
use super::super::world::{EAST, LIMIT, WEST, World};
use super::config::{done, in_force, written};
use super::{alone, only_automatic};

const OBSERVERS: [&str; 2] = ["probe-1", "probe-2"];

fn with_observers(text: String) -> String {
    let one = |(id, name): (usize, &&str)| {
        format!("[observers.{name}]\nid = {}\nsite = \"fourth\"\n", 101 + id)
    };
    let observers: String = OBSERVERS.iter().enumerate().map(one).collect();
    format!("{text}\n{observers}")
}

fn watched() -> World {
    let mut world = World::steady_of(with_observers);
    for name in OBSERVERS {
        world.start_observer(name);
        is(&world, name, "observer", "up");
    }
    world
}

/// Waits until status shows an observer in this role, and its report of every service on the plane in use.
fn is(world: &World, name: &str, role: &str, report: &str) {
    until(LIMIT, || {
        let status = world.api().get("/v1/status")?;
        let listed = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let members = listed(&status["members"]);
        let own = members.iter().find(|member| member["name"] == name);
        let own = own.ok_or_else(|| format!("{name} is not listed"))?;
        if own["role"] != role || own["kind"] != "observer" {
            return Err(own.to_string());
        }
        let group = &status["groups"][0];
        let plane = group["plane"].as_str().ok_or("no plane")?.to_owned();
        for service in listed(&group["services"]) {
            let says = &service["planes"][&plane]["reports"][name];
            if *says != report {
                return Err(format!("{name} says {says} of {}", service["name"]));
            }
        }
        Ok(())
    });
}

#[test]
fn observers_make_a_majority_or_leave_it_to_the_members() {
    let _turn = alone();
    let mut world = watched();
    assert!(done(&world, &["status"]).contains("probe-1"));
    for name in OBSERVERS {
        world.observer(name).signal(Signal::STOP);
        is(&world, name, "lost", "unknown");
    }
    let status = done(&world, &["status"]);
    assert!(status.contains("observer probe-1 is lost"), "{status}");
    // Three of five, all of them members.
    world.kill_plane(EAST);
    world.users_are_on(WEST);
    world.start_plane(EAST);
    only_automatic(&world, 1);
    for name in OBSERVERS {
        world.observer(name).signal(Signal::CONT);
        is(&world, name, "observer", "up");
    }
    world.is_well(WEST);
    // Two members and two observers: without one of these it would be two of five.
    world.kill_node(0);
    world.kill_plane(WEST);
    world.users_are_on(EAST);
    let last = only_automatic(&world, 2);
    let voted = OBSERVERS.iter().any(|name| last["ballots"].get(name).is_some());
    assert!(voted, "{last:#}");
    world.start_node(0);
    world.start_plane(WEST);
    world.is_well(EAST);
    // It is a new process each time, and its word counts again.
    world.kill_observer("probe-1");
    is(&world, "probe-1", "lost", "unknown");
    world.start_observer("probe-1");
    is(&world, "probe-1", "observer", "up");
}

#[test]
fn an_observer_comes_in_on_its_own_certificate_and_goes_with_the_configuration() {
    let _turn = alone();
    let mut world = watched();
    // Another's certificate, a member's, and one made by hand.
    let file = world.file("probe-2/observer.toml");
    let own = std::fs::read_to_string(&file).unwrap();
    world.kill_observer("probe-2");
    for other in ["../probe-1/observer", "../a/member"] {
        let text = own
            .replace("\"observer.crt\"", &format!("\"{other}.crt\""))
            .replace("\"observer.key\"", &format!("\"{other}.key\""));
        std::fs::write(&file, text).unwrap();
        world.start_observer("probe-2");
        let ended = world.observer("probe-2").ended(LIMIT);
        let said = world.observer("probe-2").said.join("\n");
        assert_eq!(ended.code(), Some(1), "{said}");
        assert!(said.contains("is not the certificate of observer probe-2"), "{said}");
    }
    let made = Command::new(BIPLANE)
        .args(["certificate", "probe-2", "--observer", "--cluster", "world", "--authority", ".."])
        .current_dir(world.file("probe-2"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let text = own.replace("observer.crt", "probe-2.crt").replace("observer.key", "probe-2.key");
    std::fs::write(&file, text).unwrap();
    world.start_observer("probe-2");
    is(&world, "probe-2", "observer", "up");

    // Out of the configuration: the members' doors are closed to it. Back in it: they are open again.
    let with = in_force(&world);
    let (without, _) = with.split_once("[observers.probe-2]").expect("it is the last");
    let file = written(&world, without, &[]);
    done(&world, &["config", "apply", &file]);
    let said =
        world.observer("probe-2").says("not that of an observer of the configuration", LIMIT);
    assert!(said.contains("refuses this member"), "{said}");
    assert!(!done(&world, &["status"]).contains("probe-2"));
    let file = written(&world, &with, &[]);
    done(&world, &["config", "apply", &file]);
    is(&world, "probe-2", "observer", "up");
    world.observer("probe-2").signal(Signal::TERM);
    assert!(world.observer("probe-2").ended(LIMIT).success());
}
