//! A node at its limit: `dnsperf` against its DNS server, then a crowd of API clients, against the leader and against a
//! follower. Nobody may be elected, no probe may be missed, no verdict may change, and a decision may take at most twice as
//! long as without load.
//!
//! Load comes from other machines in the world. Here the node that bears it has one processor for itself, and whatever
//! makes the load shares the others with the rest of the cluster, after it: with a third of its weight (nice 5).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::cluster::{ALWAYS_MOVES, Cluster, LIMIT, NODES, PLANES, Process, Size, ZONE};
use super::crowd::PLAY_CROWD;
use super::decision;
use super::figure;
use super::process::until;

const SIZE: Size = Size {
    groups: 1,
    endpoints: 1,
    check: "interval = \"500ms\"\nfast_interval = \"100ms\"\ntimeout = \"300ms\"\nfall = 2\nrise = 2",
    policies: &[ALWAYS_MOVES],
};
const IDLE: usize = 5_000;
const BUSY: usize = 500;
/// Load comes up for this long.
const WARM_UP: Duration = Duration::from_secs(4);
const CROWD_COMES: Duration = Duration::from_secs(14);
/// Then everything is watched for this long.
const WATCHED: Duration = Duration::from_secs(6);
/// Probes that may be missing or too many in that time, in a hundred, and two more for the ends.
const TOLERANCE: f64 = 10.0;
/// With fewer rounds than this no decision is measured, and only the leader bears load: whether somebody is elected, a probe
/// is missed or a verdict changes is seen all the same.
const ROUNDS_TO_JUDGE: usize = 5;

/// What bears down on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Dns,
    Api,
}

/// Measures.
pub(crate) fn run(rounds: usize) {
    let dnsperf = Command::new("dnsperf").arg("-h").output();
    assert!(dnsperf.is_ok(), "dnsperf is needed: apt-get install dnsperf");
    let mut cluster = Cluster::steady(SIZE);
    let mut active = 0;
    for load in [Load::Dns, Load::Api] {
        for of_leader in
            [true, false].into_iter().filter(|leader| *leader || rounds >= ROUNDS_TO_JUDGE)
        {
            let role = if of_leader { "the leader" } else { "a follower" };
            let what = format!("{load:?} of {role}").to_uppercase();
            println!("    {what}");
            one(&mut cluster, (load, of_leader), rounds, &mut active);
        }
    }
}

fn one(cluster: &mut Cluster, (load, of_leader): (Load, bool), rounds: usize, active: &mut usize) {
    let leader = leader(cluster);
    let loaded = if of_leader { leader } else { (leader + 1) % NODES.len() };
    let other = (loaded + 1) % NODES.len();
    place(cluster, loaded);
    let mut decisions = |cluster: &mut Cluster| {
        let mut spans = Vec::new();
        for _ in 0..if rounds < ROUNDS_TO_JUDGE { 0 } else { rounds } {
            until(LIMIT, || cluster.all_up(other));
            spans.push(decision::one(cluster, *active, other));
            cluster.start_plane(*active);
            place(cluster, loaded);
            *active = 1 - *active;
        }
        until(LIMIT, || cluster.all_up(other));
        spans
    };
    let mut calm = decisions(cluster);
    let usual = watch(cluster, loaded, other);
    let bearing = bear(cluster, load, loaded);
    std::thread::sleep(if load == Load::Api { CROWD_COMES } else { WARM_UP });
    let before = asked(cluster, loaded, load);
    let began = Instant::now();
    let under_load = watch(cluster, loaded, other);
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = (asked(cluster, loaded, load) - before) as f64 / began.elapsed().as_secs_f64();
    println!("    answers in a second: {rate:.0}; {}", bearing.saw());
    judge(&usual, &under_load);
    let loaded_spans = decisions(cluster);
    let memory = cluster.memory(loaded, "VmRSS").div_ceil(1024);
    println!("    memory of the loaded node: {memory} MiB");
    drop(bearing);
    calm.extend(decisions(cluster));
    if calm.is_empty() {
        return;
    }
    figure::spans("decision without load", &calm, None);
    figure::spans("decision under load", &loaded_spans, Some(median(&calm) * 2));
}

