//! What users see of an outage: `biplane demo` again and again, each time from its client's own log.
//!
//! Each round is a whole story on fresh files: three nodes, a gateway, two planes, a client that sends 100 requests a
//! second through the gateway and asks every node's DNS server every ten milliseconds. It has two outages: the active
//! plane alone, and the active plane together with the leader.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::figure;
use crate::process::BIPLANE;

/// Of a killed plane, with the profile `fast`; the client sends 100 a second.
const LOST_GOAL: u64 = 2;
/// Goals, with the profile `fast`, for a killed plane.
const DNS_GOAL: Duration = Duration::from_millis(400);
const LEADER_GOAL: Duration = Duration::from_secs(1);

/// One story's figures.
struct Story {
    lost: u64,
    lost_with_leader: u64,
    gateway: Duration,
    dns: Duration,
    gateway_with_leader: Duration,
    dns_with_leader: Duration,
}

/// Kill and hang, in both profiles.
pub(crate) fn run(rounds: usize) {
    for profile in ["default", "fast"] {
        for fault in ["kill", "hang"] {
            let stories: Vec<Story> = (0..rounds).map(|_| story(profile, fault)).collect();
            tell(profile, fault, &stories);
        }
    }
}

fn tell(profile: &str, fault: &str, stories: &[Story]) {
    println!("  profile {profile}, {fault}:");
    let held = profile == "fast" && fault == "kill";
    let goal = |goal: Duration| held.then_some(goal);
    let each = |of: fn(&Story) -> Duration| stories.iter().map(of).collect::<Vec<_>>();
    let lost: Vec<u64> = stories.iter().map(|story| story.lost).collect();
    figure::counts("plane out, requests lost", &lost, held.then_some(LOST_GOAL));
    figure::spans("plane out, through the gateway", &each(|s| s.gateway), None);
    figure::spans("plane out, by DNS", &each(|s| s.dns), goal(DNS_GOAL));
    let lost: Vec<u64> = stories.iter().map(|story| story.lost_with_leader).collect();
    figure::counts("plane and leader out, requests lost", &lost, held.then_some(LOST_GOAL));
    let leader = each(|s| s.gateway_with_leader);
    figure::spans("plane and leader out, through the gateway", &leader, goal(LEADER_GOAL));
    figure::spans("plane and leader out, by DNS", &each(|s| s.dns_with_leader), goal(LEADER_GOAL));
}

/// Runs the demo once. A story that was not seen whole ends the measurement: its figures would mean nothing.
fn story(profile: &str, fault: &str) -> Story {
    let args = ["--json", "demo", "--once", "--profile", profile, "--fault", fault];
    let ended = Command::new(BIPLANE).args(args).output().expect("the binary was just built");
    assert!(ended.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ended.stderr));
    let told: Value = serde_json::from_slice(&ended.stdout).expect("--json prints JSON");
    let number = |path: &str| told.pointer(path).and_then(Value::as_u64).unwrap_or_default();
    let span = |path: &str| Duration::from_millis(number(path));
    Story {
        lost: number("/requests_lost"),
        lost_with_leader: number("/plane_and_leader/requests_lost"),
        gateway: span("/outage_ms/gateway"),
        dns: span("/outage_ms/dns"),
        gateway_with_leader: span("/plane_and_leader/outage_ms/gateway"),
        dns_with_leader: span("/plane_and_leader/outage_ms/dns"),
    }
}
