//! `biplane demo`, as its users run it.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::process::{BIPLANE, Running, children_of, until};

/// The story must be told within this.
const STORY: Duration = Duration::from_secs(45);
const SOON: Duration = Duration::from_secs(5);

/// Every step of the story, in order.
const STEPS: [&str; 10] = [
    "start",
    "steady",
    "plane-out",
    "switchover",
    "plane-back",
    "switch-back",
    "plane-and-leader-out",
    "still-right",
    "start-again",
    "switch-home",
];

/// One demo at a time: two on two cores would measure each other.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the story and gives what `--json` printed.
fn story(args: &[&str]) -> Value {
    let _turn = alone();
    let keep = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let mut command = Command::new(BIPLANE);
    command.args(["demo", "--once", "--json"]).args(args).arg("--keep").arg(keep.path());
    let mut demo = Running::start(&mut command);
    demo.says("+", Duration::from_secs(2));
    let status = demo.ended(STORY + SOON);
    let said = demo.said.join("\n");
    assert!(status.success(), "{status}:\n{said}\n{}", logs(keep.path()));
    assert!(began.elapsed() < STORY, "it took {:?}:\n{said}", began.elapsed());
    assert_eq!(children_of(demo.pid()), Vec::<String>::new());
    let summary: Value = serde_json::from_str(&demo.printed.join("\n"))
        .unwrap_or_else(|error| panic!("{error}:\n{said}"));
    let log = std::fs::read_to_string(keep.path().join("client.csv")).unwrap();
    the_log_gives_the_figures(&log, &summary);
    replays(keep.path());
    summary
}

/// The journals that the nodes left give the same again.
fn replays(kept: &std::path::Path) {
    for node in 1..=3 {
        let data = kept.join(format!("cluster/node-{node}/data"));
        let replay = Command::new(BIPLANE).arg("replay").arg(data).output().unwrap();
        assert!(replay.status.success(), "{replay:?}");
    }
}

/// One row of the client's log: when it was asked and answered in microseconds, whom, and the answer.
struct Row<'a> {
    sent: u64,
    heard: u64,
    asked: &'a str,
    answer: &'a str,
}

impl<'a> Row<'a> {
    fn of(line: &'a str) -> Self {
        let fields: Vec<&str> = line.splitn(4, ',').collect();
        // Milliseconds with three decimal places.
        let micros = |field: &str| field.replace('.', "").parse::<u64>().unwrap();
        let (sent, took) = (micros(fields[0]), micros(fields[1]));
        Self { sent, heard: sent + took, asked: fields[2], answer: fields[3] }
    }

    /// The id of the switchover in a sight of the cluster.
    fn switchover(&self) -> Option<&'a str> {
        self.answer.split("; ").nth(2)?.split(' ').next()
    }
}

/// Computes the figures of the summary once more, from nothing but the log's rows.
fn the_log_gives_the_figures(log: &str, summary: &Value) {
    let rows: Vec<Row<'_>> = log.lines().skip(1).map(Row::of).collect();
    let requests = rows.iter().filter(|row| row.asked == "gateway").count() as u64;
    assert!(requests >= summary["requests"]["sent"].as_u64().unwrap(), "the log is not whole");
    let faults: Vec<u64> =
        rows.iter().filter(|row| row.asked == "fault").map(|row| row.sent).collect();
    assert_eq!(faults.len(), 2, "one fault for each of the two outages");
    for (fault, timing) in faults.iter().zip([summary, &summary["plane_and_leader"]]) {
        let first = |is: &dyn Fn(&Row<'_>) -> bool| {
            let row = rows.iter().find(|row| row.heard >= *fault && is(row));
            row.map(|row| row.heard).unwrap_or_else(|| panic!("not in the log: {timing}"))
        };
        let sight = |row: &Row<'_>, what: &str| row.asked == "explain" && row.answer.contains(what);
        let suspected = first(&|row| sight(row, "suspected") || sight(row, "route west"));
        let before = rows.iter().rev().find(|row| row.heard < *fault && row.asked == "explain");
        let before = before.and_then(Row::switchover);
        let decided = first(&|row| row.asked == "explain" && row.switchover() != before);
        let routed = first(&|row| sight(row, "route west"));
        let verified = first(&|row| sight(row, "route west") && sight(row, " done"));
        let stages = [*fault, suspected.min(decided), decided, routed, verified];
        let names = ["detection_ms", "decision_ms", "routing_ms", "verification_ms"];
        for (name, span) in names.iter().zip(stages.windows(2)) {
            let said = timing[name].as_u64().unwrap_or_else(|| panic!("{name}: {timing}"));
            let logged = (span[1] - span[0]) / 1_000;
            assert!(said.abs_diff(logged) <= 2, "{name}: {said}, and {logged} in the log");
        }
        let dns = (1..=3).filter_map(|node| {
            let of_node =
                |row: &&Row<'_>| row.asked == format!("dns {node}") && row.answer == "west";
            let moved = rows.iter().filter(of_node).map(|row| row.heard).filter(|at| at >= fault);
            // A node that was killed with the plane answers only when it is started again.
            moved.min().filter(|moved| *moved < verified + 1_000_000)
        });
        let lost = rows.iter().filter(|row| {
            row.asked == "gateway"
                && row.heard >= *fault
                && row.sent < verified + 1_000_000
                && row.answer.contains("fault: ")
        });
        assert!(lost.count() as u64 >= timing["requests_lost"].as_u64().unwrap(), "{timing}");
        let slowest = (dns.max().unwrap() - fault) / 1_000;
        let said = timing["outage_ms"]["dns"].as_u64().unwrap();
        assert!(said <= slowest + 2, "dns: {said}, and {slowest} in the log");
    }
}

