//! The named exception of this test: what real processes on one machine cannot be brought to in a minute is said by an
//! exporter that is no node: a clock that is wrong, a disk that is slow, a panic of the DNS server, a flood of queries (DNS
//! does not limit loopback), a member cut off from other sites, another version, a thousand alarms.
//! Its text is made by the product's own recorder with the names of the product's own table.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use biplane::edge::telemetry::names::{
    BUILD_INFO, CLOCK_DIFFERENCE, COMMIT_SECONDS, DNS_LIMITED, DNS_PANICS, LAG, OPEN_QUESTIONS,
    PERSIST_SECONDS, QUEUE_DEPTH, QUEUE_DROPPED, QUORUM,
};
use biplane::edge::telemetry::{Metrics, record_alarms};

/// What it makes fire.
pub(super) const FAKED: &[&str] = &[
    "BiplaneClock",
    "BiplaneClockDiffers",
    "BiplaneCommitSlow",
    "BiplaneDiskQueue",
    "BiplaneDiskSlow",
    "BiplaneDnsLimited",
    "BiplaneDnsPanics",
    "BiplaneGatewayBehind",
    "BiplaneMemberIsolated",
    "BiplaneMemberLags",
    "BiplaneMoreAlarms",
    "BiplaneQuestionStaysOpen",
    "BiplaneQueueDrops",
    "BiplaneVersionsDiffer",
];

/// An exporter. From when it is silenced it answers nobody, and its series end.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    silent: Arc<AtomicBool>,
}

impl Fake {
    /// A member that is well.
    pub(super) fn start() -> Self {
        let metrics = Metrics::install().expect("no other test of this binary installs one");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let silent = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&silent);
        say(false);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                if told.load(Ordering::Relaxed) {
                    return;
                }
                let body = metrics.render();
                let length = body.len();
                // Prometheus asks again if this is lost.
                let _ = stream.read(&mut [0; 4096]);
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close";
                let _ = write!(stream, "{head}\r\ncontent-length: {length}\r\n\r\n{body}");
            }
        });
        Self { address, silent }
    }

    /// Everything that it can say is wrong.
    pub(super) fn suffers() {
        say(true);
    }

    /// Nobody hears of it any more.
    pub(super) fn is_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }
}

fn say(bad: bool) {
    let or_none = |value: f64| if bad { value } else { 0.0 };
    let times = u64::from(bad);
    metrics::gauge!(QUORUM).set(1.0);
    let count = usize::from(bad);
    let kinds = ["clock", "gateway-behind", "member-isolated", "more"];
    record_alarms(
        &kinds.map(|kind| (kind.to_owned(), count)).into_iter().collect::<BTreeMap<_, _>>(),
    );
    metrics::gauge!(CLOCK_DIFFERENCE, "member" => "x").set(or_none(-2.5));
    metrics::gauge!(LAG, "member" => "x").set(or_none(50_000.0));
    metrics::gauge!(OPEN_QUESTIONS).set(or_none(1.0));
    metrics::gauge!(QUEUE_DEPTH, "queue" => "persist").set(or_none(5_000.0));
    metrics::counter!(DNS_PANICS).increment(times);
    metrics::counter!(DNS_LIMITED).increment(times * 20_000);
    metrics::counter!(QUEUE_DROPPED, "queue" => "events").increment(times);
    for name in [PERSIST_SECONDS, COMMIT_SECONDS] {
        metrics::histogram!(name).record(if bad { 3.0 } else { 0.001 });
    }
    if bad {
        metrics::gauge!(BUILD_INFO, "version" => "another").set(1.0);
    }
}
