//! The page of `biplane simulate --trace FILE.html`, in a browser: it is looked at, clicked, searched and zoomed.

mod chromium;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use biplane::sim::cluster::{Shape, cluster};
use biplane::sim::picture::{Class, Fate, Head, Recorder, html};
use chromium::Tab;
use serde_json::{Value, json};

use crate::process::{BIPLANE, until};

const SOON: Duration = Duration::from_secs(60);

fn browser() -> Option<Tab> {
    let Some(program) = chromium::installed() else {
        println!("SKIPPED: the page of a run in a browser: chromium is not installed");
        return None;
    };
    Some(Tab::open(program, 1280, 720))
}

fn written(dir: &Path) -> std::path::PathBuf {
    let page = dir.join("run.html");
    let ended = Command::new(BIPLANE)
        .args(["simulate", "leader-cut-off-in-mid-switch.txt", "--trace"])
        .arg(&page)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/simulations"))
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    page
}

fn comes(tab: &mut Tab, expression: &str) {
    until(SOON, || {
        let value = tab.value(expression);
        if value == json!(true) { Ok(()) } else { Err(format!("{expression}: {value}")) }
    });
}

/// The colour of a lane at a time, which must be the one that is painted there.
fn colour(tab: &mut Tab, lane: &str, seconds: u32, strip: &str) -> String {
    let at = format!("'{lane}', {seconds}e6, '{strip}'");
    let said = tab.value(&format!("biplane.laneColourAt({at})"));
    let painted = tab.value(&format!("biplane.paintedAt({at})"));
    assert_eq!(said, painted, "{at}");
    said.as_str().unwrap().to_owned()
}

fn place(tab: &mut Tab, of: &str) -> (f64, f64) {
    let place = tab.value(&format!("biplane.place({of})"));
    (place["x"].as_f64().unwrap(), place["y"].as_f64().unwrap())
}

/// The same, once nothing is laid out anew: a dozen looks in a row saw it there.
fn still(tab: &mut Tab, of: &str) -> (f64, f64) {
    let (mut last, mut seen) = (place(tab, of), 0);
    until(SOON, || {
        let now = place(tab, of);
        seen = if now == last { seen + 1 } else { 0 };
        last = now;
        if seen < 12 { Err(format!("{now:?} moves")) } else { Ok(now) }
    })
}

#[test]
fn a_page_shows_who_was_active_and_is_searched_and_zoomed() {
    let Some(mut tab) = browser() else { return };
    let dir = tempfile::tempdir().unwrap();
    tab.load(&written(dir.path()));

    // The leader, west, is cut off from 10 s to 20 s: it shows east until it hears of the switch.
    let at = |tab: &mut Tab, lane: &str, strip: &str| {
        [5, 15, 25].map(|seconds| colour(tab, lane, seconds, strip))
    };
    let [east, west, _] = at(&mut tab, "member east", "shop");
    assert_ne!(east, west);
    assert_eq!(at(&mut tab, "member west", "shop"), [&east, &east, &west].map(String::clone));
    assert_eq!(at(&mut tab, "member third", "shop"), [&east, &west, &west].map(String::clone));
    assert_eq!(at(&mut tab, "group shop", "route"), [&east, &west, &west].map(String::clone));
    let [follows, leads, _] = at(&mut tab, "member east", "role");
    let [led, cut_off, follows_too] = at(&mut tab, "member west", "role");
    assert!(follows != leads && led == leads && follows_too == follows);
    assert!(cut_off != leads && cut_off != follows);
    let [all, some, none] = at(&mut tab, "plane east", "shop");
    assert!(all == east && some != all && some != none && none != all);

    // Messages are there when asked for.
    assert_eq!(tab.value("biplane.messagesDrawn()"), 0);
    tab.click_on("messages");
    comes(&mut tab, "biplane.messagesDrawn() > 100");
    tab.click_on("messages");
    comes(&mut tab, "biplane.messagesDrawn() === 0");

    // The wheel zooms at the pointer: what is under it stays there.
    let before = still(&mut tab, "'member east', 10.2e6");
    tab.wheel(before, -1200.0);
    comes(&mut tab, "biplane.view().until - biplane.view().from < 10e6");
    let (x, _) = before;
    comes(&mut tab, &format!("Math.abs(biplane.place('member east', 10.2e6).x - {x}) < 8"));
    tab.click_on("fit");
    comes(&mut tab, "biplane.view().from === 0 && biplane.view().until === 40e6");
    tab.click_on("zoom-in");
    tab.click_on("zoom-in");
    comes(&mut tab, "Math.round(biplane.view().until - biplane.view().from) === 10e6");
    tab.click_on("zoom-out");
    comes(&mut tab, "Math.round(biplane.view().until - biplane.view().from) === 20e6");

    search(&mut tab);

    // A decision tells its reason under the pointer.
    tab.click_on("fit");
    comes(&mut tab, "biplane.view().until === 40e6");
    let decided = still(&mut tab, "'group shop', 10.12e6");
    tab.point(decided);
    comes(&mut tab, "!document.getElementById('tip').hidden");
    let tip = tab.value("document.getElementById('tip').textContent");
    let tip = tip.as_str().unwrap();
    assert!(tip.contains("probe failed") || tip.contains("by quorum"), "{tip}");
}

