//! Tokens and certificates of a running cluster.

use std::process::Command;

use super::super::process::{BIPLANE, Running, until};
use super::super::world::{EAST, LIMIT, World};
use super::alone;

/// A client's directory of its own.
struct Client {
    dir: tempfile::TempDir,
}

impl Client {
    /// Shows a token.
    fn with_token(world: &World, token: &str) -> Self {
        let client = Self::of(world, "token = \"mine\"\n");
        std::fs::write(client.dir.path().join("mine"), token).unwrap();
        client
    }

    fn of(world: &World, credential: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(world.file("client.toml")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("token"));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        std::fs::write(dir.path().join("client.toml"), text + credential).unwrap();
        std::fs::copy(world.file("ca.crt"), dir.path().join("ca.crt")).unwrap();
        Self { dir }
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(BIPLANE);
        let ended = command.args(args).env("BIPLANE_DIR", self.dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        (ended.status.code(), said + &String::from_utf8_lossy(&ended.stderr))
    }
}

/// The admin's command; standard output only.
fn admin(world: &World, args: &[&str]) -> String {
    // Until every member knows the rules, tokens are not taken.
    until(LIMIT, || {
        let mut command = Command::new(BIPLANE);
        let ended = command.args(args).env("BIPLANE_DIR", world.cluster_dir()).output().unwrap();
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned());
        }
        Err(String::from_utf8_lossy(&ended.stderr).into_owned())
    })
}

#[test]
fn a_token_does_what_its_role_may_until_it_is_revoked_at_every_node() {
    let _turn = alone();
    let mut world = World::steady();
    let viewer = admin(&world, &["token", "create", "watcher", "--role", "viewer"]);
    let operator =
        admin(&world, &["token", "create", "night", "--role", "operator", "--group", "shop"]);
    let (viewer, operator) =
        (Client::with_token(&world, &viewer), Client::with_token(&world, &operator));
    let (code, said) = viewer.run(&["status"]);
    assert!(code == Some(0) && said.contains("shop"), "{said}");
    let (code, said) = viewer.run(&["switch", "shop", "--dry-run"]);
    assert!(code == Some(1) && said.contains("`watcher` has the role viewer"), "{said}");
    let (code, said) = operator.run(&["freeze", "shop", "--reason", "night"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = operator.run(&["freeze", "--all"]);
    assert!(code == Some(1) && said.contains("may act on shop only"), "{said}");
    let (code, said) = operator.run(&["token", "list"]);
    assert!(code == Some(1) && said.contains("is for admin"), "{said}");
    let (code, said) = operator.run(&["thaw", "shop"]);
    assert_eq!(code, Some(0), "{said}");

    let mut command = Command::new(BIPLANE);
    command.args(["events", "-f"]).env("BIPLANE_DIR", operator.dir.path());
    let mut follower = Running::start(&mut command);
    admin(&world, &["freeze", "shop", "--reason", "for the follower"]);
    follower.says("for the follower", LIMIT);

    admin(&world, &["token", "revoke", "night"]);
    // Who was let in before is not served for ever either.
    assert_eq!(follower.ended(LIMIT).code(), Some(1), "{:?}", follower.said);
    assert!(follower.said.join("\n").contains("was revoked"), "{:?}", follower.said);
    admin(&world, &["thaw", "shop"]);
    let listed = admin(&world, &["token", "list"]);
    assert!(listed.contains("night") && listed.contains("by admin at"), "{listed}");
    until(LIMIT, || {
        let (code, said) = operator.run(&["status", "--stale"]);
        let gone = code == Some(1) && said.contains("was revoked");
        if gone { Ok(()) } else { Err(said) }
    });
    // It is in the log: a restart of all does not forget it.
    (0..3).for_each(|node| world.kill_node(node));
    (0..3).for_each(|node| world.start_node(node));
    world.is_well(EAST);
    let (code, said) = operator.run(&["status"]);
    assert!(code == Some(1) && said.contains("was revoked"), "{said}");
    assert_eq!(viewer.run(&["status"]).0, Some(0));
}

#[test]
fn a_certificate_is_the_other_way_in_and_its_name_can_be_revoked() {
    let _turn = alone();
    let world = World::steady();
    let client = Client::of(&world, "certificate = \"ann.crt\"\nkey = \"ann.key\"\n");
    let made = Command::new(BIPLANE)
        .args(["certificate", "ann", "--role", "operator", "--cluster", "world", "--authority"])
        .arg(world.cluster_dir())
        .current_dir(client.dir.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let (code, said) = client.run(&["status"]);
    assert!(code == Some(0) && said.contains("shop"), "{said}");
    let (code, said) =
        client.run(&["switch", "shop", "--to", "west", "--reason", "by certificate"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(world.last_ended()["by"], "ann");
    let (code, said) = client.run(&["token", "list"]);
    assert!(code == Some(1) && said.contains("`ann` has the role operator"), "{said}");
    admin(&world, &["token", "revoke", "ann"]);
    until(LIMIT, || {
        let (code, said) = client.run(&["status"]);
        let gone = code == Some(1) && said.contains("`ann` was revoked");
        if gone { Ok(()) } else { Err(said) }
    });
}

/// Signed by another authority: nobody is let in, it is said why, and it counts as a failed login.
#[test]
fn a_strange_certificate_is_a_failed_login() {
    let _turn = alone();
    let world = World::steady();
    let client = Client::of(&world, "certificate = \"eve.crt\"\nkey = \"eve.key\"\n");
    let here = |args: &[&str]| {
        let made = Command::new(BIPLANE).args(args).current_dir(client.dir.path()).output();
        assert!(made.as_ref().is_ok_and(|made| made.status.success()), "{made:?}");
    };
    here(&["init", "other", "--cluster", "world"]);
    here(&["certificate", "eve", "--role", "admin", "--cluster", "world", "--authority", "other"]);
    let (code, said) = client.run(&["status"]);
    assert!(code == Some(3) && said.contains("does not take this client's certificate"), "{said}");
    until(LIMIT, || {
        let events = world.api().get("/v1/events")?.to_string();
        let told = events.contains("failed logins at") && events.contains("\"login\"");
        if told { Ok(()) } else { Err(events) }
    });
}

#[test]
fn a_certificate_that_ends_soon_is_told_of_every_member_with_its_days() {
    let _turn = alone();
    let world = World::steady_with(&["--certificate-days", "20"]);
    until(LIMIT, || {
        let status = world.api_of(1).get("/v1/status")?;
        let members = status["members"].as_array().cloned().unwrap_or_default();
        let soon = |member: &serde_json::Value| {
            matches!(member["certificate_days"].as_i64(), Some(18..=20))
        };
        let warned = status["warnings"].to_string().matches("ends in").count();
        let clocks = members
            .iter()
            .all(|member| member["clock_ms"].as_i64().is_some_and(|ms| ms.abs() < 1_000));
        if members.len() == 3 && members.iter().all(soon) && warned == 3 && clocks {
            return Ok(());
        }
        Err(status.to_string())
    });
}
