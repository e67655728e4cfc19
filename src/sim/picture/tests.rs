//! What a picture keeps, and how it is written.

use super::*;
use crate::sim::campaign::{Options, run_seed};
use crate::sim::cluster::{Shape, cluster};
use crate::sim::queue::{Micros, SECOND};
use crate::sim::scenario::Scenario;

fn drawn(text: &str) -> Picture {
    let mut scenario = Scenario::parse(text).unwrap_or_else(|errors| panic!("{errors:#?}"));
    scenario.params.picture = true;
    let report = scenario.run(false);
    assert_eq!(report.violation, None);
    report.picture.expect("it was asked for")
}

fn lane<'a>(picture: &'a Picture, name: &str) -> &'a Lane {
    picture.lanes.iter().find(|lane| lane.name == name).expect("it is there")
}

fn state_at<'a>(picture: &'a Picture, name: &str, strip: &str, at: Micros) -> &'a str {
    let strip = lane(picture, name).strips.iter().find(|found| found.name == strip);
    let states = &strip.expect("it is there").states;
    states.iter().rev().find(|(from, _)| *from <= at).map_or("", |(_, state)| state)
}

fn bands<'a>(picture: &'a Picture, name: &str, kind: &str) -> Vec<(Micros, Micros, &'a str)> {
    let here = |band: &&Band| picture.lanes[band.lane].name == name && band.kind == kind;
    picture.bands.iter().filter(here).map(|b| (b.from, b.until, b.text.as_str())).collect()
}

#[test]
fn a_run_is_the_same_with_a_picture_and_has_none_unless_asked_for() {
    for seed in 7..=9 {
        let plain = run_seed(seed, &Options::default());
        let drawn = run_seed(seed, &Options { picture: true, ..Options::default() });
        assert_eq!(plain.digest, drawn.digest, "seed {seed}");
        assert!(plain.picture.is_none() && drawn.picture.is_some());
    }
    let scenario = Scenario::parse("at 5s plane east dead\nrun 12s\nmust see question\n");
    let mut scenario = scenario.expect("a good scenario");
    let plain = scenario.run(false).digest;
    scenario.params.picture = true;
    assert_eq!(scenario.run(false).digest, plain);
}

#[test]
fn who_is_active_who_leads_and_who_is_dead_has_its_times() {
    let picture = drawn(
        "seed 4\nat 5s plane east dead\nat 15s crash third for 2s\nat 15s pause west for 3s\nrun 22s\n\
         must hold shop on west\n",
    );
    assert_eq!(state_at(&picture, "member third", "role", 0), "no leader");
    for member in ["member east", "member west", "member third"] {
        assert_eq!(state_at(&picture, member, "shop", 4 * SECOND), "east");
        assert_eq!(state_at(&picture, member, "shop", 14 * SECOND), "west");
    }
    let leading = ["east", "west", "third"].map(|name| {
        let name = format!("member {name}");
        usize::from(state_at(&picture, &name, "role", 4 * SECOND) == "leads")
    });
    assert_eq!(leading.iter().sum::<usize>(), 1);
    assert_eq!(state_at(&picture, "plane east", "shop", 4 * SECOND), "3 of 3");
    assert_eq!(state_at(&picture, "plane west", "shop", 14 * SECOND), "3 of 3");
    assert_eq!(state_at(&picture, "gateway front", "shop", 14 * SECOND), "west");
    assert_eq!(state_at(&picture, "member third", "role", 16 * SECOND), "dead");
    assert_eq!(state_at(&picture, "member third", "shop", 16 * SECOND), "");
    assert_eq!(state_at(&picture, "plane west", "shop", 16 * SECOND), "2 of 3");
    assert_eq!(state_at(&picture, "member west", "role", 16 * SECOND), "paused");
    assert_eq!(
        bands(&picture, "member third", "dead"),
        [(15 * SECOND, 17 * SECOND, "the process is dead")]
    );
    assert_eq!(
        bands(&picture, "member west", "paused"),
        [(15 * SECOND, 18 * SECOND, "the process is paused")]
    );
    assert_eq!(
        bands(&picture, "plane east", "sick"),
        [(5 * SECOND, picture.ended, "every service is dead")]
    );
    assert!(picture.events.iter().any(|event| event.kind == "crash" && event.at == 15 * SECOND));
}

