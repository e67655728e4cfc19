//! A picture for people: one page that needs nothing else. Its own script and style are files beside this one; the
//! data lie in it as JSON, in columns, with each text once.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::jsonl::FORMAT;
use super::model::{Head, Picture};
use crate::sim::queue::Micros;

const BODY: &str = include_str!("page/body.html");
const STYLE: &str = include_str!("page/style.css");
/// In this order they are one script.
const SCRIPTS: [&str; 9] = [
    include_str!("page/data.js"),
    include_str!("page/view.js"),
    include_str!("page/canvas.js"),
    include_str!("page/wires.js"),
    include_str!("page/paint.js"),
    include_str!("page/point.js"),
    include_str!("page/lists.js"),
    include_str!("page/search.js"),
    include_str!("page/main.js"),
];

/// The page. The same picture gives the same bytes.
pub fn write(head: &Head, picture: &Picture) -> String {
    let script = format!("\"use strict\";\n(() => {{\n{}}})();\n", SCRIPTS.concat());
    let data = serde_json::to_string(&Data::new(head, picture));
    let data = data.expect("text and numbers are always JSON");
    // Only what was written by hand may run, and nothing may be fetched.
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'",
        base64(&Sha256::digest(&script)),
        base64(&Sha256::digest(STYLE))
    );
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{} · biplane simulate</title>\n<style>{STYLE}</style>\n</head>\n{BODY}\
         <script type=\"application/json\" id=\"run\">{}</script>\n\
         <script>{script}</script>\n</body>\n</html>\n",
        in_html(&head.title),
        in_script(&data),
    )
}

/// JSON that cannot end the element it lies in, whatever its texts say. These characters stand only in texts.
pub(super) fn in_script(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            c => safe.push(c),
        }
    }
    safe
}

fn in_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for letter in 0..4 {
            let number = bits >> (18 - 6 * letter) & 63;
            let letter =
                if letter > three.len() { '=' } else { char::from(LETTERS[number as usize]) };
            text.push(letter);
        }
    }
    text
}

/// What the page reads: `page/data.js` names the same columns.
#[derive(Serialize)]
struct Data<'a> {
    format: u32,
    title: &'a str,
    passed: bool,
    digest: String,
    wrong: &'a [String],
    ended: Micros,
    texts: Vec<&'a str>,
    lanes: Vec<LaneData<'a>>,
    events: Columns<4>,
    bands: Columns<4>,
    /// What messages have in common, each once: from, to, kind, fate, text. There are many messages of few sorts.
    sorts: Vec<[u64; 5]>,
    messages: Columns<2>,
}

#[derive(Serialize)]
struct LaneData<'a> {
    name: &'a str,
    kind: &'a str,
    /// Each with its states: time, text, time, text, …
    strips: Vec<(&'a str, Vec<u64>)>,
}

/// Times as differences from the one before, and other columns.
#[derive(Serialize)]
struct Columns<const N: usize> {
    at: Vec<Micros>,
    #[serde(serialize_with = "as_list")]
    columns: [Vec<u64>; N],
}

fn as_list<S: serde::Serializer, const N: usize>(
    columns: &[Vec<u64>; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(columns)
}

impl<const N: usize> Columns<N> {
    fn new(rows: impl Iterator<Item = (Micros, [u64; N])>) -> Self {
        let mut columns = Self { at: Vec::new(), columns: std::array::from_fn(|_| Vec::new()) };
        let mut last = 0;
        for (at, row) in rows {
            columns.at.push(at.saturating_sub(last));
            last = at;
            for (column, value) in columns.columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
        columns
    }
}

/// Each text once.
#[derive(Default)]
struct Texts<'a> {
    places: BTreeMap<&'a str, u64>,
    texts: Vec<&'a str>,
}

impl<'a> Texts<'a> {
    fn place(&mut self, text: &'a str) -> u64 {
        let next = self.texts.len() as u64;
        let place = *self.places.entry(text).or_insert(next);
        if place == next {
            self.texts.push(text);
        }
        place
    }
}

impl<'a> Data<'a> {
    fn new(head: &'a Head, picture: &'a Picture) -> Self {
        let mut texts = Texts::default();
        let lanes = picture.lanes.iter().map(|lane| {
            let strips = lane.strips.iter().map(|strip| {
                let states = strip.states.iter();
                (strip.name.as_str(), states.flat_map(|(at, s)| [*at, texts.place(s)]).collect())
            });
            LaneData { name: &lane.name, kind: lane.kind.word(), strips: strips.collect() }
        });
        let lanes = lanes.collect();
        let events = Columns::new(picture.events.iter().map(|event| {
            let class = texts.place(event.class.word());
            let (kind, text) = (texts.place(event.kind), texts.place(&event.text));
            (event.at, [event.lane as u64, class, kind, text])
        }));
        let bands = Columns::new(picture.bands.iter().map(|band| {
            let (kind, text) = (texts.place(band.kind), texts.place(&band.text));
            (band.from, [band.until - band.from, band.lane as u64, kind, text])
        }));
        let mut sorts = BTreeMap::new();
        let messages = Columns::new(picture.messages.iter().map(|message| {
            let (from, to) = (message.from as u64, message.to as u64);
            let (kind, text) = (texts.place(message.kind), texts.place(&message.text));
            let fate = texts.place(message.fate.word());
            let next = sorts.len() as u64;
            let sort = *sorts.entry([from, to, kind, fate, text]).or_insert(next);
            (message.sent, [message.ended - message.sent, sort])
        }));
        let mut in_order: Vec<_> = sorts.into_iter().collect();
        in_order.sort_by_key(|(_, place)| *place);
        Self {
            format: FORMAT,
            title: &head.title,
            passed: head.passed,
            digest: format!("{:016x}", head.digest),
            wrong: &head.wrong,
            ended: picture.ended,
            texts: texts.texts,
            lanes,
            events,
            bands,
            sorts: in_order.into_iter().map(|(sort, _)| sort).collect(),
            messages,
        }
    }
}