/// A search goes to what it finds, in what is seen of 20 seconds.
fn search(tab: &mut Tab) {
    let found = "document.getElementById('found').textContent";
    tab.click_on("query");
    tab.write("verified: users");
    comes(tab, &format!("{found} === '1 of 1'"));
    let chosen = tab.value("biplane.chosen()");
    assert_eq!(chosen["head"], "switchover");
    let text = chosen["text"].as_str().unwrap();
    assert!(text.contains("automatic: east → west, done"), "{text}");
    comes(
        tab,
        "(v => v.from < biplane.chosen().at && v.until > biplane.chosen().at)(biplane.view())",
    );
    comes(
        tab,
        "document.querySelector('.row[aria-selected=true] mark').textContent === 'verified:'",
    );

    tab.value("document.getElementById('query').value = ''");
    tab.click_on("query");
    tab.write("cut");
    comes(tab, &format!("{found} !== '1 of 1' && {found}.startsWith('1 of ')"));
    tab.click_on("next");
    comes(tab, &format!("{found}.startsWith('2 of ')"));
    let second = tab.value("biplane.chosen().at");
    tab.key("Enter", 13);
    comes(tab, &format!("{found}.startsWith('3 of ')"));
    tab.click_on("previous");
    comes(tab, &format!("{found}.startsWith('2 of ')"));
    assert_eq!(tab.value("biplane.chosen().at"), second);
    tab.value("document.getElementById('query').value = ''");
    tab.click_on("query");
    tab.write("no such words");
    comes(tab, &format!("{found} === 'nothing'"));
}

/// Events of the great page, and messages.
const MANY: u64 = 100_000;
const BYTES_MAX: usize = 25_000_000;

#[test]
fn a_hundred_thousand_events_open_in_five_seconds_and_none_of_them_breaks_out() {
    let Some(mut tab) = browser() else { return };
    let hostile = "</script><script>window.broken = 1</script><!--<script>\u{2028}<img src=x onerror='broken = 1'>";
    let mut recorder = Recorder::new(&cluster(&Shape::default()), &[hostile]);
    for number in 0..MANY {
        let at = number * 600;
        let lane = usize::try_from(number % 3).unwrap();
        let class = [Class::Word, Class::Detail, Class::Detail, Class::Decision];
        let class = class[usize::try_from(number % 4).unwrap()];
        recorder.event(at, lane, class, "write", format!("writes batch {number}: {hostile}"));
        let ways = (lane, (lane + 1) % 3);
        recorder.message((at, at + 900), ways, "append", Fate::Arrived, "");
    }
    let head = Head { title: hostile.to_owned(), ..Head::default() };
    let page = html(&head, &recorder.finish(MANY * 600));
    assert!(page.len() <= BYTES_MAX, "{} bytes", page.len());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("many.html");
    std::fs::write(&path, &page).unwrap();

    // Others may use this machine: the best of three counts.
    let mut drawn = u64::MAX;
    for _ in 0..3 {
        tab.load(&path);
        drawn = drawn.min(tab.value("Math.round(biplane.drawnAfter)").as_u64().unwrap());
        if drawn < 5_000 {
            break;
        }
    }
    println!("{MANY} events, {MANY} messages: {} bytes, drawn after {drawn} ms", page.len());
    assert!(drawn < 5_000, "{drawn} ms");
    assert_eq!(tab.value("biplane.counts().events"), MANY);

    assert_eq!(tab.value("document.getElementById('title').textContent"), hostile);
    tab.click_on("tab-events");
    tab.click_on("query");
    tab.write("batch 77776:");
    comes(&mut tab, "document.getElementById('found').textContent === '1 of 1'");
    let text = tab.value("biplane.chosen().text");
    assert_eq!(text, format!("writes batch 77776: {hostile}"));
    assert_eq!(tab.value("typeof window.broken"), "undefined");
    assert_eq!(tab.value("document.scripts.length"), Value::from(2));
    assert_eq!(tab.value("document.images.length"), 0);
    for _ in 0..10 {
        tab.click_on("zoom-in");
    }
    comes(&mut tab, "biplane.view().until - biplane.view().from < 1e6");
}
