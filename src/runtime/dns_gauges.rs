//! What the metrics say of the DNS server.

use std::sync::Weak;

use super::limits::GAUGES_EVERY;
use crate::edge::dns::DnsServer;
use crate::edge::telemetry::names::{
    DNS_ANSWERS, DNS_DROPPED, DNS_LIMITED, DNS_PANICS, DNS_QUERIES,
};

/// Writes the server's counters now and then, for as long as it lives.
pub(super) async fn write(server: Weak<DnsServer>) {
    let mut turn = tokio::time::interval(GAUGES_EVERY);
    turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        let Some(counted) = server.upgrade().map(|server| server.counters()) else { return };
        metrics::counter!(DNS_QUERIES, "transport" => "udp").absolute(counted.udp_queries);
        metrics::counter!(DNS_QUERIES, "transport" => "tcp").absolute(counted.tcp_queries);
        metrics::counter!(DNS_DROPPED).absolute(counted.dropped);
        metrics::counter!(DNS_LIMITED).absolute(counted.limited);
        metrics::counter!(DNS_PANICS).absolute(counted.panics);
        let answers = [
            ("noerror", counted.no_error),
            ("nxdomain", counted.nx_domain),
            ("formerr", counted.form_err),
            ("servfail", counted.serv_fail),
            ("notimp", counted.not_imp),
            ("refused", counted.refused),
            ("badvers", counted.bad_vers),
        ];
        for (rcode, count) in answers {
            metrics::counter!(DNS_ANSWERS, "rcode" => rcode).absolute(count);
        }
    }
}
