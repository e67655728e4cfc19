//! Every scenario under `simulations/` passes, and each of its demands can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::*;
use crate::sim::campaign::{Options, drawn};

fn scenarios() -> Vec<(String, Scenario)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("simulations");
    let files = std::fs::read_dir(dir).expect("the directory of scenarios");
    let mut paths: Vec<PathBuf> = files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a scenario");
        let all = Scenario::parse_all(&text)
            .unwrap_or_else(|errors| panic!("{}: {errors:#?}", path.display()));
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        all.into_iter().map(move |(run, scenario)| {
            (if run.is_empty() { name.clone() } else { format!("{name} ({run})") }, scenario)
        })
    };
    paths.into_iter().flat_map(read).collect()
}

/// Of each file some runs, spread over its matrix: a debug build takes minutes for all. `tests/run --all` runs all of them in a
/// release build.
fn some_of_each() -> Vec<(String, Scenario)> {
    let mut files: BTreeMap<String, Vec<(String, Scenario)>> = BTreeMap::new();
    for (name, scenario) in scenarios() {
        let file = name.split(' ').next().unwrap_or_default().to_owned();
        files.entry(file).or_default().push((name, scenario));
    }
    let spread = |runs: Vec<(String, Scenario)>| {
        let step = runs.len().div_ceil(OF_EACH);
        runs.into_iter().step_by(step)
    };
    files.into_values().flat_map(spread).collect()
}

/// So many runs of one file at most.
const OF_EACH: usize = 1;
/// One run in so many is on the store of production too.
const SHARE: usize = 8;
/// Fewest runs of all files together, and fewest files.
const RUNS: usize = 150;
const FILES: usize = 45;

fn on(scenario: &Scenario, redb: bool) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.params.redb = redb;
    scenario
}

fn runs(report: &Report, name: &str) {
    let Report { violation, events, .. } = report;
    assert_eq!(*violation, None, "{name}\n{}", events.join("\n"));
}

#[test]
fn every_scenario_passes_and_each_of_its_demands_can_fail() {
    let all = scenarios();
    assert!(all.len() >= RUNS, "{} runs", all.len());
    let troubles: BTreeSet<&str> =
        all.iter().map(|(name, _)| name.split(' ').next().unwrap_or_default()).collect();
    assert!(troubles.len() >= FILES, "{} troubles", troubles.len());
    for (name, mut scenario) in some_of_each() {
        for claim in [Claim::Hold, Claim::Never] {
            let said = scenario.expectations.iter().any(|(_, demand)| demand.claim == claim);
            assert!(said, "{name} has no {claim:?}");
        }
        // Each demand and its opposite in one run: one of the two is met, and it must be the demand.
        let opposites: Vec<(usize, Expectation)> =
            scenario.expectations.iter().map(|(line, demand)| (*line, demand.negated())).collect();
        let wanted: Vec<String> = opposites.iter().map(|(_, demand)| demand.to_string()).collect();
        scenario.expectations.extend(opposites);
        let report = scenario.run(false);
        runs(&report, &name);
        let unmet: Vec<String> = report.unmet.into_iter().map(|unmet| unmet.demand).collect();
        assert_eq!(unmet, wanted, "{name}");
    }
}

#[test]
fn a_share_of_the_scenarios_passes_on_the_store_of_production_too() {
    for (name, scenario) in some_of_each().into_iter().step_by(SHARE) {
        let report = on(&scenario, true).run(false);
        runs(&report, &name);
        assert_eq!(report.unmet, [], "{name}");
    }
}

#[test]
fn one_scenario_is_one_run_on_both_stores() {
    let (_, scenario) = scenarios().remove(0);
    let digest = |trace, redb| on(&scenario, redb).run(trace).digest;
    assert_eq!(digest(false, false), digest(true, false));
    assert_eq!(digest(false, true), digest(false, true));
}

#[test]
fn what_is_not_understood_is_told_all_at_once_with_its_line() {
    let text =
        "seed x\nat 3 plane east dead\nat 3s plane north dead\nat 1s dance\nmust hold crash\n";
    let errors = Scenario::parse(text).expect_err("five faults");
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5]);
    assert!(errors[1].to_string().contains("write 300ms or 2s"));
    assert!(Scenario::parse("run 1s\n").is_err(), "it demands nothing");
}

#[test]
fn what_would_prove_nothing_is_refused() {
    let refused = |text: &str, why: &str| {
        let errors = Scenario::parse_all(text).expect_err(text);
        assert!(errors.iter().any(|error| error.to_string().contains(why)), "{errors:?}");
    };
    refused(
        "run 60s\nat 60001ms crash leader\nmust hold a leader",
        "line 2: the run is over after 60s",
    );
    refused("never shop on west after 31s", "line 1: the run is over after 30s");
    refused("must hold shop on west before 9s", "`must hold` looks at the end");
    refused("at 3s $what leader\nmust hold a leader", "write `each what A | B` above");
    refused("at 3s cut off leader for good\nmust hold a leader", "`good` is not a time");
    refused("at 3s cut off leader softly\nmust hold a leader", "write cut off WHO [in|out]");
    assert!(Scenario::parse("run 60s\nat 60s crash leader\nmust hold a leader").is_ok());
}

