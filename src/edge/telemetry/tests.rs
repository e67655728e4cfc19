use std::collections::BTreeSet;
use std::path::Path;

use super::logging::capture::logged;
use super::metrics::local;
use super::*;
use crate::kernel::controller::{Event, Level};
use crate::kernel::domain::GroupName;

fn told(level: Level) -> Event {
    let group = Some(GroupName::new("shop").unwrap());
    Event { level, kind: "decision", text: "switch shop to west".to_owned(), group }
}

#[test]
fn an_event_is_logged_at_its_level_with_its_fields() {
    let lines = logged("warn,biplane=debug", || {
        for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
            record_event(&told(level));
        }
        record_event(&Event { group: None, ..told(Level::Info) });
    });
    let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["DEBUG", "INFO", "WARN", "ERROR", "INFO"]);
    assert_eq!(lines[0]["kind"], "decision");
    assert_eq!(lines[0]["group"], "shop");
    assert_eq!(lines[0]["message"], "switch shop to west");
    assert!(lines[4].get("group").is_none(), "{}", lines[4]);
}

#[test]
fn an_event_is_counted_by_kind_and_level() {
    let (recorder, metrics) = local();
    ::metrics::with_local_recorder(&recorder, || {
        record_event(&told(Level::Info));
        record_event(&told(Level::Info));
    });
    let text = metrics.render();
    assert!(text.contains("biplane_events_total{kind=\"decision\",level=\"info\"} 2"), "{text}");
}

#[test]
fn every_metric_renders_with_its_help_and_type() {
    let (recorder, metrics) = local();
    ::metrics::with_local_recorder(&recorder, || {
        describe_all();
        for row in METRICS {
            match row.kind {
                MetricKind::Counter => ::metrics::counter!(row.name).increment(1),
                MetricKind::Gauge => ::metrics::gauge!(row.name).set(1.0),
                MetricKind::Histogram => ::metrics::histogram!(row.name).record(0.004),
            }
        }
    });
    metrics.run_upkeep();
    let text = metrics.render();
    for row in METRICS {
        let kind = format!("{:?}", row.kind).to_lowercase();
        assert!(text.contains(&format!("# TYPE {} {kind}\n", row.name)), "{}: {text}", row.name);
        assert!(text.contains(&format!("# HELP {} {}\n", row.name, row.help)), "{}", row.name);
    }
    assert!(text.contains("biplane_persist_seconds_bucket{le=\"0.005\"} 1"), "{text}");
}

#[test]
fn the_table_has_no_doubles_and_keeps_to_the_conventions() {
    let names: Vec<_> = METRICS.iter().map(|row| row.name).collect();
    let unique: BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len());
    for row in METRICS {
        assert!(row.name.starts_with("biplane_"), "{}", row.name);
        assert_eq!(row.name.ends_with("_total"), row.kind == MetricKind::Counter, "{}", row.name);
        assert_eq!(
            row.name.ends_with("_seconds"),
            row.kind == MetricKind::Histogram,
            "{}",
            row.name
        );
        assert!(metrics_markdown().contains(&format!("| `{}` |", row.name)));
    }
}

/// The metric names between quotes in a source text.
fn quoted_names(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).filter(|quoted| {
        quoted.starts_with("biplane_")
            && ["_total", "_seconds", "_bytes"].iter().any(|end| quoted.ends_with(end))
            && quoted.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    })
}

fn visit(folder: &Path, see: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, see);
        } else if path.extension().is_some_and(|end| end == "rs") {
            see(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_metric_that_the_sources_name_stands_in_the_table() {
    let known: BTreeSet<_> = METRICS.iter().map(|row| row.name).collect();
    let (mut seen, mut strangers) = (0, Vec::new());
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |path, text| {
        for name in quoted_names(text) {
            seen += 1;
            if !known.contains(name) {
                strangers.push(format!("{}: {name}", path.display()));
            }
        }
    });
    assert!(seen >= METRICS.len() / 2, "the search finds names: {seen}");
    assert!(strangers.is_empty(), "put these into edge/telemetry/names.rs: {strangers:#?}");
}