#[test]
fn observers_beside_the_members_and_ways_from_outside_have_bands() {
    let picture = drawn(
        "cluster observers 2\nat 5s cut east from far\nat 6s cut off far\nat 8s heal\nat 9s shut west to clients\n\
         at 10s roughen west to gateway by 250 lost within 80ms\nat 11s open west to clients\n\
         at 12s smooth west to gateway\nat 13s shut third to resolvers\nat 14s heal\nrun 20s\n\
         must hold a leader\n",
    );
    let from = |seconds: u64| seconds * SECOND;
    assert_eq!(
        bands(&picture, "member east", "cut"),
        [(from(5), from(8), "has no link to observer far")]
    );
    assert_eq!(
        bands(&picture, "observer far", "cut"),
        [
            (from(5), from(6), "has no link to east"),
            (from(6), from(8), "is cut off from everybody"),
        ]
    );
    let rough = "to and from gateways 25.0 % are lost, the others up to 80 ms late";
    assert_eq!(
        bands(&picture, "member west", "ways"),
        [
            (from(9), from(10), "is out of reach of clients"),
            (from(10), from(11), format!("{rough}, is out of reach of clients").as_str()),
            (from(11), from(12), rough),
        ]
    );
    assert_eq!(
        bands(&picture, "member third", "ways"),
        [(from(13), from(14), "is out of reach of resolvers")]
    );
}

#[test]
fn faults_have_their_beginnings_and_ends_in_words() {
    let picture = drawn(
        "at 5s cut off west\nat 8s heal\nat 9s cut east from third\nat 10s blind third to west\nat 11s heal\n\
         at 12s service web on west slow 120ms\nat 13s service pay on west dead\nat 14s plane west up\n\
         at 15s gateway down\nat 16s gateway up\nat 17s disk of third stalls for 2s\nat 18s cut off third in\nrun 20s\n\
         must see leader change\n",
    );
    let from = |seconds: u64| seconds * SECOND;
    assert_eq!(
        bands(&picture, "member west", "cut"),
        [
            (from(5), from(8), "is cut off from everybody"),
            (from(18), from(20), "is not heard by third"),
        ]
    );
    assert_eq!(
        bands(&picture, "member third", "cut"),
        [
            (from(5), from(8), "has no link to west"),
            (from(9), from(11), "has no link to east"),
            (from(18), from(20), "hears nobody"),
        ]
    );
    assert_eq!(
        bands(&picture, "member third", "blind"),
        [(from(10), from(11), "cannot see what runs on west")]
    );
    assert_eq!(
        bands(&picture, "plane west", "sick"),
        [
            (from(12), from(13), "web is slow by 120 ms"),
            (from(13), from(14), "pay is dead, web is slow by 120 ms"),
        ]
    );
    assert_eq!(
        bands(&picture, "gateway front", "down"),
        [(from(15), from(16), "the gateway is down")]
    );
    assert_eq!(
        bands(&picture, "member third", "disk"),
        [(from(17), from(19), "the disk stands still for 2.0 s")]
    );
}

#[test]
fn decisions_have_their_reasons() {
    let picture = drawn(
        "seed 6\nat 8s plane east dead\nat 25s plane east up\nat 30s plane east error\nat 32s plane west dead\nrun 45s\n\
         must see held decision\n",
    );
    let told = |kind: &str, words: &str| {
        let group = |event: &&Event| picture.lanes[event.lane].name == "group shop";
        let found = picture.events.iter().filter(group);
        let mut found = found.filter(|event| event.kind == kind && event.text.contains(words));
        assert!(found.any(|event| event.class == Class::Decision), "{kind}: {words}");
    };
    told("question", "probe failed");
    told("question-closed", "east: ");
    told("switchover", "automatic: east → west, prechecking; by quorum: ");
    told("switchover", "web down/up");
    told("switchover", "done; verified: users are sent to west");
    told("hold", "hold: ");
    let steps = &lane(&picture, "group shop").strips[1].states;
    let steps: Vec<&str> = steps.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(steps[..4], ["", "prechecking", "routing", "verifying"], "{steps:?}");
}

