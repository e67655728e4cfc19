//! Many runs, one after the other, each in a process of its own; and what they have in sum.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, getuid, test_kill_process};
use serde_json::Value;

use super::network::run as run_program;
use super::preload::faketime;
use super::schedule::Kind;
use super::{ROUND, Wish};

/// Directories of runs are named so, with the process that made them and the seed.
const NAME: &str = "biplane-chaos";
/// A file in those that are kept for somebody to read.
const KEPT: &str = "findings";
/// So many runs begin every kind.
const ENOUGH: u64 = 4;
/// A kind that was begun so often was seen: one time alone may fall together with what hides it.
const SEEN_ONCE_IN: u64 = 3;

/// Whether this machine lets us.
pub(crate) fn can_run() -> Result<(), String> {
    if !getuid().is_root() {
        return Err("network namespaces need root".to_owned());
    }
    for tool in ["ip", "nft", "nginx", "nsenter", "setpriv", "cc"] {
        let found = Command::new("sh").args(["-c", "command -v \"$1\"", "sh", tool]).output();
        if !found.is_ok_and(|found| found.status.success()) {
            return Err(format!(
                "`{tool}` is missing; in Debian: iproute2, nftables, nginx-light, util-linux, gcc"
            ));
        }
    }
    if faketime().is_none() {
        return Err("libfaketime is missing; in Debian: libfaketime".to_owned());
    }
    let probe = ["unshare", "--mount", "--net", "--propagation", "private", "true"];
    run_program(&probe).map_err(|why| format!("namespaces cannot be made here: {why}"))
}

/// Sums over runs.
#[derive(Debug, Default)]
struct Sums {
    kinds: BTreeMap<String, (u64, u64)>,
    operations: BTreeMap<String, u64>,
    automatic: u64,
    longest: u64,
    replayed: u64,
    slowest: u64,
    failed: Vec<u64>,
}

/// Runs all; whether nothing was found.
pub(crate) fn run(wish: &Wish) -> bool {
    sweep();
    let began = Instant::now();
    let mut sums = Sums::default();
    println!(
        "{} runs of {} s, seeds {} to {}",
        wish.rounds,
        wish.seconds,
        wish.seed,
        wish.seed + wish.rounds - 1
    );
    for seed in wish.seed..wish.seed + wish.rounds {
        let dir = std::env::temp_dir().join(format!("{NAME}-{}-{seed}", std::process::id()));
        let findings = match one(wish, seed, &dir) {
            Ok(result) => sums.add(seed, &result),
            Err(why) => vec![why],
        };
        if findings.is_empty() && wish.keep {
            println!("  kept: {}", dir.display());
            let _ = std::fs::write(dir.join(KEPT), "");
            continue;
        }
        if findings.is_empty() {
            // What is left there is told by the next sweep.
            let _ = std::fs::remove_dir_all(&dir);
            continue;
        }
        sums.failed.push(seed);
        println!("seed {seed}: {} FINDINGS", findings.len());
        findings.iter().for_each(|finding| println!("  {finding}"));
        let _ = std::fs::write(dir.join(KEPT), findings.join("\n") + "\n");
        println!("  kept: {}", dir.display());
        println!("  again: tests/campaign chaos 1 {} --seed {seed}", wish.seconds);
    }
    sums.tell(wish, began.elapsed().as_secs())
}

/// One run, in a process with mounts of its own.
fn one(wish: &Wish, seed: u64, dir: &Path) -> Result<Value, String> {
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--"]);
    command.arg(own).arg(ROUND).arg(seed.to_string()).arg(wish.seconds.to_string());
    command.arg(dir).arg(&wish.biplane).stdin(Stdio::null()).stderr(Stdio::inherit());
    let ended = command.output().map_err(|error| format!("setpriv: {error}"))?;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let result = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
    result.ok_or_else(|| format!("the run gave no result: {}", ended.status))
}

/// Removes what runs left whose campaign is dead.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(&format!("{NAME}-")) else { continue };
        let pid = rest.split('-').next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        let dead = pid.is_some_and(|pid| test_kill_process(pid).is_err());
        // What was kept for somebody to read stays.
        if dead && !entry.path().join(KEPT).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Sums {
    /// Adds a run, prints its line, and gives its findings.
    fn add(&mut self, seed: u64, result: &Value) -> Vec<String> {
        let mut kinds = Vec::new();
        for (kind, counts) in result["kinds"].as_object().into_iter().flatten() {
            let sum = self.kinds.entry(kind.clone()).or_default();
            let (begun, seen) = (counts[0].as_u64().unwrap_or(0), counts[1].as_u64().unwrap_or(0));
            *sum = (sum.0 + begun, sum.1 + seen);
            kinds.push(if begun > 1 { format!("{kind}×{begun}") } else { kind.clone() });
        }
        let mut operations = Vec::new();
        for (how, count) in result["operations"].as_object().into_iter().flatten() {
            let count = count.as_u64().unwrap_or(0);
            *self.operations.entry(how.clone()).or_default() += count;
            operations.push(format!("{count} {how}"));
        }
        let outages = result["outage_ms"].as_array().into_iter().flatten();
        let longest = outages.filter_map(Value::as_u64).max().unwrap_or(0);
        self.longest = self.longest.max(longest);
        self.replayed += result["replayed"].as_u64().unwrap_or(0);
        let converged = result["converged_ms"].as_u64().unwrap_or(0);
        self.slowest = self.slowest.max(converged);
        self.automatic += result["automatic"].as_u64().unwrap_or(0);
        println!(
            "seed {seed}: {}; {} automatic; longest outage {longest} ms; converged in {converged} ms; {}",
            operations.join(", "),
            result["automatic"],
            kinds.join(" ")
        );
        let findings = result["findings"].as_array().into_iter().flatten();
        findings.map(|finding| finding.as_str().unwrap_or_default().to_owned()).collect()
    }

    fn tell(&self, wish: &Wish, seconds: u64) -> bool {
        println!("\n{:<24} {:>6} {:>6}", "KIND", "BEGUN", "SEEN");
        let mut never = Vec::new();
        for kind in Kind::ALL {
            let (begun, seen) = self.kinds.get(kind.name()).copied().unwrap_or_default();
            println!("{:<24} {begun:>6} {seen:>6}", kind.name());
            if begun == 0 || (seen == 0 && begun >= SEEN_ONCE_IN) {
                never.push(kind.name());
            }
        }
        let operations: Vec<String> =
            self.operations.iter().map(|(how, count)| format!("{count} {how}")).collect();
        println!(
            "\n{} runs in {} min: operations {}; {} automatic switchovers; longest outage {} ms; converged within {} ms; {} runs with findings",
            wish.rounds,
            seconds / 60,
            operations.join(", "),
            self.automatic,
            self.longest,
            self.slowest,
            self.failed.len()
        );
        if self.replayed == 0 {
            println!("no journals: this program has no `biplane replay`");
        } else {
            println!("{} journals replayed", self.replayed);
        }
        // One run alone is for looking at it.
        let enough = wish.rounds < ENOUGH || never.is_empty();
        if !enough {
            println!("never begun, or begun and never seen: {}", never.join(", "));
        }
        enough && self.failed.is_empty()
    }
}