fn median(spans: &[Duration]) -> Duration {
    let mut sorted = spans.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

fn leader(cluster: &Cluster) -> usize {
    let name = until(LIMIT, || {
        let status = cluster.get(0, "/v1/status")?;
        status["leader"].as_str().map(str::to_owned).ok_or_else(|| "no leader".to_owned())
    });
    let leads = |node: &&str| **node == name;
    NODES.iter().position(|node| leads(&node)).unwrap_or_else(|| panic!("who is {name}?"))
}

/// The loaded node gets one processor, everything else the others.
fn place(cluster: &Cluster, loaded: usize) {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let everyone: Vec<usize> = (0..processors.max(2)).collect();
    let (first, rest) = everyone.split_at(1);
    for node in 0..NODES.len() {
        pin(cluster.pid(node), if node == loaded { first } else { rest });
    }
    for plane in 0..PLANES.len() {
        if let Some(pid) = cluster.plane_pid(plane) {
            pin(pid, rest);
        }
    }
    pin(std::process::id(), rest);
}

/// All threads of a process; where there is one processor only, nothing happens.
fn pin(process: u32, processors: &[usize]) {
    let mut set = CpuSet::new();
    processors.iter().for_each(|processor| set.set(*processor));
    for thread in threads(process) {
        // A thread may just have ended.
        let _ = sched_setaffinity(Pid::from_raw(thread), &set);
    }
}

fn threads(process: u32) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// What makes the load. It ends with this.
struct Bearing {
    _processes: Vec<Process>,
    output: PathBuf,
    load: Load,
}

impl Bearing {
    /// What it saw, in words.
    fn saw(&self) -> String {
        if self.load == Load::Dns {
            return "dnsperf".to_owned();
        }
        let said = std::fs::read_to_string(&self.output).unwrap();
        let last: Vec<&str> = said.lines().last().unwrap_or("").split(' ').collect();
        let [idle, busy, refused, closed, answers, too_many] = last[..] else {
            panic!("the crowd says: {said}")
        };
        format!(
            "{idle} idle and {busy} busy connections open; {refused} refused, {closed} closed as idle, \
             {answers} answers, {too_many} of 503 or the like"
        )
    }
}

fn bear(cluster: &Cluster, load: Load, node: usize) -> Bearing {
    let output = cluster.disk().join(format!("{load:?}-{node}.log"));
    let processes = match load {
        Load::Dns => {
            let first = start("5", &dnsperf(cluster, node), &output);
            // What the node leaves of its own processor asks it, too: nothing of it is ever idle.
            let second = start("19", &dnsperf(cluster, node), &output.with_extension("own"));
            pin(second.id(), &[0]);
            vec![first, second]
        }
        Load::Api => {
            let (ca, token) = cluster.credentials();
            let path = |path: &Path| path.display().to_string();
            let me = std::env::current_exe().unwrap();
            let words =
                [PLAY_CROWD.to_owned(), cluster.api(node).to_string(), path(&ca), path(&token)];
            let mut all = vec![path(&me)];
            all.extend(words.into_iter().chain([IDLE.to_string(), BUSY.to_string()]));
            vec![start("5", &all, &output)]
        }
    };
    Bearing { _processes: processes, output, load }
}

/// Starts a program behind all others.
fn start(nice: &str, words: &[String], output: &Path) -> Process {
    Process::start(Command::new("nice").args(["-n", nice]).args(words), output)
}

fn dnsperf(cluster: &Cluster, node: usize) -> Vec<String> {
    let file = cluster.disk().join("queries");
    write_queries(&file);
    let (server, file) = (cluster.dns(node), file.display());
    let words = format!(
        "dnsperf -s {} -p {} -c 8 -T 1 -q 256 -l 3600 -t 1 -d {file}",
        server.ip(),
        server.port()
    );
    words.split(' ').map(str::to_owned).collect()
}

fn write_queries(file: &Path) {
    let mut file = std::fs::File::create(file).unwrap();
    writeln!(file, "{} A\n{ZONE} SOA\nnobody.{ZONE} AAAA", Cluster::name(0)).unwrap();
}

/// What was seen in a window of time.
struct Window {
    terms: Vec<u64>,
    /// Probes that ended, by node and by result.
    probes: Vec<BTreeMap<String, u64>>,
    length: Duration,
}

/// Watches for a while; in the meantime no verdict may change.
fn watch(cluster: &Cluster, loaded: usize, other: usize) -> Window {
    until(LIMIT, || verdicts_up(cluster, other));
    let before: Vec<_> = (0..NODES.len()).map(|node| probes(&cluster.metrics(node))).collect();
    let terms_before = terms(cluster);
    let (began, busy) = (Instant::now(), processor(cluster.pid(loaded)));
    while began.elapsed() < WATCHED {
        verdicts_up(cluster, other).unwrap_or_else(|line| panic!("a verdict changed: {line}"));
        std::thread::sleep(Duration::from_millis(200));
    }
    let length = began.elapsed();
    println!(
        "    processor time of the loaded node: {}",
        shares(&busy, &processor(cluster.pid(loaded)), length)
    );
    let probes = (0..NODES.len()).map(|node| {
        let now = probes(&cluster.metrics(node));
        let grown = |(result, count): (String, u64)| {
            let had = before[node].get(&result).copied().unwrap_or(0);
            (result, count - had)
        };
        now.into_iter().map(grown).collect()
    });
    let probes = probes.collect();
    let terms = terms(cluster);
    assert_eq!(terms, terms_before, "somebody was elected");
    Window { terms, probes, length }
}

/// Whether every service is up on both planes, as the quorum says.
fn verdicts_up(cluster: &Cluster, node: usize) -> Result<(), String> {
    let text = cluster.metrics(node);
    let mut verdicts = text.lines().filter(|line| line.starts_with("biplane_verdict{"));
    verdicts.find(|line| !line.ends_with(" 4")).map_or(Ok(()), |line| Err(line.to_owned()))
}

fn judge(usual: &Window, under_load: &Window) {
    assert_eq!(usual.terms, under_load.terms, "somebody was elected");
    for (node, name) in NODES.iter().enumerate() {
        let rate = |window: &Window| {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let all = window.probes[node].values().sum::<u64>() as f64;
            (all, all / window.length.as_secs_f64())
        };
        let ((_, usual), (all, rate)) = (rate(usual), rate(under_load));
        let missing = usual * under_load.length.as_secs_f64() - all;
        let most = 2.0 + all * TOLERANCE / 100.0;
        assert!(
            missing.abs() <= most,
            "{name} made {rate:.1} probes in a second, usually {usual:.1}"
        );
        let bad = under_load.probes[node]
            .iter()
            .find(|(result, count)| *result != "passed" && **count > 0);
        assert!(bad.is_none(), "probes of {name}: {bad:?}");
        println!(
            "    {name}: term unchanged, {rate:.1} probes in a second, usually {usual:.1}; none failed"
        );
    }
}

fn terms(cluster: &Cluster) -> Vec<u64> {
    (0..NODES.len()).map(|node| sum(&cluster.metrics(node), "biplane_term ", |_| true)).collect()
}

fn probes(text: &str) -> BTreeMap<String, u64> {
    let mut probes = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("biplane_probes_total{")) {
        let result = line.split("result=\"").nth(1).and_then(|rest| rest.split('"').next());
        let count = line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok());
        *probes.entry(result.expect("a result").to_owned()).or_default() += count.expect("a count");
    }
    probes
}