#[test]
fn a_scenario_has_so_many_lines_and_not_one_more() {
    let file = |lines: usize| "at 1s read east\n".repeat(lines - 1) + "must keep every promise\n";
    let fits = Scenario::parse(&file(parse::LINES)).expect("it fits");
    assert_eq!((fits.actions.len(), fits.promises), (parse::LINES - 1, true));
    let errors = Scenario::parse(&file(parse::LINES + 1)).expect_err("one line too many");
    assert_eq!(errors[0].line, parse::LINES + 1);
    assert!(errors[0].what.contains("no more than 10000 lines"), "{errors:?}");
}

#[test]
fn every_verb_stands_in_the_readme() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("simulations/README.md");
    let readme = std::fs::read_to_string(path).expect("the README of scenarios");
    // A table's cell writes a bar as `\\|`, and the lines are broken anywhere.
    let plain =
        |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace("\\|", "|");
    let readme = plain(&readme).replace('`', "");
    for verb in &verb::VERBS {
        assert!(readme.contains(&plain(verb.usage)), "simulations/README.md lacks: {}", verb.usage);
    }
}

#[test]
fn a_drawn_run_is_written_and_read_as_the_same_run() {
    for seed in 1..=600 {
        let (mut scenario, _) = drawn(seed, &Options::default());
        scenario.promises = seed % 2 == 0;
        let text = scenario.text(&["of a test\nnothing".to_owned()]);
        let again = Scenario::parse(&text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        assert_eq!(again.actions, scenario.actions, "seed {seed}");
        assert_eq!(again.text(&["of a test\nnothing".to_owned()]), text);
        if seed <= 3 {
            assert_eq!(again.run(false).digest, scenario.run(false).digest, "seed {seed}");
        }
    }
}

#[test]
fn demands_and_triggers_are_written_as_they_were_read() {
    for (name, scenario) in scenarios() {
        let text = scenario.text(&[]);
        let again = Scenario::parse(&text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        let demands = |scenario: &Scenario| -> Vec<Expectation> {
            scenario.expectations.iter().map(|(_, demand)| demand.clone()).collect()
        };
        assert_eq!(demands(&again), demands(&scenario), "{name}");
        assert_eq!(again.triggers, scenario.triggers, "{name}");
        assert_eq!(again.actions, scenario.actions, "{name}");
    }
}

/// Scenarios whose course is kept under `simulations/traces/`: a change of it is seen, and explained in its commit.
const TRACED: [&str; 12] = [
    "plane-dies",
    "plane-and-leader-die-together",
    "full-restart-in-mid-switch",
    "leader-cut-off-in-mid-switch",
    "one-observer-blind",
    "both-planes-sick",
    "flapping-plane",
    "site-of-the-active-plane-cut-off",
    "one-of-three-services-dies",
    "operator-switches-there-and-back",
    "frozen-group-stays",
    "an-ask-is-approved",
];

/// `REWRITE=1 cargo test --lib recorded_traces` writes them anew.
#[test]
fn recorded_traces_are_what_happens() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("simulations/traces");
    let all = scenarios();
    for traced in TRACED {
        let (_, scenario) = all.iter().find(|(name, _)| name == traced).expect("a scenario");
        let story = scenario.run(false).story.join("\n") + "\n";
        let path = dir.join(format!("{traced}.txt"));
        if std::env::var_os("REWRITE").is_some() {
            std::fs::create_dir_all(&dir).expect("simulations can be written");
            std::fs::write(&path, &story).expect("simulations can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(kept, story, "{traced}: explain it in the commit that changes it");
    }
}

#[test]
fn a_demand_that_is_not_met_says_what_was_instead_and_what_never_came_is_told() {
    let text = "at 10s plane east dead\non crash configure 1\non decided configure 1\nrun 20s\n\
                must see shop on west before 5s\nmust see crash\nnever question\nmust hold shop on east";
    let report = Scenario::parse(text).expect("it is one").run(false);
    let told: Vec<String> = report.unmet.iter().map(ToString::to_string).collect();
    let starts = [
        "line 5: must see shop on west before 5s: it was seen at 10.",
        "line 6: must see crash: it was never seen",
        "line 7: never question: it was seen at 10.0",
        "line 8: must hold shop on east: it is not so in the end",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
    }
    assert_eq!(report.waited, ["on crash ask follower configure 1"]);
    let story = report.story.join("\n");
    assert!(story.contains(" 10.000 > plane east dead\n"), "{story}");
    assert!(
        story.contains("> ask follower configure 1") && story.contains("third shows"),
        "{story}"
    );
}

#[test]
fn what_struck_nobody_is_told_with_the_reason() {
    let text = "at 3s crash third\nat 4s crash third for 1s\nat 4s pause third for 1s\nat 4s retire third for 1s\n\
                at 5s start east\nat 5s gateway up\nat 6s doom west after vote for 1s\nat 7s lose snapshots 900\nat 7s hold heartbeats 1ms\nat 8s lose snapshots 0\n\
                at 7500ms heal\nat 7500ms open west to door\nat 7500ms see west to east\nat 7500ms smooth west to east\n\
                at 7500ms smooth west to clients\nat 7s pause west for 100ms\nat 7s pause west for 200ms\nrun 10s\nmust hold a leader\n";
    let scenario = Scenario::parse(text).expect("as written");
    let report = scenario.run(false);
    assert!(report.passed(), "{report:?}");
    assert_eq!(
        report.in_vain,
        [
            "`crash third for 1s`: it was dead",
            "`pause third for 1s`: it was dead, or stood still",
            "`retire third for 1s`: it was dead, or stood still",
            "`start east`: it ran",
            "`gateway up`: it was up",
            "`pause west for 200ms`: it was dead, or stood still",
            "`heal`: nothing was cut",
            "`open west to door`: that way was open",
            "`see west to east`: that way was open",
            "`smooth west to east`: that way was smooth",
            "`smooth west to clients`: that way was smooth",
            "`doom west after vote for 1s`: that moment never came",
            "`lose snapshots 900`: no such frame travelled",
        ]
    );
}

#[test]
fn what_the_run_does_not_have_is_refused_with_its_line() {
    let refused = |text: &str, line: usize, why: &str| {
        let errors = Scenario::parse_all(&format!("{text}\nmust hold a leader")).expect_err(text);
        let found = errors.iter().any(|e| e.line == line && e.to_string().contains(why));
        assert!(found, "{text}: {errors:?}");
    };
    let observers = "write `cluster observers N`";
    for what in [
        "crash far",
        "start near",
        "cut off far",
        "blind far to east",
        "cut east from far",
        "hold briefs 1s to near",
        "clock of far runs 9",
        "wall clock of far steps 9",
    ] {
        refused(&format!("seed 1\nat 5s {what}"), 2, observers);
        let there = format!("cluster observers 2\nat 5s {what}\nmust hold a leader");
        Scenario::parse(&there).unwrap_or_else(|errors| panic!("{there}: {errors:?}"));
    }
    refused("cluster observers 1\non routed crash near", 2, observers);
    refused("at 5s gateway back down", 1, "write `world gateways 2`");
    refused("at 5s service web-mail on east dead", 1, "write `cluster groups 2`");
    refused("at 5s freeze mail", 1, "write `cluster groups 2`");
    refused("never gateway mail on west", 1, "write `cluster groups 2`");
    refused("at 5s disk of east rots", 1, "write `world storage redb`");
    refused("at 5s switch extra to east", 1, "without `configure 3`");
    refused("at 5s configure 2\nnever extra on west", 2, "without `configure 3`");
    refused("at 5s configure 6", 1, "configurations are 0 to 5");
    refused("at 5s cut east from east", 1, "nobody has a link to itself");
    refused("at 5s clock of leader runs -1000000", 1, "at most");
    refused("world drift 2000000", 1, "drifts by 0 to 100000");
    refused("never question after 3s before 3s", 1, "there is no such time");
    refused("never question after 3s after 4s", 1, "stands there twice");
    refused("must rest far", 1, "is an observer, and no member");
    refused("must rest east\nmust rest west", 2, "stands there already");
    refused("seed 1\nseed 2", 2, "stands there already");
    refused(&"#".repeat(1 << 20), 1, "the file has more than 1048576 bytes");
    refused("at 5s clock of leader runs -9223372036854775808", 1, "at most");
    refused("cluster fall 0 rise 1", 1, "before anything is seen");
    refused("cluster election 1us", 1, "too short");
    refused("each s 1 | 2\n# only here: $s", 1, "`$s` stands nowhere");
    let bomb: String = ('a'..'y')
        .map(|name| {
            format!("each {name} {}\n", format!("${}", char::from(name as u8 + 1)).repeat(10))
        })
        .collect();
    refused(&format!("{bomb}each y x\nat 1s $a"), 6, "bytes");
}

#[test]
fn a_fault_of_the_simulator_itself_is_a_finding_and_no_silence() {
    // No file can say this; whoever adds a way to say it must not lose a campaign.
    let mut scenario = Scenario { promises: true, ..Scenario::default() };
    scenario.actions.push((SECOND, Action::Cut { from: 0, to: 9, one_way: true, span: None }));
    let violation = scenario.run(false).violation.expect("it panics");
    assert_eq!(violation.oracle, "panic");
    assert!(
        violation.what.starts_with("the simulator itself: index out of bounds"),
        "{violation:?}"
    );
}