fn logs(dir: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(dir.join("log")).into_iter().flatten().flatten() {
        let log = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(15).collect();
        text.push_str(&format!("--- {}\n", entry.path().display()));
        text.extend(last.iter().rev().map(|line| format!("{line}\n")));
    }
    text
}

fn is_whole(summary: &Value) {
    let steps = summary["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS);
    assert!(steps.iter().all(|step| step["ok"] == true && step["ms"].is_u64()), "{summary}");
    for field in ["detection_ms", "decision_ms", "routing_ms", "verification_ms"] {
        assert!(summary[field].is_u64(), "{field}: {summary}");
    }
    for outage in [&summary["outage_ms"], &summary["plane_and_leader"]["outage_ms"]] {
        assert!(outage["gateway"].is_u64() && outage["dns"].is_u64(), "{summary}");
    }
    assert!(summary["requests"]["sent"].as_u64() > Some(100), "{summary}");
}

#[test]
fn a_killed_plane_is_survived_and_every_step_is_seen_from_outside() {
    let summary = story(&["--fault", "kill"]);
    is_whole(&summary);
    println!("FIGURES demo kill, default: {summary}");
}

#[test]
fn a_hanging_plane_is_survived() {
    is_whole(&story(&["--fault", "hang", "--profile", "fast"]));
}

#[test]
fn a_plane_that_answers_errors_is_survived() {
    is_whole(&story(&["--fault", "error", "--profile", "fast"]));
}

#[test]
fn a_plane_that_swallows_connects_is_survived() {
    is_whole(&story(&["--fault", "blackhole", "--profile", "fast"]));
}

#[test]
fn a_demo_that_is_killed_leaves_no_child_behind() {
    let _turn = alone();
    let keep = tempfile::tempdir().unwrap();
    let dir = keep.path().to_str().unwrap();
    let mut demo = Running::biplane(&["demo", "--stay", "--keep", dir]);
    demo.says("ok  start", STORY);
    assert_eq!(children_of(demo.pid()).len(), 6, "three nodes, a gateway, two planes");
    demo.kill();
    until(SOON, || match children_of(demo.pid()) {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?}")),
    });
    replays(keep.path());
}

#[test]
fn what_the_demo_prints_works_as_it_stands() {
    if ["dig", "curl"].iter().any(|tool| !runs(tool)) {
        println!("SKIPPED: the demo's printed lines (dig and curl are missing)");
        return;
    }
    let _turn = alone();
    let keep = tempfile::tempdir().unwrap();
    let dir = keep.path().to_str().unwrap();
    let mut demo = Running::biplane(&["demo", "--stay", "--profile", "fast", "--keep", dir]);
    demo.says("Try it, in another terminal", STORY);
    demo.says("Ctrl-C ends everything", SOON);
    let from = demo.said.iter().rposition(|line| line.contains("Try it")).unwrap();
    let lines: Vec<String> = demo.said[from + 1..]
        .iter()
        .filter(|line| !line.is_empty() && !line.starts_with("Ctrl-C") && !line.starts_with('+'))
        .cloned()
        .collect();
    let ask: Vec<&String> =
        lines.iter().filter(|l| ["dig ", "curl "].iter().any(|tool| l.starts_with(tool))).collect();
    assert_eq!(ask.len(), 2, "{lines:?}");
    let before = shell(&lines, &ask);
    assert!(before.contains("127.0.0.11") && before.contains("x-plane: east"), "{before}");
    shell(&lines, &lines.iter().collect::<Vec<_>>());
    let after = shell(&lines, &ask);
    assert!(after.contains("127.0.0.12") && after.contains("x-plane: west"), "{after}");
    demo.signal(Signal::INT);
    let status = demo.ended(SOON);
    assert!(status.success(), "{status}: Ctrl-C is how it is meant to end");
    assert_eq!(children_of(demo.pid()), Vec::<String>::new());
    replays(keep.path());
}

fn runs(tool: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output()
        .unwrap()
        .status
        .success()
}

/// Runs these of the printed lines, after the exports, and gives what they printed; each must succeed.
fn shell(lines: &[String], run: &[&String]) -> String {
    let exports = lines.iter().filter(|line| line.starts_with("export "));
    let others = run.iter().copied().filter(|line| !line.starts_with("export "));
    let script: Vec<&str> = exports.chain(others).map(String::as_str).collect();
    let ended = Command::new("sh").args(["-e", "-c", &script.join("\n")]).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{script:?}\n{said}\n{errors}");
    said
}
