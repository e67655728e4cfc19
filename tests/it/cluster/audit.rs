//! The audit trail of a running cluster: exported, verified, and what is done to it is named.

use super::super::process::until;
use super::super::world::{EAST, LIMIT, NODES, World};
use super::alone;
use super::config::done;

#[test]
fn the_log_is_exported_whole_and_whatever_is_done_to_it_is_named() {
    let _turn = alone();
    let mut world = World::steady();
    done(&world, &["switch", "shop", "--reason", "for the auditor"]);
    let noted = done(&world, &["audit", "head"]);
    let noted = noted.lines().next().expect("a head").to_owned();
    done(&world, &["switch", "shop", "--reason", "and back"]);
    // One member forgets all, another one its last hours: the third has them.
    world.kill_node(1);
    std::fs::remove_dir_all(world.file(&format!("{}/data/audit", NODES[1]))).unwrap();
    world.start_node(1);
    world.is_well(EAST);

    let file = world.file("audit.jsonl").to_str().expect("ASCII").to_owned();
    // What was applied in this moment may still be on its way to the files.
    let said = until(LIMIT, || match world.biplane(&["audit", "export", &file]) {
        (Some(0), said) => Ok(said),
        (_, said) => {
            let _ = std::fs::remove_file(&file);
            Err(said)
        }
    });
    let (code, again) = world.biplane(&["audit", "export", &file]);
    assert!(
        code == Some(1) && again.contains("not there yet"),
        "evidence is not overwritten: {again}"
    );
    assert!(said.contains("entries, 2 to"), "from the first entry on: {said}");
    let said = done(&world, &["audit", "verify", &file, "--head", &noted]);
    assert!(said.starts_with("sound: "), "{said}");
    let whole = std::fs::read_to_string(&file).unwrap();
    assert!(whole.contains("for the auditor") && whole.contains("and back"));

    let verify = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let (code, said) = world.biplane(&["audit", "verify", &file, "--head", &noted]);
        assert_eq!(code, Some(1), "{said}");
        said
    };
    let said = verify(&whole.replacen("for the auditor", "for the auditer", 1));
    assert!(said.contains("was changed: its bytes are not those that were chained"), "{said}");
    let without: Vec<&str> =
        whole.lines().filter(|line| !line.contains("for the auditor")).collect();
    let said = verify(&(without.join("\n") + "\n"));
    assert!(said.contains("something was cut out"), "{said}");
    let lines: Vec<&str> = whole.lines().collect();
    let said = verify(&(lines[..10].join("\n") + "\n"));
    assert!(said.contains("the tail was cut off") && said.contains("the noted head"), "{said}");
    world.users_are_on(EAST);
}
