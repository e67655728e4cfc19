//! The demo's timeline: live on a terminal, a line an event elsewhere.

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

use super::super::render::printable;

/// Where the timeline goes, and how.
pub(super) struct Timeline {
    began: Instant,
    out: Box<dyn Write + Send>,
    live: bool,
    width: usize,
    /// What is waited for now.
    waiting: String,
}

impl std::fmt::Debug for Timeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timeline").field("live", &self.live).finish_non_exhaustive()
    }
}

/// Assumed where the terminal does not say.
const WIDTH: usize = 80;

impl Timeline {
    /// On standard output, or on standard error if the first is for JSON.
    pub(super) fn start(json: bool) -> Self {
        let (out, live): (Box<dyn Write + Send>, bool) = if json {
            (Box::new(io::stderr()), io::stderr().is_terminal())
        } else {
            (Box::new(io::stdout()), io::stdout().is_terminal())
        };
        let size = if json {
            rustix::termios::tcgetwinsize(io::stderr())
        } else {
            rustix::termios::tcgetwinsize(io::stdout())
        };
        // Some terminals say zero.
        let told = size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        let width = told.unwrap_or(WIDTH).max(20);
        Self::with(out, live, width)
    }

    fn with(out: Box<dyn Write + Send>, live: bool, width: usize) -> Self {
        Self { began: Instant::now(), out, live, width, waiting: String::new() }
    }

    /// Since the demo began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Something happened.
    pub(super) fn event(&mut self, text: &str) {
        let line = format!("{} {}\n", self.stamp(), printable(text));
        self.wipe();
        self.write(&line);
        self.waiting.clear();
    }

    /// This is what must happen next. On a terminal it stands on the last line and grows older there; elsewhere
    /// it is a line when a stage begins.
    pub(super) fn waiting(&mut self, stage: &str, missing: &str) {
        if self.live {
            let line = format!("{} waiting: {stage} (now: {})", self.stamp(), printable(missing));
            let line = cut(&line, self.width - 1);
            self.write(&format!("\r\u{1b}[K{line}"));
            stage.clone_into(&mut self.waiting);
        } else if self.waiting != stage {
            let line = format!("{} waiting: {stage}\n", self.stamp());
            self.write(&line);
            stage.clone_into(&mut self.waiting);
        }
    }

    /// Text as it is.
    pub(super) fn text(&mut self, text: &str) {
        self.wipe();
        self.write(text);
        self.waiting.clear();
    }

    fn wipe(&mut self) {
        if self.live && !self.waiting.is_empty() {
            self.write("\r\u{1b}[K");
        }
    }

    fn stamp(&self) -> String {
        format!("+{:.3}s", self.elapsed().as_secs_f64())
    }

    fn write(&mut self, text: &str) {
        // Whoever watched may have gone; the story goes on and its exit code tells.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

/// A line of so many characters at the most; one that is cut ends in `…`.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let paper = self.0.lock().map_err(|_| io::ErrorKind::Other);
            paper?.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(live: bool) -> String {
        let paper = Paper::default();
        let mut timeline = Timeline::with(Box::new(paper.clone()), live, 40);
        timeline.waiting("ready", "no leader yet");
        timeline.waiting("ready", "a line that is far too long for the width of this terminal");
        timeline.event("all up");
        let text = paper.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn without_a_terminal_each_stage_and_each_event_is_one_line() {
        let text = told(false);
        let lines: Vec<&str> =
            text.lines().map(|line| line.split_once("s ").map_or(line, |(_, rest)| rest)).collect();
        assert_eq!(lines, ["waiting: ready", "all up"]);
        assert!(text.lines().all(|line| line.starts_with('+')), "{text}");
    }

    #[test]
    fn on_a_terminal_the_last_line_says_what_is_missing_and_never_wraps() {
        let text = told(true);
        assert!(text.contains("waiting: ready (now: no leader"), "{text}");
        assert!(text.contains("…"), "{text}");
        let longest = text.split("\u{1b}[K").map(|line| line.trim_end().chars().count()).max();
        assert!(longest < Some(40), "{text}");
        assert!(text.ends_with("all up\n"), "{text}");
    }
}
