//! The one table of metrics. Every metric of the program stands here; a test reads the sources and
//! refuses one that does not. Names once published are a contract.

use std::fmt::Write as _;

/// Metric types of Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size; in seconds.
    Histogram,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricName {
    /// As scraped.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricKind,
    /// `seconds`, `bytes`, or what is counted.
    pub unit: &'static str,
    /// Labels and their values; every one of them takes few values.
    pub labels: &'static str,
    /// What it says.
    pub help: &'static str,
}

macro_rules! metrics_table {
    ($($constant:ident = $name:literal, $kind:ident, $unit:literal, $labels:literal, $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*

        /// Every metric, by name.
        pub const METRICS: &[MetricName] = &[$(MetricName {
            name: $name,
            kind: MetricKind::$kind,
            unit: $unit,
            labels: $labels,
            help: $help,
        },)*];
    };
}

metrics_table! {
    ACTIVE_PLANE = "biplane_active_plane", Gauge, "bool", "group, plane",
        "1 for the plane that users of the group are sent to, 0 for the other.";
    ALARMS = "biplane_alarms", Gauge, "alarms", "kind",
        "Open alarms of each kind.";
    CERTIFICATE_DAYS = "biplane_certificate_days", Gauge, "days", "member",
        "Whole days for which a member's certificate is good; negative when it has ended.";
    CLOCK_DIFFERENCE = "biplane_clock_difference_seconds", Gauge, "seconds", "member",
        "By how much another member's wall clock is ahead of this node's.";
    API_CONNECTIONS_REFUSED = "biplane_api_connections_refused_total", Counter, "connections", "",
        "Connections to the admin API that were closed because there were too many.";
    API_LOGINS_FAILED = "biplane_api_logins_failed_total", Counter, "requests", "",
        "Requests to the admin API that showed no good token or certificate.";
    API_REQUEST_SECONDS = "biplane_api_request_seconds", Histogram, "seconds", "",
        "Time from an admin API request's header to its answer's.";
    API_REQUESTS = "biplane_api_requests_total", Counter, "requests", "method, route, status",
        "Requests to the admin API.";
    APPLIED_INDEX = "biplane_applied_index", Gauge, "entries", "",
        "Raft index of the last applied entry.";
    APPLY_SECONDS = "biplane_apply_seconds", Histogram, "seconds", "",
        "Time from when a node knew an entry to be committed until it had applied it: its own write is in between.";
    BUILD_INFO = "biplane_build_info", Gauge, "bool", "version",
        "Always 1; the label says which version runs.";
    COMMIT_SECONDS = "biplane_commit_seconds", Histogram, "seconds", "",
        "Time from a leader's proposal until its entry was committed and applied there.";
    DNS_ANSWERS = "biplane_dns_answers_total", Counter, "answers", "rcode",
        "Answers that the DNS server gave.";
    DNS_DROPPED = "biplane_dns_dropped_total", Counter, "messages", "",
        "DNS messages that must not be answered: scraps and answers.";
    DNS_LIMITED = "biplane_dns_limited_total", Counter, "messages", "",
        "DNS messages beyond the rate limit of their network: answered truncated, or not at all.";
    DNS_PANICS = "biplane_dns_panics_total", Counter, "queries", "",
        "DNS queries that made the server panic; each cost one answer.";
    DNS_QUERIES = "biplane_dns_queries_total", Counter, "queries", "transport",
        "Messages that came to the DNS server.";
    EVENTS = "biplane_events_total", Counter, "events", "kind, level",
        "Things that the kernel found worth telling.";
    FRAMES_DROPPED = "biplane_frames_dropped_total", Counter, "frames", "peer",
        "Frames between members that were dropped because a queue was full or nobody was connected.";
    FRAMES_SENT = "biplane_frames_sent_total", Counter, "frames", "peer",
        "Frames sent to other members.";
    GATEWAY_CONNECTIONS = "biplane_gateway_connections_total", Counter, "connections", "route, plane, result",
        "Connections of a gateway that ended: carried, broken, cut, not-connected.";
    GATEWAY_OPEN = "biplane_gateway_open_connections", Gauge, "connections", "route, plane",
        "Connections open through a gateway now.";
    HANDLE_SECONDS = "biplane_handle_seconds", Histogram, "seconds", "input",
        "Time that the kernel took for one input.";
    LAG = "biplane_member_lag_entries", Gauge, "entries", "member",
        "Entries of the log that another member had not applied when it was last heard, of those that this node has.";
    JOURNAL_BYTES = "biplane_journal_bytes", Gauge, "bytes", "",
        "Bytes that the journal of the kernel's inputs takes on the disk.";
    JOURNAL_GAPS = "biplane_journal_gaps_total", Counter, "gaps", "",
        "Times that inputs of the kernel could not be written to the journal: they cannot be replayed.";
    LEADER = "biplane_leader", Gauge, "bool", "",
        "1 while this node is the leader.";
    MEMBER_REFUSALS = "biplane_member_refusals_total", Counter, "connections", "",
        "Connections of other members that were refused: wrong certificate, cluster or protocol.";
    MEMBERS_CONNECTED = "biplane_members_connected", Gauge, "members", "",
        "Other members that this node is connected to.";
    OPEN_QUESTIONS = "biplane_open_questions", Gauge, "questions", "",
        "Questions to the observers that are open.";
    PERSIST_SECONDS = "biplane_persist_seconds", Histogram, "seconds", "",
        "Time until one batch was durable.";
    PERSIST_BYTES = "biplane_persist_bytes_total", Counter, "bytes", "",
        "Payload that was made durable.";
    PROBE_SECONDS = "biplane_probe_seconds", Histogram, "seconds", "kind, result",
        "Time that a probe took.";
    PROBE_STAGE_SECONDS = "biplane_probe_stage_seconds", Histogram, "seconds", "kind, stage",
        "Time of each stage that a probe came through: connect, tls, first_byte.";
    PROBES = "biplane_probes_total", Counter, "probes", "kind, result",
        "Probes that ended.";
    QUEUE_DEPTH = "biplane_queue_depth", Gauge, "items", "queue",
        "Items that wait in a queue of this process: persist, journal, and the lanes of the kernel's inbox.";
    QUEUE_DROPPED = "biplane_queue_dropped_total", Counter, "items", "queue",
        "Items that found a queue full and were dropped or refused: effects, events, audit, requests, hints, gateways.";
    QUORUM = "biplane_quorum", Gauge, "bool", "",
        "1 while this node is in touch with a quorum.";
    REPORT = "biplane_report", Gauge, "verdict", "observer, service, plane",
        "What one observer says: 0 unknown, 1 down, 3 degraded, 4 up.";
    ROUTE_EPOCH = "biplane_route_epoch", Gauge, "epoch counter", "group",
        "Counter of the epoch of a group's route.";
    STALL_SECONDS = "biplane_stall_seconds", Histogram, "seconds", "",
        "How much later than ordered this process was woken: freezes of the machine show here.";
    STEP_SECONDS = "biplane_switchover_step_seconds", Histogram, "seconds", "step",
        "Time of each step of a switchover that ended, at the leader.";
    SWITCHOVERS = "biplane_switchovers_total", Counter, "switchovers", "result",
        "Switchovers that ended: done, undone, stuck, overtaken.";
    TERM = "biplane_term", Gauge, "terms", "",
        "Raft term.";
    VERDICT = "biplane_verdict", Gauge, "verdict", "service, plane",
        "What the quorum says: 0 no-data, 1 down, 2 partial, 3 degraded, 4 up.";
    WATCHERS = "biplane_watchers", Gauge, "watchers", "",
        "Watchers of the route table that this node serves.";
}

/// Tells the installed recorder what each metric means.
pub fn describe_all() {
    for row in METRICS {
        match row.kind {
            MetricKind::Counter => metrics::describe_counter!(row.name, row.help),
            MetricKind::Gauge => metrics::describe_gauge!(row.name, row.help),
            MetricKind::Histogram => metrics::describe_histogram!(row.name, row.help),
        }
    }
}

/// Lets the counters that a node shows begin at nothing: a first time is seen only by who has scraped a zero before.
pub fn begin_counters() {
    for name in [API_CONNECTIONS_REFUSED, API_LOGINS_FAILED, MEMBER_REFUSALS] {
        metrics::counter!(name).increment(0);
    }
    for result in ["done", "undone", "stuck", "overtaken"] {
        metrics::counter!(SWITCHOVERS, "result" => result).increment(0);
    }
    for queue in ["effects", "events", "audit", "requests", "hints", "gateways"] {
        metrics::counter!(QUEUE_DROPPED, "queue" => queue).increment(0);
    }
}

/// The table as Markdown, for `docs/reference/metrics.md`.
pub fn metrics_markdown() -> String {
    let mut text = String::from(
        "# Metrics\n\nGenerated from the table in `src/edge/telemetry/names.rs`. Scrape `GET /metrics` on the \
         API's port.\n\n| name | type | unit | labels | what it says |\n|---|---|---|---|---|\n",
    );
    for row in METRICS {
        let kind = match row.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let labels = if row.labels.is_empty() { "–" } else { row.labels };
        // Writing into a string does not fail.
        let _ =
            writeln!(text, "| `{}` | {kind} | {} | {labels} | {} |", row.name, row.unit, row.help);
    }
    text
}
