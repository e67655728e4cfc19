//! What is wrong with an exported audit trail.

use std::io::BufRead;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::file::{FORMAT, Footer, Header, Sum, digits};
use crate::kernel::ledger::AuditLine;

/// What is wrong with a file, and where it ends.
#[derive(Debug, Default, Serialize)]
pub(super) struct Verified {
    pub(super) entries: u64,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) head: String,
    pub(super) faults: Vec<String>,
}

/// Faults that are told, the first ones; further ones are left out.
pub(super) const FAULTS: usize = 100;

/// Reads an export line by line.
#[derive(Default)]
struct Judge<'a> {
    noted: &'a [String],
    seen: Vec<&'a String>,
    /// Whether the file must end with a sum.
    summed: bool,
    footer: Option<Footer>,
    /// The sum of the bytes so far, and what the file says it is.
    sum: Sha256,
    said: Option<(String, Sum)>,
    done: Verified,
}

pub(super) fn judge(mut file: impl BufRead, noted: &[String]) -> Verified {
    let mut judge = Judge { noted, ..Judge::default() };
    let mut bytes = Vec::new();
    for place in 1.. {
        bytes.clear();
        match file.read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                judge.fault(format!("line {place} cannot be read: {error}"));
                break;
            }
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) if place == 1 => judge.header(text),
            Ok(text) => judge.line(place, text),
            Err(_) => judge.fault(format!("line {place} is not text: it was changed")),
        }
        judge.sum.update(&bytes);
    }
    judge.end()
}

impl Judge<'_> {
    fn fault(&mut self, what: String) {
        if self.done.faults.len() < FAULTS {
            self.done.faults.push(what);
        }
    }

    fn header(&mut self, text: &str) {
        match serde_json::from_str::<Header>(text) {
            Ok(header) if header.biplane_audit <= FORMAT => self.summed = header.biplane_audit > 1,
            Ok(header) => {
                let format = header.biplane_audit;
                self.fault(format!("format {format} is newer than this version knows"));
            }
            Err(_) => self.fault("line 1 is not the beginning of an export".to_owned()),
        }
    }

    fn line(&mut self, place: usize, text: &str) {
        if self.said.is_some() {
            return self.fault(format!("line {place} stands behind the end"));
        }
        if let Ok(sum) = serde_json::from_str::<Sum>(text) {
            // The one line that no sum covers has no other spelling.
            if text != format!("{{\"sha256\":\"{}\"}}\n", sum.sha256) {
                self.fault("the last line was changed".to_owned());
            }
            self.said = Some((digits(self.sum.clone()), sum));
            return;
        }
        if let Ok(end) = serde_json::from_str::<Footer>(text) {
            self.footer = Some(end);
            return;
        }
        let Ok(line) = serde_json::from_str::<AuditLine>(text) else {
            return self.fault(format!("line {place} is not an entry of the log: it was changed"));
        };
        let index = line.index;
        if self.footer.is_some() {
            self.fault(format!("line {place}: entry {index} stands behind the end"));
        }
        if !line.is_sound() {
            self.fault(format!(
                "entry {index} (line {place}) was changed: its bytes are not those that were chained"
            ));
        }
        if let Some(last) = self.done.last.filter(|_| self.done.head != line.before) {
            self.fault(format!(
                "between entry {last} and entry {index} (line {place}) something was cut out or changed"
            ));
        }
        // What stands before the first line proves nothing of the lines behind it.
        let here = |head: &&String| **head == line.head;
        self.seen.extend(self.noted.iter().filter(here));
        self.done.entries += 1;
        self.done.first.get_or_insert(index);
        self.done.last = Some(index);
        self.done.head = line.head;
    }

    fn end(mut self) -> Verified {
        match (self.footer.take(), self.said.take()) {
            (Some(footer), Some((is, Sum { sha256 }))) => {
                self.ends(&footer);
                // Where the chain tells what was changed, that is said already.
                if is != sha256 && self.done.faults.is_empty() {
                    self.fault(
                        "a byte outside of the entries was changed: all bytes before the last line have another sum \
                         than it says"
                            .to_owned(),
                    );
                }
            }
            (Some(footer), None) if !self.summed => self.ends(&footer),
            _ => self.fault("the end is missing: the tail was cut off".to_owned()),
        }
        let missing = self.noted.iter().filter(|head| !self.seen.contains(head));
        let missing: Vec<String> = missing.cloned().collect();
        for head in missing {
            self.fault(format!(
                "the noted head {head} is that of none of its entries: an end was cut off, or it is another log"
            ));
        }
        self.done
    }

    /// Compares what is there with what the export says it wrote.
    fn ends(&mut self, Footer { end, entries, first }: &Footer) {
        if let Some(first) = first.filter(|first| self.done.first != Some(*first)) {
            self.fault(format!("the beginning was cut off: the export began with entry {first}"));
        }
        let none = self.done.entries == 0;
        if end.head != self.done.head && !(none && *entries == Some(0)) {
            let last = self.done.last.unwrap_or_default();
            self.fault(format!(
                "the tail after entry {last} was cut off: the export ended at entry {}",
                end.index
            ));
        }
        let wrote = entries.filter(|wrote| *wrote != self.done.entries);
        if let Some(wrote) = wrote.filter(|_| self.done.faults.is_empty()) {
            self.fault(format!(
                "{wrote} entries were written, and {} are there",
                self.done.entries
            ));
        }
    }
}
