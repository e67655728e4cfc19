//! The client's own log: every question asked from outside, when, and what came back. All that the demo
//! claims about outages and switchovers is read from it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::onlooker::{Sight, Stages};

/// Entries that are held in memory, the newest: several minutes. The file holds all.
const HELD: usize = 200_000;
/// Sights of the cluster that are held, the newest: a switchover shows about ten. The file holds all.
const SIGHTS: usize = 1_000;

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// An HTTP request through the gateway, on a fresh connection.
    Gateway,
    /// An A query to this node's DNS server.
    Dns(usize),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// This plane.
    Plane(usize),
    /// No answer that helps a user.
    Fault(String),
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Whom.
    pub(super) asked: Asked,
    /// Since the log began.
    pub(super) sent: Duration,
    /// Until the answer, or until there was none.
    pub(super) took: Duration,
    /// What.
    pub(super) heard: Heard,
}

/// How many questions, and how many without a good answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Asked and ended.
    pub(super) sent: u64,
    /// Of these, failed.
    pub(super) failed: u64,
}

/// The log.
#[derive(Debug)]
pub(super) struct ClientLog {
    began: Instant,
    planes: [&'static str; 2],
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    entries: VecDeque<Entry>,
    /// What was seen of the cluster, each with the time at which it was there.
    sights: VecDeque<(Duration, Sight)>,
    /// When the newest sight was asked for.
    looked: Option<Duration>,
    /// Of requests sent from here on.
    counted_from: Duration,
    requests: Count,
    file: BufWriter<File>,
    /// The first thing that went wrong with the file.
    broken: Option<String>,
}

impl ClientLog {
    /// Begins a log in a new file.
    pub(super) fn create(path: &Path, planes: [&'static str; 2]) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create_new(path)?);
        writeln!(file, "sent_ms,took_ms,asked,answer")?;
        let inner = Inner {
            entries: VecDeque::new(),
            sights: VecDeque::new(),
            looked: None,
            counted_from: Duration::ZERO,
            requests: Count::default(),
            file,
            broken: None,
        };
        Ok(Self { began: Instant::now(), planes, inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // An entry is pushed whole or not at all, so a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the log began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Adds an answer that has just come, to a question sent at `sent`.
    pub(super) fn note(&self, asked: Asked, sent: Duration, heard: Heard) {
        let took = self.now().saturating_sub(sent);
        self.push(Entry { asked, sent, took, heard });
    }

    fn push(&self, entry: Entry) {
        let row = self.row_of(&entry);
        let mut inner = self.lock();
        if entry.asked == Asked::Gateway && entry.sent >= inner.counted_from {
            inner.requests.sent += 1;
            inner.requests.failed += u64::from(matches!(entry.heard, Heard::Fault(_)));
        }
        inner.write(&row);
        if inner.entries.len() == HELD {
            inner.entries.pop_front();
        }
        inner.entries.push_back(entry);
    }

    /// Adds what an answer of the controllers shows, asked for at `sent`, unless it is what was seen last.
    pub(super) fn see(&self, sent: Duration, sight: Sight) {
        let now = self.now();
        let mut inner = self.lock();
        inner.looked = Some(sent);
        if inner.sights.back().is_some_and(|(_, last)| *last == sight) {
            return;
        }
        inner.write(&row(sent, now.saturating_sub(sent), "explain", &sight.to_string()));
        if inner.sights.len() == SIGHTS {
            inner.sights.pop_front();
        }
        inner.sights.push_back((now, sight));
    }

    /// Whether the newest sight of the cluster was asked for at or after `since`.
    pub(super) fn looked(&self, since: Duration) -> bool {
        self.lock().looked >= Some(since)
    }

    /// Adds what the client itself did at `at`.
    pub(super) fn did(&self, at: Duration, what: &str) {
        self.lock().write(&row(at, Duration::ZERO, "fault", &quoted(what)));
    }

    /// Where the time of the switchover after a fault at `fault` went; `before` is the one before it.
    pub(super) fn stages(&self, fault: Duration, before: Option<&str>) -> Stages {
        Stages::of(self.lock().sights.make_contiguous(), fault, before)
    }

    fn row_of(&self, entry: &Entry) -> String {
        let asked = match entry.asked {
            Asked::Gateway => "gateway".to_owned(),
            Asked::Dns(node) => format!("dns {}", node + 1),
        };
        let heard = match &entry.heard {
            Heard::Plane(plane) => self.planes[*plane].to_owned(),
            Heard::Fault(why) => quoted(&format!("fault: {why}")),
        };
        row(entry.sent, entry.took, &asked, &heard)
    }

    /// Writes out what is buffered. Says what went wrong with the file since the beginning.
    pub(super) fn flush(&self) -> Result<(), String> {
        let mut inner = self.lock();
        if let Err(error) = inner.file.flush() {
            inner.broken.get_or_insert_with(|| error.to_string());
        }
        inner.broken.clone().map_or(Ok(()), Err)
    }

    /// Counts requests from now on: before, nothing was promised to users.
    pub(super) fn count_from_now(&self) {
        let mut inner = self.lock();
        inner.counted_from = self.now();
        inner.requests = Count::default();
    }

    /// Requests through the gateway that count, so far.
    pub(super) fn requests(&self) -> Count {
        self.lock().requests
    }

    /// What the last `count` questions, all sent at or after `since`, agree on. Nothing while there are fewer,
    /// or one failed, or they differ.
    pub(super) fn agreed(&self, asked: Asked, since: Duration, count: usize) -> Option<usize> {
        let inner = self.lock();
        let mut last =
            inner.entries.iter().rev().filter(|e| e.asked == asked && e.sent >= since).take(count);
        let plane = |entry: &Entry| match entry.heard {
            Heard::Plane(plane) => Some(plane),
            Heard::Fault(_) => None,
        };
        let first = plane(last.next()?)?;
        let mut agreeing = 1;
        for entry in last {
            if plane(entry)? != first {
                return None;
            }
            agreeing += 1;
        }
        (agreeing == count).then_some(first)
    }

    /// What was heard last of this question.
    pub(super) fn last(&self, asked: Asked) -> Option<Heard> {
        let inner = self.lock();
        inner.entries.iter().rev().find(|entry| entry.asked == asked).map(|e| e.heard.clone())
    }

    /// How long users of the gateway were without it: from the first request that failed, sent in the span, to
    /// the first one after which all succeeded. Zero if none failed.
    pub(super) fn outage(&self, from: Duration, to: Duration) -> Duration {
        let mut asked: Vec<Entry> = {
            let inner = self.lock();
            let of_span = |e: &&Entry| e.asked == Asked::Gateway && (from..to).contains(&e.sent);
            inner.entries.iter().filter(of_span).cloned().collect()
        };
        asked.sort_by_key(|entry| entry.sent);
        let failed = |entry: &Entry| matches!(entry.heard, Heard::Fault(_));
        let Some(first) = asked.iter().position(failed) else { return Duration::ZERO };
        let last = asked.iter().rposition(failed).unwrap_or(first);
        let again = asked.get(last + 1).map_or(to, |entry| entry.sent);
        again.saturating_sub(asked[first].sent)
    }

    /// How many requests through the gateway failed that were under way or sent in the span.
    pub(super) fn lost(&self, from: Duration, to: Duration) -> u64 {
        let inner = self.lock();
        let lost = inner.entries.iter().filter(|entry| {
            entry.asked == Asked::Gateway
                && entry.sent + entry.took >= from
                && entry.sent < to
                && matches!(entry.heard, Heard::Fault(_))
        });
        lost.count() as u64
    }

    /// How long after `from` this node's DNS server first answered with this plane.
    pub(super) fn moved(&self, node: usize, plane: usize, from: Duration) -> Option<Duration> {
        let inner = self.lock();
        let heard = inner.entries.iter().filter(|entry| {
            entry.asked == Asked::Dns(node)
                && entry.sent >= from
                && entry.heard == Heard::Plane(plane)
        });
        heard.map(|entry| entry.sent + entry.took).min().map(|heard| heard.saturating_sub(from))
    }
}

impl Inner {
    fn write(&mut self, row: &str) {
        if let Err(error) = self.file.write_all(row.as_bytes()) {
            self.broken.get_or_insert_with(|| error.to_string());
        }
    }
}

fn row(sent: Duration, took: Duration, asked: &str, heard: &str) -> String {
    let (sent, took) = (sent.as_secs_f64() * 1e3, took.as_secs_f64() * 1e3);
    format!("{sent:.3},{took:.3},{asked},{heard}\n")
}

/// As RFC 4180 section 2 wants text: quoted, quotes doubled.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A log whose entries are (sent, asked, plane or fault), each answered after 1 ms.
    fn log_of(entries: &[(u64, Asked, Option<usize>)]) -> (tempfile::TempDir, ClientLog) {
        let dir = tempfile::tempdir().unwrap();
        let log = ClientLog::create(&dir.path().join("log.csv"), ["east", "west"]).unwrap();
        for &(sent, asked, plane) in entries {
            let heard = plane.map_or_else(|| Heard::Fault("say \"no\"".into()), Heard::Plane);
            log.push(Entry { asked, sent: ms(sent), took: ms(1), heard });
        }
        (dir, log)
    }

    #[test]
    fn agreement_needs_enough_good_and_equal_answers_since_then() {
        use Asked::Gateway;
        let at = |n: u64, plane| (n * 10, Gateway, plane);
        let (_dir, log) = log_of(&[at(0, Some(0)), at(1, None), at(2, Some(1)), at(3, Some(1))]);
        assert_eq!(log.agreed(Gateway, ms(20), 2), Some(1));
        assert_eq!(log.agreed(Gateway, ms(0), 2), Some(1));
        assert_eq!(log.agreed(Gateway, ms(30), 2), None, "one is not enough");
        assert_eq!(log.agreed(Gateway, ms(0), 3), None, "one of them failed");
        assert_eq!(log.agreed(Asked::Dns(0), ms(0), 1), None, "another was asked");
        let (_dir, log) = log_of(&[at(0, Some(0)), at(1, Some(1))]);
        assert_eq!(log.agreed(Gateway, ms(0), 2), None, "they differ");
    }

    #[test]
    fn an_outage_runs_from_the_first_failure_to_the_lasting_recovery() {
        use Asked::Gateway;
        let (_dir, log) = log_of(&[
            (0, Gateway, Some(0)),
            (10, Gateway, None),
            (30, Gateway, None),
            (20, Gateway, Some(1)),
            (40, Gateway, Some(1)),
            (50, Gateway, Some(1)),
        ]);
        assert_eq!(log.outage(ms(0), ms(100)), ms(30));
        assert_eq!(log.outage(ms(40), ms(100)), ms(0));
        assert_eq!((log.lost(ms(0), ms(100)), log.lost(ms(12), ms(30))), (2, 0));
        assert_eq!(log.lost(ms(11), ms(30)), 1, "one was under way");
        assert_eq!(log.outage(ms(0), ms(35)), ms(25), "it lasts to the end of the span");
        assert_eq!(log.requests(), Count { sent: 6, failed: 2 });
    }

    #[test]
    fn requests_before_everything_was_up_do_not_count() {
        let (_dir, log) = log_of(&[(0, Asked::Gateway, None)]);
        log.count_from_now();
        let heard = || Heard::Plane(0);
        log.push(Entry { asked: Asked::Gateway, sent: ms(0), took: ms(1), heard: heard() });
        log.note(Asked::Gateway, log.now(), heard());
        assert_eq!(log.requests(), Count { sent: 1, failed: 0 });
    }

    #[test]
    fn a_node_has_moved_when_the_first_new_answer_is_there() {
        let dns = Asked::Dns(2);
        let (_dir, log) =
            log_of(&[(5, dns, Some(1)), (10, dns, Some(0)), (20, dns, None), (30, dns, Some(1))]);
        assert_eq!(log.moved(2, 1, ms(10)), Some(ms(21)));
        assert_eq!(log.moved(1, 1, ms(10)), None);
    }

    #[test]
    fn the_file_has_a_row_for_every_question() {
        let (dir, log) = log_of(&[(5, Asked::Dns(0), Some(1)), (6, Asked::Gateway, None)]);
        log.flush().unwrap();
        let text = std::fs::read_to_string(dir.path().join("log.csv")).unwrap();
        let rows = "sent_ms,took_ms,asked,answer\n5.000,1.000,dns 1,west\n\
                    6.000,1.000,gateway,\"fault: say \"\"no\"\"\"\n";
        assert_eq!(text, rows);
    }
}
