//! Trials of the example, and of clusters with one setting that is bad.

use super::*;
use crate::config::parse_cluster;
use crate::sim::adopt::adopt;
use crate::sim::campaign::{Options, run_seed};

const EXAMPLE: &str = include_str!("../../../config/cluster.toml");

fn example(changes: &[(&str, &str)]) -> Arc<Cluster> {
    let mut text = EXAMPLE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let checked = parse_cluster("cluster.toml", &text).map_err(|faults| faults.to_string());
    adopt(&checked.expect("it is sound").cluster).cluster
}

fn complaints(trial: Trial, cluster: &Arc<Cluster>) -> BTreeSet<Complaint> {
    (1..=2).flat_map(|seed| trial.run(cluster, seed).complaints).collect()
}

#[test]
fn the_example_gives_no_reason_to_complain_whoever_decides() {
    for mode in ["ask", "auto"] {
        let cluster = example(&[("mode = \"ask\"", &format!("mode = \"{mode}\""))]);
        for trial in Trial::ALL.into_iter().filter(|trial| trial.pointless(&cluster).is_none()) {
            assert_eq!(complaints(trial, &cluster), BTreeSet::new(), "{mode}: {}", trial.name());
        }
    }
}

/// The example with so many members, the first of them its own.
fn of_size(count: u64) -> Arc<Cluster> {
    let members = EXAMPLE.find("[members.a]").expect("it has members");
    let services = EXAMPLE.find("# A service:").expect("it has services");
    let member = |id: u64| {
        format!(
            "[members.m{id}]\nid = {id}\nsite = \"site{id}\"\nmember = \"192.0.2.{id}:1\"\napi = \"192.0.2.{id}:2\"\ndns = \"192.0.2.{id}:3\"\n"
        )
    };
    let all: String = (1..=count).map(member).collect();
    example(&[(&EXAMPLE[members..services], &all)])
}

#[test]
fn clusters_of_other_sizes_are_searched_and_tried() {
    for size in [1, 5] {
        let cluster = of_size(size);
        let options = Options { cluster: Some(Arc::clone(&cluster)), ..Options::default() };
        for seed in 1..=3 {
            let outcome = run_seed(seed, &options);
            assert_eq!(outcome.violation, None, "{size} members, seed {seed}");
        }
        assert_eq!(complaints(Trial::Calm, &cluster), BTreeSet::new(), "{size} members");
    }
}

#[test]
fn what_is_advised_is_a_sound_file_with_just_these_changes() {
    let cluster = example(&[]);
    let raised = Setting::ElectionMin.with(&cluster, 5_000);
    let keys: Vec<String> =
        changes(&cluster, &raised).into_iter().map(|change| change.key).collect();
    let wanted = [
        "timing.election_min",
        "timing.election_max",
        "timing.observer_silence",
        "timing.question_window",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(changes(&cluster, &cluster), []);
    // And the parser takes it.
    example(&[
        ("election_min = \"500ms\"", "election_min = \"5s\""),
        ("election_max = \"1s\"", "election_max = \"10s\""),
        ("observer_silence = \"3s\"", "observer_silence = \"20s\""),
        (
            "question_window = \"6s\"",
            &format!("question_window = \"{}ms\"", raised.timing.question_window.as_millis()),
        ),
    ]);
}
