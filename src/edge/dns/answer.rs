//! What to answer: a pure function of what is published and what was asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use domain::base::iana::{Class, OptRcode, Rcode};
use domain::base::opt::Cookie;
use domain::base::{Rtype, Serial};

use super::Published;
use super::compose::{compose, compose_header};
use super::limits::{COOKIE_AHEAD, COOKIE_LIFE, NSID_MAX};
use super::query::{Edns, NameText, Query, Unfit};
use crate::kernel::zone::{CutOff, RecordSet, Zone};

/// How a query came; decides how long an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// 512 octets, or what EDNS allows up to [`super::UDP_PAYLOAD`].
    Udp,
    /// 65,535 octets.
    Tcp,
}

/// Who this server is, for those who ask: fixed at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name (NSID), at most 63 octets of it.
    pub name: String,
    /// Makes its cookies; no asker knows it.
    pub secret: [u8; 16],
    /// Seconds since 1970 when it started, wrapped to 32 bits: for the age of cookies.
    pub wall: u32,
}

/// How a query came, and from whom.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// By UDP or by TCP.
    pub transport: Transport,
    /// The address that it came from.
    pub address: IpAddr,
    /// Seconds since 1970, as cookies count them; they wrap.
    pub wall: u32,
    /// The server; without it neither its name nor cookies are told.
    pub server: Option<&'a Identity>,
    /// Whether the answer is to be an empty, truncated one: too many were asked for.
    pub limited: bool,
}

impl<'a> Asker<'a> {
    /// Somebody who is told nothing of the server.
    pub const fn plain(transport: Transport) -> Self {
        let address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self { transport, address, wall: 0, server: None, limited: false }
    }

    /// Whether a cookie is one that this server gave to this address, not too long ago (RFC 9018, section 4.3).
    pub(super) fn shows(&self, cookie: &Cookie) -> bool {
        self.server.is_some_and(|server| {
            cookie.check_server_hash(self.address, &server.secret, |given| {
                let age = self.wall.wrapping_sub(given.into_int());
                age <= COOKIE_LIFE || age.wrapping_neg() <= COOKIE_AHEAD
            })
        })
    }

    /// The server's answer to a cookie.
    pub(super) fn cookie(&self, asked: &Cookie) -> Option<Cookie> {
        let server = self.server?;
        Some(asked.create_response(Serial(self.wall), self.address, &server.secret))
    }

    /// The server's name.
    pub(super) fn nsid(&self) -> Option<&'a [u8]> {
        let name = self.server?.name.as_bytes();
        Some(&name[..name.len().min(NSID_MAX)])
    }
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
/// RFC 7873 and 9018 (cookies); RFC 5001 (NSID); RFC 8482 (ANY); RFC 2181, section 9 (no partial record sets).
pub fn answer(
    published: &Published,
    now: Instant,
    query: &[u8],
    asker: &Asker<'_>,
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
            let known =
                |edns: &Edns| edns.cookie.as_ref().is_some_and(|cookie| asker.shows(cookie));
            let finding = if asker.limited && !query.edns.as_ref().is_some_and(known) {
                Finding::Limited
            } else {
                find(published, now, &query)
            };
            Verdict::Answered(compose(&query, finding, asker, out))
        }
    }
}

/// The answer where none could be found: SERVFAIL, with the question if it can be read.
pub(super) fn servfail(query: &[u8], asker: &Asker<'_>, out: &mut Vec<u8>) -> Verdict {
    out.clear();
    match Query::parse(query) {
        Err(Unfit::Drop) => return Verdict::Dropped,
        Err(Unfit::Refuse(_)) => compose_header(query, Rcode::SERVFAIL, out),
        Ok(query) => {
            compose(&query, Finding::Fault(OptRcode::SERVFAIL), asker, out);
        }
    }
    Verdict::Answered(OptRcode::SERVFAIL)
}

/// What there is to say to a well-formed query.
#[derive(Debug)]
pub(super) enum Finding<'z> {
    /// No authority: just a code.
    Fault(OptRcode),
    /// Nothing but the truncation bit: come again by TCP.
    Limited,
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
    if query.edns.as_ref().is_some_and(|edns| edns.version > 0) {
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
