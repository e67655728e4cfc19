//! A picture for programs: one JSON object a line, in order of time.
//!
//! The first line is the run: `{"type":"run","format":1,"title":…,"passed":…,"digest":…,"ended_us":…,"wrong":[…],
//! "lanes":[{"name":…,"kind":…,"strips":[…]},…]}`. Each other line has `at_us`, the true time since the beginning in
//! microseconds, and `type`:
//!
//! - `state`: `lane`, `strip`, `state`; from now on, until the next one of this strip. Empty text for none.
//! - `fault`: `until_us`, `lane`, `kind`, `text`.
//! - `event`: `lane`, `class` (`decision`, `fault`, `word`, `detail`), `kind`, `text`.
//! - `message`: `until_us`, `from`, `to`, `kind`, `fate` (`arrived`, `failed`, `lost`, `cut`, `nobody`, `under-way`),
//!   and `text` where there is one.
//!
//! Fields and words may be added under one format; none is taken away or renamed.

use serde::Serialize;

use super::model::{Head, Picture};
use crate::sim::queue::Micros;

/// The format of these lines, and of the data in a page.
pub(super) const FORMAT: u32 = 1;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line<'a> {
    Run {
        format: u32,
        title: &'a str,
        passed: bool,
        digest: String,
        ended_us: Micros,
        wrong: &'a [String],
        lanes: Vec<LaneLine<'a>>,
    },
    State {
        at_us: Micros,
        lane: &'a str,
        strip: &'a str,
        state: &'a str,
    },
    Fault {
        at_us: Micros,
        until_us: Micros,
        lane: &'a str,
        kind: &'a str,
        text: &'a str,
    },
    Event {
        at_us: Micros,
        lane: &'a str,
        class: &'a str,
        kind: &'a str,
        text: &'a str,
    },
    Message {
        at_us: Micros,
        until_us: Micros,
        from: &'a str,
        to: &'a str,
        kind: &'a str,
        fate: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        text: &'a str,
    },
}

#[derive(Serialize)]
struct LaneLine<'a> {
    name: &'a str,
    kind: &'a str,
    strips: Vec<&'a str>,
}

/// The lines, each with its line break.
pub fn write(head: &Head, picture: &Picture) -> String {
    let mut text = String::new();
    for line in std::iter::once(first(head, picture)).chain(rest(picture)) {
        let line = serde_json::to_string(&line);
        text.push_str(&line.expect("text and numbers are always JSON"));
        text.push('\n');
    }
    text
}

fn first<'a>(head: &'a Head, picture: &'a Picture) -> Line<'a> {
    let lanes = picture.lanes.iter().map(|lane| LaneLine {
        name: &lane.name,
        kind: lane.kind.word(),
        strips: lane.strips.iter().map(|strip| strip.name.as_str()).collect(),
    });
    Line::Run {
        format: FORMAT,
        title: &head.title,
        passed: head.passed,
        digest: format!("{:016x}", head.digest),
        ended_us: picture.ended,
        wrong: &head.wrong,
        lanes: lanes.collect(),
    }
}

fn rest(picture: &Picture) -> impl Iterator<Item = Line<'_>> {
    let lane = |place: usize| picture.lanes[place].name.as_str();
    let states = picture.lanes.iter().flat_map(|lane| {
        lane.strips.iter().flat_map(move |strip| {
            strip.states.iter().map(move |(at, state)| {
                (*at, Line::State { at_us: *at, lane: &lane.name, strip: &strip.name, state })
            })
        })
    });
    let faults = picture.bands.iter().map(move |band| {
        let (at_us, until_us, text) = (band.from, band.until, band.text.as_str());
        (at_us, Line::Fault { at_us, until_us, lane: lane(band.lane), kind: band.kind, text })
    });
    let events = picture.events.iter().map(move |event| {
        let (at_us, class, text) = (event.at, event.class.word(), event.text.as_str());
        (at_us, Line::Event { at_us, lane: lane(event.lane), class, kind: event.kind, text })
    });
    let messages = picture.messages.iter().map(move |message| {
        let line = Line::Message {
            at_us: message.sent,
            until_us: message.ended,
            from: lane(message.from),
            to: lane(message.to),
            kind: message.kind,
            fate: message.fate.word(),
            text: &message.text,
        };
        (message.sent, line)
    });
    let mut lines: Vec<_> = states.chain(faults).chain(events).chain(messages).collect();
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line)
}
