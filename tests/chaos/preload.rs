//! What a preloaded node does to its clocks and its disk, told while it runs: a page of shared memory for `preload.c`,
//! and libfaketime's file for the wall clock.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::time::{ClockId, clock_gettime};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chaos/preload.c");
/// Where Debian's packages put libfaketime, by machine.
const FAKETIME: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// The page, in words of 64 bits.
const DELAY: u64 = 0;
const DELAYED: u64 = 1;
const TURN: u64 = 2;
const RATE: u64 = 3;
const WORDS: u64 = 6;

/// libfaketime, if it is installed.
pub(crate) fn faketime() -> Option<&'static str> {
    FAKETIME.iter().find(|path| Path::new(path).exists()).copied()
}

/// Compiles `preload.c`.
pub(crate) fn compile(dir: &Path) -> Result<PathBuf, String> {
    let library = dir.join("preload.so");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(SOURCE).arg("-ldl");
    let made = cc.output().map_err(|error| format!("cc: {error}"))?;
    if made.status.success() {
        return Ok(library);
    }
    Err(format!("cc: {}", String::from_utf8_lossy(&made.stderr)))
}

/// One node's hold on its preloaded part.
#[derive(Debug)]
pub(crate) struct Preload {
    library: PathBuf,
    page: File,
    page_path: PathBuf,
    wall_path: PathBuf,
    turn: u64,
    rate_ppm: i64,
    /// True and shown time of the monotonic clock when its rate last changed.
    base: (u64, u64),
}

impl Preload {
    /// Makes the page of a node.
    pub(crate) fn new(library: &Path, dir: &Path, node: &str) -> Result<Self, String> {
        let page_path = dir.join(format!("{node}.page"));
        let fault = |error: std::io::Error| format!("{}: {error}", page_path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let page = options.open(&page_path).map_err(fault)?;
        page.set_len(WORDS * 8).map_err(fault)?;
        let wall_path = dir.join(format!("{node}.wall"));
        let preload = Self {
            library: library.to_owned(),
            page,
            page_path: page_path.clone(),
            wall_path,
            turn: 0,
            rate_ppm: 0,
            base: (0, 0),
        };
        preload.wall(0)?;
        Ok(preload)
    }

    /// Environment of the node; with `clocks` its wall clock is libfaketime's.
    pub(crate) fn environment(&self, clocks: bool) -> Vec<(&'static str, String)> {
        let mut libraries = self.library.display().to_string();
        let mut list = vec![("CHAOS_PAGE", self.page_path.display().to_string())];
        if let (true, Some(faketime)) = (clocks, faketime()) {
            libraries = format!("{libraries} {faketime}");
            list.extend([
                ("FAKETIME_TIMESTAMP_FILE", self.wall_path.display().to_string()),
                ("FAKETIME_CACHE_DURATION", "1".to_owned()),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
                ("DONT_FAKE_MONOTONIC", "1".to_owned()),
                ("NO_FAKE_STAT", "1".to_owned()),
            ]);
        }
        list.push(("LD_PRELOAD", libraries));
        list
    }

    fn put(&self, word: u64, value: u64) -> Result<(), String> {
        let written = self.page.write_all_at(&value.to_ne_bytes(), word * 8);
        written.map_err(|error| format!("{}: {error}", self.page_path.display()))
    }

    /// Each sync takes so many milliseconds longer.
    pub(crate) fn slow(&self, delay_ms: u64) -> Result<(), String> {
        self.put(DELAY, delay_ms)
    }

    /// Syncs that took longer, so far.
    pub(crate) fn slowed(&self) -> u64 {
        let mut bytes = [0; 8];
        let read = self.page.read_exact_at(&mut bytes, DELAYED * 8);
        read.map_or(0, |()| u64::from_ne_bytes(bytes))
    }

    /// The monotonic clock runs so many millionths fast from now on, without a leap.
    pub(crate) fn drift(&mut self, rate_ppm: i64) -> Result<(), String> {
        let time = clock_gettime(ClockId::Boottime);
        let now = u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
            + u64::try_from(time.tv_nsec).unwrap_or(0);
        let shown = if self.base.0 == 0 {
            now
        } else {
            let since = i128::from(now - self.base.0);
            let more = since + since * i128::from(self.rate_ppm) / 1_000_000;
            self.base.1 + u64::try_from(more).unwrap_or(0)
        };
        (self.base, self.rate_ppm) = ((now, shown), rate_ppm);
        self.put(TURN, self.turn + 1)?;
        for (word, value) in [rate_ppm.cast_unsigned(), now, shown].into_iter().enumerate() {
            self.put(RATE + word as u64, value)?;
        }
        self.turn += 2;
        self.put(TURN, self.turn)
    }

    /// The wall clock is so many milliseconds ahead. Read by the node within a second.
    pub(crate) fn wall(&self, ahead_ms: i64) -> Result<(), String> {
        let sign = if ahead_ms < 0 { '-' } else { '+' };
        let (seconds, rest) = (ahead_ms.abs() / 1000, ahead_ms.abs() % 1000);
        // In one step: the node reads it at any time.
        let next = self.wall_path.with_extension("next");
        let written = std::fs::write(&next, format!("{sign}{seconds}.{rest:03}\n"));
        written
            .and_then(|()| std::fs::rename(&next, &self.wall_path))
            .map_err(|error| format!("{}: {error}", self.wall_path.display()))
    }
}