#[test]
fn messages_have_their_fates() {
    let picture = drawn(
        "at 5s cut east from west\nat 8s heal\nat 9s crash third for 2s\nat 12s plane west dead\nrun 15s\n\
         must hold a leader\n",
    );
    let seen = |kind: &str, fate: Fate| {
        let found = picture.messages.iter().filter(|m| m.kind == kind && m.fate == fate);
        let count = found.clone().count();
        assert!(count > 0, "no {kind} {fate:?}");
        found.for_each(|message| assert!(message.ended >= message.sent));
    };
    for kind in
        ["append", "append answer", "heartbeat", "vote request", "vote", "alive", "commands"]
    {
        seen(kind, Fate::Arrived);
    }
    seen("probe", Fate::Arrived);
    seen("probe", Fate::Failed);
    seen("alive", Fate::Cut);
    seen("alive", Fate::Nobody);
    let known = picture.messages.iter().all(|m| !["frame", "raft"].contains(&m.kind));
    assert!(known, "every frame has a name");
    assert!(picture.messages.is_sorted_by_key(|message| message.sent));
}

#[test]
fn lines_are_objects_in_order_of_time_with_their_fields() {
    let picture = drawn("at 3s plane east dead\nat 5s crash third\nrun 8s\nmust see question\n");
    let head = Head { title: "a \"run\"\n".to_owned(), passed: true, ..Head::default() };
    let text = jsonl(&head, &picture);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(lines[0]["type"], "run");
    assert_eq!(lines[0]["title"], "a \"run\"\n");
    assert_eq!(lines[0]["ended_us"], 8 * SECOND);
    let at = |line: &serde_json::Value| line["at_us"].as_u64().expect("a time");
    assert!(lines[1..].is_sorted_by_key(at));
    let fields = |kind: &str| -> Vec<String> {
        let line = lines.iter().rfind(|line| line["type"] == kind).expect("there is one");
        line.as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(
        fields("run"),
        ["digest", "ended_us", "format", "lanes", "passed", "title", "type", "wrong"]
    );
    assert_eq!(fields("state"), ["at_us", "lane", "state", "strip", "type"]);
    assert_eq!(fields("fault"), ["at_us", "kind", "lane", "text", "type", "until_us"]);
    assert_eq!(fields("event"), ["at_us", "class", "kind", "lane", "text", "type"]);
    let message = fields("message");
    assert!(
        ["at_us", "fate", "from", "kind", "to", "until_us"]
            .iter()
            .all(|f| message.contains(&(*f).to_owned()))
    );
}

/// What would break out of a page, if it could.
const HOSTILE: &str =
    "</script><!--<script>\u{2028}]]>\u{2029}&lt;\"'\\<img src=x onerror=alert(1)>";

#[test]
fn no_text_breaks_out_of_a_page() {
    let mut recorder = Recorder::new(&cluster(&Shape::default()), &[HOSTILE]);
    recorder.event(1, 0, Class::Decision, HOSTILE, HOSTILE);
    let head =
        Head { title: HOSTILE.to_owned(), wrong: vec![HOSTILE.to_owned()], ..Head::default() };
    let page = html(&head, &recorder.finish(SECOND));
    let begin = "<script type=\"application/json\" id=\"run\">";
    let (before, rest) = page.split_once(begin).expect("the data are there");
    let (data, after) = rest.split_once("</script>").expect("they end");
    assert!(after.starts_with("\n<script>\"use strict\";"), "{}", &after[..80]);
    assert!(!data.contains(['<', '>', '&', '\u{2028}', '\u{2029}']));
    let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(data["title"], HOSTILE);
    assert!(data["texts"].as_array().expect("a list").contains(&HOSTILE.into()));
    let title = before.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    assert!(!title.expect("it has one").0.contains('<'));
}

#[test]
fn a_page_fetches_nothing_and_runs_only_its_own_script() {
    let recorder = Recorder::new(&cluster(&Shape::default()), &["front"]);
    let page = html(&Head::default(), &recorder.finish(SECOND));
    for word in ["http://", "https://", "src=", "@import", "url(", "fetch(", "XMLHttp", "innerHTML"]
    {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'; script-src 'sha256-"));
}