/// Questions that were answered since the node's start.
fn asked(cluster: &Cluster, node: usize, load: Load) -> u64 {
    let text = cluster.metrics(node);
    match load {
        Load::Dns => sum(&text, "biplane_dns_answers_total{", |_| true),
        Load::Api => {
            sum(&text, "biplane_api_requests_total{", |line| line.contains("status=\"200\""))
        }
    }
}

fn sum(text: &str, start: &str, which: fn(&str) -> bool) -> u64 {
    let lines = text.lines().filter(|line| line.starts_with(start) && which(line));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Hundredths of seconds that the threads of a process ran, by name.
fn processor(process: u32) -> BTreeMap<String, u64> {
    let mut times = BTreeMap::new();
    for thread in threads(process) {
        let Ok(text) = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/stat"))
        else {
            continue;
        };
        let Some((front, rest)) = text.rsplit_once(") ") else { continue };
        let name = front.split_once('(').map_or("?", |(_, name)| name).to_owned();
        let numbers = rest.split(' ').skip(11).take(2).filter_map(|word| word.parse::<u64>().ok());
        *times.entry(name).or_default() += numbers.sum::<u64>();
    }
    times
}

fn shares(
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
    length: Duration,
) -> String {
    let mut shares = Vec::new();
    for (name, ticks) in after {
        let ran = ticks.saturating_sub(before.get(name).copied().unwrap_or(0));
        let hundredths = u64::try_from(length.as_millis() / 10).expect("short");
        shares.push((ran * 100 / hundredths.max(1), name));
    }
    shares.sort_by(|a, b| b.cmp(a));
    let words =
        shares.iter().filter(|share| share.0 > 0).map(|(share, name)| format!("{name} {share} %"));
    words.collect::<Vec<_>>().join(", ")
}
