//! What the log and the metrics say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::logging::capture::logged;
use super::metrics::local;
use super::*;
use crate::kernel::controller::{
    Event, GroupStatus, Level, PlaneStatus, ServiceOnPlane, ServiceStatus, Status,
};
use crate::kernel::domain::{
    Epoch, GroupName, LedgerTime, MemberName, PlaneName, ServiceName, SiteName,
};
use crate::kernel::ledger::Mode;

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
fn the_end_of_a_switchover_is_counted_by_its_result() {
    let (recorder, metrics) = local();
    ::metrics::with_local_recorder(&recorder, || {
        record_event(&Event { kind: "switchover-done", ..told(Level::Info) });
        record_event(&Event { kind: "switchover", ..told(Level::Info) });
    });
    let text = metrics.render();
    assert!(text.contains("biplane_switchovers_total{result=\"done\"} 1\n"), "{text}");
    assert_eq!(text.matches("biplane_switchovers_total{").count(), 1, "{text}");
}

fn status(groups: usize) -> Status {
    let (east, west) = (PlaneName::new("east").unwrap(), PlaneName::new("west").unwrap());
    let site = SiteName::new("north").unwrap();
    let plane = |name: &PlaneName| PlaneStatus {
        name: name.clone(),
        site: site.clone(),
        drained: None,
        drained_by: None,
    };
    let on =
        |verdict: &str| ServiceOnPlane { verdict: verdict.to_owned(), reports: BTreeMap::new() };
    let group = |number: usize| GroupStatus {
        name: GroupName::new(&format!("g{number}")).unwrap(),
        plane: west.clone(),
        epoch: Epoch { generation: 1, counter: 9 },
        mode: Mode::Auto,
        decision: "stay".to_owned(),
        because: String::new(),
        frozen: None,
        frozen_by: None,
        ask: None,
        switchover: None,
        services: vec![ServiceStatus {
            name: ServiceName::new(&format!("s{number}")).unwrap(),
            critical: true,
            planes: [(east.clone(), on("down")), (west.clone(), on("up"))].into(),
        }],
    };
    Status {
        cluster: "test".to_owned(),
        node: MemberName::new("a").unwrap(),
        leader: Some(MemberName::new("a").unwrap()),
        quorum: true,
        cut_off_ms: None,
        term: 3,
        applied: 77,
        ledger_time: LedgerTime(0),
        config_version: 1,
        warnings: Vec::new(),
        planes: vec![plane(&east), plane(&west)],
        members: Vec::new(),
        alarms: [("held".to_owned(), 2)].into(),
        open_questions: 1,
        groups: (0..groups).map(group).collect(),
        gateways: Vec::new(),
    }
}

#[test]
fn a_status_shows_as_gauges() {
    let (recorder, metrics) = local();
    ::metrics::with_local_recorder(&recorder, || record_status(&status(1)));
    let text = metrics.render();
    for line in [
        "biplane_leader 1",
        "biplane_quorum 1",
        "biplane_term 3",
        "biplane_applied_index 77",
        "biplane_route_epoch{group=\"g0\"} 9",
        "biplane_alarms{kind=\"held\"} 2",
        "biplane_alarms{kind=\"stuck\"} 0",
        "biplane_open_questions 1",
        "biplane_active_plane{group=\"g0\",plane=\"east\"} 0",
        "biplane_active_plane{group=\"g0\",plane=\"west\"} 1",
        "biplane_verdict{service=\"s0\",plane=\"east\"} 1",
        "biplane_verdict{service=\"s0\",plane=\"west\"} 4",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}: {text}");
    }
}

#[test]
fn ten_thousand_groups_do_not_flood_the_scraper() {
    for groups in [LABELLED_GROUPS, LABELLED_GROUPS + 1, 10_000] {
        let (recorder, metrics) = local();
        ::metrics::with_local_recorder(&recorder, || record_status(&status(groups)));
        let shown = metrics.render().matches("biplane_route_epoch{").count();
        assert_eq!(shown, LABELLED_GROUPS, "of {groups}");
    }
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
        let timed = row.kind == MetricKind::Histogram;
        assert!(!timed || row.name.ends_with("_seconds"), "{}", row.name);
        assert!(!row.name.ends_with("_seconds") || row.unit == "seconds", "{}", row.name);
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

#[test]
fn the_metrics_page_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/metrics.md");
    let page = metrics_markdown();
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == page, "run the tests with REWRITE=1 and look at the difference");
}
