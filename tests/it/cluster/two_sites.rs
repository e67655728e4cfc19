//! Members at two sites: nothing moves by itself, everybody says so, and people move what they want.

use super::super::process::until;
use super::super::world::{EAST, LIMIT, WEST, World};
use super::alone;
use super::config::{done, in_force, written};

const OFF: &str = "automation is off: ";

/// The third member stands at the site of the second.
fn at_two_sites(text: String) -> String {
    text.replacen("site = \"third\"", "site = \"west\"", 1)
}

#[test]
fn at_two_sites_nothing_moves_by_itself_and_people_switch_and_approve() {
    let _turn = alone();
    let mut world = World::steady_of(at_two_sites);
    let file = world.file("cluster.toml");
    let checked = done(&world, &["config", "check", file.to_str().expect("ASCII")]);
    assert!(checked.contains(OFF) && checked.contains("will only hold"), "{checked}");
    let status = done(&world, &["status"]);
    assert!(status.contains(OFF), "{status}");

    world.kill_plane(EAST);
    until(LIMIT, || {
        let group = world.api().get("/v1/groups/shop")?;
        let held = group["decision"] == "hold"
            && group["because"].to_string().contains("fewer than three sites");
        if held { Ok(()) } else { Err(group.to_string()) }
    });
    let explained = done(&world, &["explain", "shop"]);
    assert!(explained.contains("stand at three sites or more"), "{explained}");
    assert!(world.switchovers().is_empty(), "nothing moves by itself");
    let said = done(&world, &["switch", "shop", "--to", "west", "--reason", "east is gone"]);
    assert!(said.contains("shop is on west"), "{said}");
    world.start_plane(EAST);
    world.is_well(WEST);

    let ask = written(&world, &in_force(&world), &[("mode = \"auto\"", "mode = \"ask\"")]);
    done(&world, &["config", "apply", &ask]);
    world.kill_plane(WEST);
    until(LIMIT, || match world.biplane(&["pending"]) {
        (Some(0), said) if said.contains("shop") => Ok(()),
        (_, said) => Err(said),
    });
    let said = done(&world, &["approve", "shop"]);
    assert!(said.contains("shop is on east"), "{said}");
    let last = world.last_ended();
    assert_eq!((&last["kind"], &last["state"]), (&"approved".into(), &"done".into()), "{last:#}");
    assert!(done(&world, &["status"]).contains(OFF));
    world.start_plane(WEST);
    world.is_well(EAST);
}
