//! One table of defaults and bounds. The parsers read it, and `docs/reference/limits.md` is made from it.

use std::fmt::Write as _;
use std::time::Duration;

pub use crate::kernel::domain::span_words as words;

/// A setting that is a time.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit {
    /// Its key.
    pub key: &'static str,
    /// What stands when the key is absent; none where it follows from others.
    pub default: Option<Duration>,
    /// Lowest.
    pub min: Duration,
    /// Highest.
    pub max: Duration,
    /// What it means.
    pub meaning: &'static str,
}

/// A setting that is a number.
#[derive(Clone, Copy, Debug)]
pub struct NumberLimit {
    /// Its key.
    pub key: &'static str,
    /// What stands when the key is absent.
    pub default: Option<u64>,
    /// Lowest.
    pub min: u64,
    /// Highest.
    pub max: u64,
    /// What it means.
    pub meaning: &'static str,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

macro_rules! times {
    ($($name:ident = $key:literal, $default:expr, $min:expr, $max:expr, $meaning:literal;)*) => {
        $(#[doc = $meaning]
        pub const $name: TimeLimit = TimeLimit {
            key: $key, default: $default, min: $min, max: $max, meaning: $meaning,
        };)*
        /// Every time, in the order of the reference.
        pub const TIMES: &[TimeLimit] = &[$($name),*];
    };
}

macro_rules! numbers {
    ($($name:ident = $key:literal, $default:expr, $min:expr, $max:expr, $meaning:literal;)*) => {
        $(#[doc = $meaning]
        pub const $name: NumberLimit = NumberLimit {
            key: $key, default: $default, min: $min, max: $max, meaning: $meaning,
        };)*
        /// Every number, in the order of the reference.
        pub const NUMBERS: &[NumberLimit] = &[$($name),*];
    };
}

times! {
    TICK = "timing.tick", Some(ms(50)), ms(5), ms(1000), "consensus counts time in this unit";
    HEARTBEAT = "timing.heartbeat", Some(ms(100)), ms(10), ms(10_000), "between a leader's heartbeats; a multiple of tick";
    ELECTION_MIN = "timing.election_min", Some(ms(500)), ms(30), ms(60_000), "shortest time without a leader until an election; at least three heartbeats";
    ELECTION_MAX = "timing.election_max", Some(ms(1000)), ms(60), ms(120_000), "longest; more than election_min";
    QUESTION_WINDOW = "timing.question_window", None, ms(100), ms(3_600_000), "how long a question stays open; at least fall × interval + timeout + 2 × election_max of every check, which is also the default";
    OBSERVER_SILENCE = "timing.observer_silence", Some(ms(3000)), ms(600), ms(600_000), "after this long without a word an observer is lost";
    REFERENCE_INTERVAL = "timing.reference_interval", Some(ms(1000)), ms(100), ms(60_000), "between probes of members and reference targets of other sites";
    VERIFY_TIMEOUT = "timing.verify_timeout", Some(ms(10_000)), ms(500), ms(600_000), "how long a switchover waits to be verified";
    REQUEST_TIMEOUT = "timing.request_timeout", Some(ms(5000)), ms(500), ms(60_000), "a client's request is answered after this long at the latest";
    INTERVAL = "checks.interval", Some(ms(1000)), ms(50), ms(3_600_000), "between the starts of two probes";
    TIMEOUT = "checks.timeout", Some(ms(500)), ms(10), ms(60_000), "a whole probe must end within this";
    FAST_INTERVAL = "checks.fast_interval", None, ms(50), ms(3_600_000), "between probes while results and report disagree; default a fifth of interval, at least 50 ms";
    SLOW = "checks.slow", None, ms(1), ms(60_000), "a probe that takes longer makes the service degraded";
    DWELL = "groups.dwell", Some(ms(60_000)), ms(0), ms(86_400_000), "shortest time between a change of the route and an automatic one";
    BUDGET_WINDOW = "groups.budget.window", Some(ms(3_600_000)), ms(1000), ms(604_800_000), "in which budget.switches are allowed";
    FLAP_WINDOW = "groups.flap_limit.window", Some(ms(600_000)), ms(1000), ms(86_400_000), "in which flap_limit.downs make a plane unstable";
    ASK_EXPIRES = "groups.ask_expires", Some(ms(900_000)), ms(1000), ms(604_800_000), "how long a person who is asked has time to answer; ledger time";
    NOTIFY_TIMEOUT = "notify.timeout", Some(ms(10_000)), ms(100), ms(60_000), "one attempt to tell somebody must end within this";
    NOTIFY_ALIVE = "notify.alive", None, ms(1000), ms(86_400_000), "between two signs of life of the cluster; none when absent";
    SERVFAIL = "zones.cut_off.servfail", None, ms(1000), ms(604_800_000), "a node that is cut off answers SERVFAIL after this long";
    CONNECT_TIMEOUT = "gateway.connect_timeout", Some(ms(250)), ms(10), ms(10_000), "a gateway tries the other plane after this long";
}

numbers! {
    MEMBERS = "members", None, 1, 9, "members of the control cluster; an odd number, three in production";
    OBSERVERS = "observers", None, 0, 16, "observers beside the members";
    FALL = "checks.fall", Some(3), 1, 100, "failures in a row until down";
    RISE = "checks.rise", Some(2), 1, 100, "successes in a row until up";
    CERTIFICATE_DAYS = "checks.days", Some(14), 0, 3650, "whole days that a certificate must still be good for";
    CHECK_TEXT = "each text of a check", None, 1, 4096, "bytes of a query, a program's path, each of its arguments, a gRPC service's name";
    EXEC_ARGS = "checks.args", None, 0, 64, "arguments of a program";
    EXEC_DIRS = "node.exec", None, 0, 16, "directories from which checks may run programs";
    BUDGET_SWITCHES = "groups.budget.switches", Some(3), 1, 1000, "automatic switchovers of a group in the window";
    FLAP_DOWNS = "groups.flap_limit.downs", Some(3), 1, 100, "times down in the window until a plane is unstable";
    TTL = "zones.ttl", Some(5), 0, 86_400, "seconds";
    SOA_REFRESH = "zones.refresh", Some(60), 1, 2_147_483_647, "seconds";
    SOA_RETRY = "zones.retry", Some(10), 1, 2_147_483_647, "seconds";
    SOA_EXPIRE = "zones.expire", Some(3600), 1, 2_147_483_647, "seconds";
    NEGATIVE_TTL = "zones.negative_ttl", Some(5), 0, 86_400, "seconds";
    DNS_THREADS = "node.dns_threads", Some(1), 1, 64, "threads that answer DNS over UDP";
    AUDIT_MIB = "node.audit_mib", Some(1024), 0, 1_048_576, "MiB that the audit trail may take on the disk, for `biplane audit export`; 0 keeps none here";
    JOURNAL_MIB = "node.journal_mib", Some(64), 0, 65_536, "MiB that the journal of the kernel's inputs may take on the disk, for `biplane replay`; 0 writes none";
    PROBE_RATE = "probes", None, 0, 20_000, "probes a second that one node starts at full speed; more is refused";
    NOTIFIED = "notify", None, 0, 16, "who is told of alarms";
    FILE = "each file", None, 0, 32 << 20, "bytes of a file";
    AT_LEAST = "at_least", None, 1, 1000, "of the checks or services";
}

/// The table as a page.
pub fn page() -> String {
    let mut page = String::from(
        "# Defaults and bounds of the configuration\n\nMade from `src/config/limits.rs`; a test compares it. \
         `REWRITE=1 cargo test limits_page` writes it.\n\n\
         | key | default | lowest | highest | meaning |\n|---|---|---|---|---|\n",
    );
    for limit in TIMES {
        let default = limit.default.map_or_else(|| "–".to_owned(), words);
        let (min, max) = (words(limit.min), words(limit.max));
        let _ =
            writeln!(page, "| `{}` | {default} | {min} | {max} | {} |", limit.key, limit.meaning);
    }
    for limit in NUMBERS {
        let default = limit.default.map_or_else(|| "–".to_owned(), |number| number.to_string());
        let NumberLimit { key, min, max, meaning, .. } = limit;
        let _ = writeln!(page, "| `{key}` | {default} | {min} | {max} | {meaning} |");
    }
    page
}
