//! Counters of the DNS server.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::base::iana::OptRcode;

use super::answer::{Transport, Verdict};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// What the server has seen since its start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct DnsCounters {$($(#[$doc])* pub $name: u64,)*}

        /// The same, being counted.
        #[derive(Debug, Default)]
        pub(super) struct Tally {$(pub(super) $name: Count,)*}

        impl Tally {
            pub(super) fn read(&self) -> DnsCounters {
                DnsCounters {$($name: self.$name.0.load(Ordering::Relaxed),)*}
            }
        }
    };
}

counters! {
    /// Messages that came by UDP.
    udp_queries
    /// Messages that came by TCP.
    tcp_queries
    /// Messages that must not be answered: answers, scraps.
    dropped
    /// Messages beyond the rate limit of their network: answered truncated, or not at all.
    limited
    /// Answers NOERROR, with records or without.
    no_error
    /// Answers NXDOMAIN.
    nx_domain
    /// Answers FORMERR.
    form_err
    /// Answers SERVFAIL.
    serv_fail
    /// Answers NOTIMP.
    not_imp
    /// Answers REFUSED.
    refused
    /// Answers BADVERS.
    bad_vers
    /// Answers with the truncation bit.
    truncated
    /// Queries that made the server panic: each cost one answer.
    panics
    /// TCP connections taken.
    tcp_accepted
    /// TCP connections closed at once, because there were too many.
    tcp_turned_away
    /// Errors of sockets.
    socket_errors
}

/// One counter.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// Counts one; says how many there are now.
    pub(super) fn up(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Tally {
    /// Counts one message and what became of it.
    pub(super) fn note(&self, transport: Transport, verdict: Verdict, out: &[u8]) {
        match transport {
            Transport::Udp => self.udp_queries.up(),
            Transport::Tcp => self.tcp_queries.up(),
        };
        let Verdict::Answered(rcode) = verdict else {
            self.dropped.up();
            return;
        };
        let count = match rcode {
            OptRcode::NOERROR => &self.no_error,
            OptRcode::NXDOMAIN => &self.nx_domain,
            OptRcode::FORMERR => &self.form_err,
            OptRcode::NOTIMP => &self.not_imp,
            OptRcode::REFUSED => &self.refused,
            OptRcode::BADVERS => &self.bad_vers,
            _ => &self.serv_fail,
        };
        count.up();
        if out.get(2).is_some_and(|flags| flags & 0x02 != 0) {
            self.truncated.up();
        }
    }
}
