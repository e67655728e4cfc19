//! How far a search is, on standard error: a bar that moves on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A terminal is told so often, at most.
const FRAME: Duration = Duration::from_millis(100);
/// A file or a pipe is told so often, at most.
const LINE: Duration = Duration::from_secs(15);
/// Characters of the bar.
const WIDTH: usize = 30;

/// What a search is measured against.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// So many seeds.
    Seeds(u64),
    /// So much time.
    Time(Duration),
}

/// What is done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) seeds: u64,
    pub(super) violations: u64,
    pub(super) simulated_seconds: u64,
}

/// The bar.
#[derive(Debug)]
pub(super) struct Progress {
    goal: Goal,
    began: Instant,
    terminal: bool,
    last: Mutex<Instant>,
}

impl Progress {
    /// Begins now.
    pub(super) fn new(goal: Goal) -> Self {
        let began = Instant::now();
        let terminal = std::io::stderr().is_terminal();
        Self { goal, began, terminal, last: Mutex::new(began) }
    }

    /// Since it began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Tells, unless it told just now.
    pub(super) fn tell(&self, done: Done) {
        self.say(|| line(self.goal, done, self.elapsed()));
    }

    /// The same with other words.
    pub(super) fn say(&self, words: impl FnOnce() -> String) {
        let Ok(mut last) = self.last.try_lock() else { return };
        if last.elapsed() < if self.terminal { FRAME } else { LINE } {
            return;
        }
        *last = Instant::now();
        let text = words();
        // Who reads standard error may have stopped; the search has its own result.
        let _ = if self.terminal {
            write!(std::io::stderr(), "\r\x1b[K{text}")
        } else {
            writeln!(std::io::stderr(), "{text}")
        };
    }

    /// Takes the bar away, so that other lines can be printed.
    pub(super) fn clear(&self) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(goal: Goal, done: Done, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let share = match goal {
        Goal::Seeds(all) => done.seeds as f64 / all.max(1) as f64,
        Goal::Time(all) => seconds / all.as_secs_f64().max(0.001),
    }
    .clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to WIDTH")]
    let full = (share * WIDTH as f64) as usize;
    let bar = "#".repeat(full) + &"-".repeat(WIDTH - full);
    let of = match goal {
        Goal::Seeds(all) => format!("{} of {all} seeds", done.seeds),
        Goal::Time(all) => format!("{} seeds, {seconds:.0} of {} s", done.seeds, all.as_secs()),
    };
    let left = match goal {
        Goal::Seeds(_) if share > 0.0 => format!(", {:.0} s left", seconds / share - seconds),
        Goal::Seeds(_) | Goal::Time(_) => String::new(),
    };
    format!(
        "[{bar}] {of}, {:.0} simulated seconds a second, {} violations{left}",
        done.simulated_seconds as f64 / seconds,
        done.violations
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_and_says_what_is_left() {
        let done = Done { seeds: 50, violations: 1, simulated_seconds: 3_000 };
        let text = line(Goal::Seeds(100), done, Duration::from_secs(2));
        assert_eq!(
            text,
            format!(
                "[{}{}] 50 of 100 seeds, 1500 simulated seconds a second, 1 violations, 2 s left",
                "#".repeat(15),
                "-".repeat(15)
            )
        );
        let text = line(Goal::Time(Duration::from_secs(4)), done, Duration::from_secs(8));
        assert!(text.starts_with(&format!("[{}] 50 seeds, 8 of 4 s", "#".repeat(WIDTH))), "{text}");
        assert!(line(Goal::Seeds(0), Done::default(), Duration::ZERO).contains("0 of 0 seeds"));
    }
}
