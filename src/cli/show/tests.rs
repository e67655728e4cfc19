//! What people read.

use std::collections::BTreeMap;

use super::*;

fn status_of_a_cluster() -> Status {
    serde_json::from_value(serde_json::json!({
        "cluster": "demo", "node": "one", "leader": "two", "quorum": true, "term": 3, "applied": 41,
        "ledger_time": 1200, "config_version": 1, "warnings": ["only two sites"],
        "planes": [{"name": "east", "site": "a", "drained": null},
                   {"name": "west", "site": "b", "drained": "repairs"}],
        "members": [{"id": 1, "name": "one", "site": "a", "role": "follower", "isolated": false}],
        "groups": [{"name": "shop", "plane": "east", "epoch": "1.7", "mode": "auto",
            "decision": "stay", "because": "all is well", "frozen": "night", "switchover": "s9-0",
            "services": [{"name": "web", "critical": true, "planes": {
                "east": {"verdict": "up", "reports": {"one": "up", "two": "unknown"}},
                "west": {"verdict": "down", "reports": {"one": "down"}}}}]}],
        "gateways": [{"name": "edge", "silent_ms": 400, "groups": {"shop": "1.7"}}],
    }))
    .unwrap()
}

fn record() -> SwitchoverRecord {
    serde_json::from_value(serde_json::json!({
        "id": "s9-0", "group": "shop", "from": "east", "to": "west", "kind": "automatic",
        "state": "done", "base": "1.7", "epoch": "1.8", "by": "policy", "cause": "web is down on east",
        "ballots": {"one": {"web": {"east": "down", "west": "up"}},
                    "two": {"web": {"east": "down", "west": "unknown"}}}, "skipped": ["drain"],
        "ruleset": 3, "config_version": 2,
        "guards": [{"guard": "dwell", "open": true, "value": "60s have passed"}],
        "steps": [{"step": "detected", "at": 100, "wall": 951_827_696_789_u64},
                  {"step": "decided", "at": 1350, "wall": 951_827_698_039_u64}],
        "converging": ["three"], "outcome": "verified",
    }))
    .unwrap()
}

#[test]
fn status_shows_the_group_its_plane_and_every_verdict() {
    let text = status(&status_of_a_cluster());
    for part in [
        "cluster demo: quorum, leader two",
        "warning: only two sites",
        "shop   east   1.7    auto  stay      all is well [frozen: night] [switchover s9-0]",
        "one up, two unknown",
        "repairs",
        "400 ms ago",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
}

#[test]
fn a_lost_quorum_is_told_with_who_is_missing_and_what_to_do() {
    let mut lost = status_of_a_cluster();
    assert!(!status(&lost).contains("NO QUORUM"));
    (lost.quorum, lost.leader, lost.cut_off_ms) = (false, None, Some(35_000));
    lost.warnings.push("no quorum: nothing can be switched".to_owned());
    let member = |id: u64, name: &str, kind: &str, role: &str| {
        serde_json::from_value(serde_json::json!({
            "id": id, "name": name, "site": "b", "kind": kind, "role": role, "isolated": false,
        }))
        .unwrap()
    };
    lost.members.push(member(2, "two", "controller", "lost"));
    lost.members.push(member(3, "three", "witness", "apart"));
    lost.members.push(member(101, "probe", "observer", "lost"));
    let text = status(&lost);
    for part in [
        "cluster demo: no quorum, leader none",
        "NO QUORUM for 35 s: one knows of 1 of 3 members, itself among them, and 2 are needed",
        "nothing can be switched or changed",
        "DNS and gateways go on with the routes below",
        "missing:    two (site b), three (site b, runs apart: its log says why)\n",
        "1. see on their hosts that `biplane node` runs, and start it where it does not: 1 of them is enough",
        "warning: only two sites",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
    assert!(!text.contains("warning: no quorum"), "it is told once:\n{text}");
    // Nobody is missing, and still nobody leads.
    lost.members.retain(|member| member.role != "lost");
    lost.members[1].role = "follower".to_owned();
    let text = status(&lost);
    assert!(text.contains("one knows of 2 of 2 members"), "{text}");
    assert!(text.contains("nobody, but there is no leader"), "{text}");
}

#[test]
fn a_switchover_tells_its_steps_with_the_time_between_them() {
    let text = switchover(&record());
    for part in [
        "switchover s9-0: shop from east to west, automatic: done",
        "epoch 1.7 → 1.8",
        "because: web is down on east",
        "decided   +1.2 s  2000-02-29T12:34:58.039Z",
        "BALLOT OF  SERVICE  EAST  WEST",
        "two        web      down  unknown",
        "converging: three",
        "skipped: drain",
        "when it was decided, by ruleset 3 and configuration 2:",
        "dwell  yes   60s have passed",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
}

#[test]
fn a_plan_names_what_is_in_the_way() {
    let mut shown = Plan {
        group: crate::kernel::domain::GroupName::new("shop").unwrap(),
        epoch: "1.7".parse().unwrap(),
        from: "east".to_owned(),
        to: "west".to_owned(),
        steps: vec!["route".to_owned()],
        obstacles: Vec::new(),
    };
    assert!(plan(&shown).contains("nothing stands in the way"));
    shown.obstacles.push("west is drained".to_owned());
    let text = plan(&shown);
    assert!(text.contains("in the way: west is drained") && !text.contains("nothing"), "{text}");
}

#[test]
fn an_explanation_shows_guards_conditions_and_the_last_switchover() {
    let explained = Explanation {
        group: status_of_a_cluster().groups.remove(0),
        guards: vec![GuardStatus {
            guard: "dwell".to_owned(),
            open: false,
            value: "20 s left".to_owned(),
        }],
        would_switch_if: vec!["east is down".to_owned()],
        last: Some(record()),
        question: None,
        sums: BTreeMap::new(),
        observers: BTreeMap::new(),
        probes: BTreeMap::new(),
    };
    let text = explanation(&explained);
    for part in ["dwell  no    20 s left", "  - east is down", "switchover s9-0"] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
}
