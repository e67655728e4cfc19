//! What an attack must leave as it was: memory, threads, descriptors, idleness, and a log without a panic.

use std::time::Duration;

use crate::process::{Running, until};

/// Resident memory may grow by this much: buffers and pools that are kept.
const GROWTH_KIB: u64 = 48 * 1024;
/// Descriptors and threads that may come and go by themselves.
const SLACK: usize = 8;
/// Every timeout of every port has run out after this.
const SETTLED: Duration = Duration::from_secs(45);
/// While nobody asks anything, so many hundredths of a second of processor time in a second are plenty.
const IDLE_TICKS: u64 = 60;

/// A process before an attack.
#[derive(Debug)]
pub(super) struct Health {
    pid: u32,
    resident: u64,
    threads: usize,
    files: usize,
}

impl Health {
    pub(super) fn of(process: &Running) -> Self {
        let pid = process.pid();
        Self {
            pid,
            resident: resident(pid),
            threads: entries(pid, "task"),
            files: entries(pid, "fd"),
        }
    }

    /// Waits until descriptors and threads are back, then looks at the rest.
    pub(super) fn is_back(&self, process: &mut Running) {
        assert_eq!(process.pid(), self.pid, "the same process");
        until(SETTLED, || {
            let (threads, files) = (entries(self.pid, "task"), entries(self.pid, "fd"));
            if threads <= self.threads + SLACK && files <= self.files + SLACK {
                return Ok(());
            }
            Err(format!("{threads} threads and {files} descriptors, before: {self:?}"))
        });
        let grown = resident(self.pid).saturating_sub(self.resident);
        assert!(grown < GROWTH_KIB, "{grown} KiB grown, before: {self:?}");
        let before = processor_ticks(self.pid);
        std::thread::sleep(Duration::from_secs(1));
        let busy = processor_ticks(self.pid) - before;
        assert!(busy < IDLE_TICKS, "{busy} hundredths of processor time in an idle second");
        let panics: Vec<String> =
            process.heard().iter().filter(|line| line.contains("panicked")).cloned().collect();
        assert_eq!(panics, Vec::<String>::new());
    }
}

fn proc_file(pid: u32, name: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{name}")).expect("the process lives")
}

fn resident(pid: u32) -> u64 {
    let status = proc_file(pid, "status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}

fn entries(pid: u32, name: &str) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/{name}")).expect("the process lives").count()
}

/// User and system time, in hundredths of a second.
fn processor_ticks(pid: u32) -> u64 {
    let stat = proc_file(pid, "stat");
    // The name in parentheses may hold blanks; what follows it may not.
    let after = stat.rsplit(')').next().expect("split gives one at least");
    let field = |at: usize| -> u64 {
        after.split_whitespace().nth(at).and_then(|ticks| ticks.parse().ok()).expect("ticks")
    };
    field(11) + field(12)
}
