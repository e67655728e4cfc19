//! What to answer: a pure function of what is published and what was asked.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use domain::base::Rtype;
use domain::base::iana::{Class, OptRcode, Rcode};

use super::Published;
use super::compose::{compose, compose_header};
use super::query::{NameText, Query, Unfit};
use crate::kernel::zone::{CutOff, RecordSet, Zone};

/// How a query came; decides how long an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// 512 octets, or what EDNS allows up to [`super::UDP_PAYLOAD`].
    Udp,
    /// 65,535 octets.
    Tcp,
}

/// What became of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is in `out`; its (extended) response code.
    Answered(OptRcode),
    /// It must not be answered.
    Dropped,
}

/// Answers one message. `now` is only used to tell how long the node has been cut off; `out` is replaced,
/// and empty if the query was dropped.
///
/// Standards: RFC 1035; RFC 2308 (negative answers); RFC 6891 (EDNS); RFC 8020 (empty non-terminals);
/// RFC 8482 (ANY); RFC 2181, section 9 (no partial record sets).
pub fn answer(
    published: &Published,
    now: Instant,
    query: &[u8],
    transport: Transport,
    out: &mut Vec<u8>,
) -> Verdict {
    out.clear();
    match Query::parse(query) {
        Err(Unfit::Drop) => Verdict::Dropped,
        Err(Unfit::Refuse(rcode)) => {
            compose_header(query, rcode, out);
            Verdict::Answered(rcode.into())
        }
        Ok(query) => {
            Verdict::Answered(compose(&query, find(published, now, &query), transport, out))
        }
    }
}

/// The answer where none could be found: SERVFAIL, with the question if it can be read.
pub(super) fn servfail(query: &[u8], transport: Transport, out: &mut Vec<u8>) -> Verdict {
    out.clear();
    match Query::parse(query) {
        Err(Unfit::Drop) => return Verdict::Dropped,
        Err(Unfit::Refuse(_)) => compose_header(query, Rcode::SERVFAIL, out),
        Ok(query) => {
            compose(&query, Finding::Fault(OptRcode::SERVFAIL), transport, out);
        }
    }
    Verdict::Answered(OptRcode::SERVFAIL)
}

/// What there is to say to a well-formed query.
#[derive(Debug)]
pub(super) enum Finding<'z> {
    /// No authority: just a code.
    Fault(OptRcode),
    /// Records of one type, at the name asked for.
    Records(&'z Zone, Records<'z>),
    /// None: NXDOMAIN, or NOERROR for "not of this type", proved by the zone's SOA.
    Negative(&'z Zone, Rcode),
}

/// One record set, never empty.
#[derive(Debug)]
pub(super) enum Records<'z> {
    A(&'z [Ipv4Addr]),
    Aaaa(&'z [Ipv6Addr]),
    Ns(&'z [String]),
    Txt(&'z [String]),
    Soa,
    /// What stands in for ANY.
    Minimal,
}

fn find<'z>(published: &'z Published, now: Instant, query: &Query<'_>) -> Finding<'z> {
    if query.edns.is_some_and(|edns| edns.version > 0) {
        return Finding::Fault(OptRcode::BADVERS);
    }
    match query.qtype {
        // Types that are no data: of the message itself (RFC 6895, section 3.1), or of obsolete mail.
        Rtype::OPT | Rtype::TSIG | Rtype::TKEY => return Finding::Fault(OptRcode::FORMERR),
        Rtype::MAILA | Rtype::MAILB => return Finding::Fault(OptRcode::NOTIMP),
        Rtype::AXFR | Rtype::IXFR => return Finding::Fault(OptRcode::REFUSED),
        _ => {}
    }
    let text = NameText::of(&query.name);
    let name = text.as_str();
    let zone = match enclosing(published, name) {
        Some(zone) if query.qclass == Class::IN => zone,
        _ => return Finding::Fault(OptRcode::REFUSED),
    };
    if let (CutOff::Servfail(after), Some(since)) = (zone.cut_off, published.cut_off_since)
        && now.saturating_duration_since(since) > after
    {
        return Finding::Fault(OptRcode::SERVFAIL);
    }
    let Some(set) = zone.names.get(name) else {
        return Finding::Negative(zone, Rcode::NXDOMAIN);
    };
    match records(set, query.qtype, name == zone.origin) {
        Some(records) => Finding::Records(zone, records),
        None => Finding::Negative(zone, Rcode::NOERROR),
    }
}

/// The zone with the longest origin that the name is at or below.
fn enclosing<'z>(published: &'z Published, name: &str) -> Option<&'z Arc<Zone>> {
    let mut origin = name;
    loop {
        if let Some(zone) = published.zones.get(origin) {
            return Some(zone);
        }
        origin = match origin.split_once('.') {
            Some((_, rest)) => rest,
            None if origin.is_empty() => return None,
            None => "",
        };
    }
}

fn records(set: &RecordSet, qtype: Rtype, apex: bool) -> Option<Records<'_>> {
    match qtype {
        Rtype::A if !set.a.is_empty() => Some(Records::A(&set.a)),
        Rtype::AAAA if !set.aaaa.is_empty() => Some(Records::Aaaa(&set.aaaa)),
        Rtype::NS if !set.ns.is_empty() => Some(Records::Ns(&set.ns)),
        Rtype::TXT if !set.txt.is_empty() => Some(Records::Txt(&set.txt)),
        Rtype::SOA if apex => Some(Records::Soa),
        Rtype::ANY if apex || !set.is_empty() => Some(Records::Minimal),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
