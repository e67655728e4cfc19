//! `docs/alerts.yml`: what it names exists, every kind of alarm has a rule, and Prometheus' own tool agrees.

mod fake;
mod fired;
mod prometheus;
mod rules;

use std::collections::BTreeSet;
use std::process::Command;

use biplane::edge::telemetry::{METRICS, MetricKind, MetricName};
use biplane::kernel::ledger::AlarmKind;

use rules::{Rule, rules};

/// Below the crate's directory.
const UNIT_TESTS: &str = "tests/data/alerts-test.yml";

fn path(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The row of a series, of which a histogram has several.
fn row_of(series: &str) -> Option<&'static MetricName> {
    let parts = ["", "_bucket", "_sum", "_count"];
    METRICS.iter().find(|row| match row.kind {
        MetricKind::Histogram => {
            parts[1..].iter().any(|part| format!("{}{part}", row.name) == series)
        }
        MetricKind::Counter | MetricKind::Gauge => row.name == series,
    })
}

/// What a rule names and the table of metrics does not.
fn strangers(rule: &Rule) -> Vec<String> {
    let mut faults = Vec::new();
    for series in rule.series() {
        let Some(row) = row_of(&series.name) else {
            faults.push(format!("{}: there is no series {}", rule.name, series.name));
            continue;
        };
        for (label, value) in &series.labels {
            let labels: Vec<&str> = row.labels.split(", ").collect();
            let words: Vec<&str> = row.help.split([' ', ',', '.', ':']).collect();
            let known = match label.as_str() {
                "le" => row.kind == MetricKind::Histogram,
                "kind" if row.name == "biplane_alarms" => {
                    AlarmKind::ALL.iter().any(|kind| kind.as_str() == value)
                }
                _ => labels.contains(&label.as_str()) && words.contains(&value.as_str()),
            };
            if !known {
                faults.push(format!("{}: {} has no {label}=\"{value}\"", rule.name, row.name));
            }
        }
    }
    faults
}

#[test]
fn alerts_name_only_metrics_and_labels_that_exist() {
    let rules = rules();
    assert!(rules.len() > 30, "the rules were not found");
    let faults: Vec<String> = rules.iter().flat_map(strangers).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let wrong = Rule {
        name: "Wrong".to_owned(),
        expr: "biplane_alarms{kind=\"asks\"} + biplane_quorums + biplane_leader{node=\"a\"} \
               + biplane_persist_seconds + biplane_switchovers_total{result=\"won\"}"
            .to_owned(),
        ..Rule::default()
    };
    assert_eq!(strangers(&wrong).len(), 5, "{:#?}", strangers(&wrong));
}

#[test]
fn every_kind_of_alarm_has_an_alert() {
    let watched: BTreeSet<String> = rules()
        .iter()
        .flat_map(Rule::series)
        .filter(|series| series.name == "biplane_alarms")
        .flat_map(|series| series.labels)
        .map(|(_, value)| value)
        .collect();
    let kinds: BTreeSet<String> =
        AlarmKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
    assert_eq!(watched, kinds);
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() {
    let tests = std::fs::read_to_string(path(UNIT_TESTS)).unwrap();
    let mut names = BTreeSet::new();
    let mut faults = Vec::new();
    for Rule { name, severity, wait, text, .. } in rules() {
        let mut need = |so: bool, what: &str| {
            if !so {
                faults.push(format!("{name}: {what}"));
            }
        };
        // The dead man's signal is neither: it is missed when it is not there.
        let severe = matches!(severity.as_str(), "page" | "ticket")
            || (name == "BiplaneWatchdog" && severity == "none");
        need(severe, "no severity");
        need(!wait.is_empty(), "no `for`");
        for key in ["summary: ", "description: ", "action: "] {
            need(text.contains(key), key);
        }
        for page in
            text.split(|c: char| c.is_whitespace() || c == '\'').filter(|w| w.starts_with("docs/"))
        {
            let page = page.trim_end_matches('.');
            need(std::path::Path::new(&path(page)).exists(), page);
        }
        need(names.insert(name.clone()), "twice");
        need(tests.contains(&format!("  - name: {name}\n")), "no unit test");
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn promtool_accepts_the_alerts_and_each_fires_when_it_should() {
    if Command::new("promtool").arg("--version").output().is_err() {
        println!("SKIPPED: docs/alerts.yml by promtool (promtool is missing)");
        return;
    }
    for args in [["check", "rules", "docs/alerts.yml"], ["test", "rules", UNIT_TESTS]] {
        let ended = Command::new("promtool").args(args).current_dir(path("")).output().unwrap();
        assert!(ended.status.success(), "{args:?}: {ended:?}");
    }
}
