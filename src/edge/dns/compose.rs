//! A finding → the octets of its answer.

use std::mem;
use std::str::FromStr;

use domain::base::charstr::CharStr;
use domain::base::iana::{OptRcode, OptionCode, Rcode};
use domain::base::message_builder::{
    AdditionalBuilder, AnswerBuilder, MessageBuilder, PushError, StaticCompressor,
};
use domain::base::{Header, Name, Serial, Ttl};
use domain::dep::octseq::OctetsBuilder as _;
use domain::rdata::{A, Aaaa, Hinfo, Ns, Soa, Txt};

use super::answer::{Asker, Finding, Records, Transport};
use super::limits::{ANY_TTL, TCP_PAYLOAD, UDP_CLASSIC, UDP_PAYLOAD};
use super::query::{HEADER_LEN, Query};
use crate::kernel::zone::Zone;

type WireName = Name<Vec<u8>>;
type Answer = AnswerBuilder<StaticCompressor<Vec<u8>>>;
type Additional = AdditionalBuilder<StaticCompressor<Vec<u8>>>;

/// Octets of an OPT record without options.
const OPT_LEN: usize = 11;
/// Octets of an option before its data.
const OPTION_LEN: usize = 4;
/// Octets of a client's cookie and ours (RFC 9018, section 4).
const COOKIE_LEN: usize = 24;

/// Why an answer could not be written as found.
enum Unwritten {
    /// It does not fit.
    TooLong,
    /// The zone holds a name that is none.
    BadName,
}

impl From<PushError> for Unwritten {
    fn from(_: PushError) -> Self {
        Self::TooLong
    }
}

/// Writes an answer of nothing but a header, for what cannot be read any further. Takes at least a header.
pub(super) fn compose_header(query: &[u8], rcode: Rcode, out: &mut Vec<u8>) {
    out.clear();
    let Some(header) = query.get(..HEADER_LEN) else { return };
    let asked = *Header::for_message_slice(header);
    out.resize(HEADER_LEN, 0);
    let header = Header::for_message_slice_mut(out);
    header.set_id(asked.id());
    header.set_qr(true);
    header.set_opcode(asked.opcode());
    header.set_rd(asked.rd());
    header.set_rcode(rcode);
}

/// Writes the answer; says its response code.
pub(super) fn compose(
    query: &Query<'_>,
    finding: Finding<'_>,
    asker: &Asker<'_>,
    out: &mut Vec<u8>,
) -> OptRcode {
    let rcode = match finding {
        Finding::Fault(rcode) => rcode,
        Finding::Records(..) | Finding::Limited => OptRcode::NOERROR,
        Finding::Negative(_, rcode) => rcode.into(),
    };
    if write(query, &finding, rcode, asker, out).is_ok() {
        return rcode;
    }
    let failed = OptRcode::SERVFAIL;
    if write(query, &Finding::Fault(failed), failed, asker, out).is_err() {
        compose_header(query.message.as_slice(), Rcode::SERVFAIL, out);
    }
    failed
}

fn write(
    query: &Query<'_>,
    finding: &Finding<'_>,
    rcode: OptRcode,
    asker: &Asker<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Unwritten> {
    let target = StaticCompressor::new(mem::take(out));
    let Ok(mut builder) = MessageBuilder::from_target(target);
    let edns = query.edns.as_ref();
    let nsid = edns.filter(|edns| edns.nsid).and_then(|_| asker.nsid());
    let cookie = edns.and_then(|edns| asker.cookie(edns.cookie.as_ref()?));
    let options = nsid.map_or(0, |name| OPTION_LEN + name.len())
        + if cookie.is_some() { OPTION_LEN + COOKIE_LEN } else { 0 };
    let reserved = if edns.is_some() { OPT_LEN + options } else { 0 };
    // The builder wants to stay *below* its limit.
    builder.set_push_limit(room(query, asker.transport) - reserved + 1);
    let answer = builder.start_answer(query.message, rcode.rcode())?;
    let mut additional = match finding {
        Finding::Fault(_) => answer.additional(),
        Finding::Limited => answer.tc_rewind_into().additional(),
        Finding::Records(zone, records) => positive(query, zone, records, answer)?,
        Finding::Negative(zone, _) => negative(zone, answer)?,
    };
    if let Some(edns) = edns {
        additional.clear_push_limit();
        additional.opt(|opt| {
            opt.set_udp_payload_size(UDP_PAYLOAD);
            opt.set_dnssec_ok(edns.dnssec_ok);
            opt.set_rcode(rcode);
            if let Some(name) = nsid {
                let len = u16::try_from(name.len()).unwrap_or_default();
                opt.push_raw_option(OptionCode::NSID, len, |to| to.append_slice(name))?;
            }
            cookie.map_or(Ok(()), |cookie| opt.cookie(cookie))
        })?;
    }
    *out = additional.finish().into_target();
    Ok(())
}

/// Octets that the answer may have.
fn room(query: &Query<'_>, transport: Transport) -> usize {
    usize::from(match (transport, &query.edns) {
        (Transport::Tcp, _) => TCP_PAYLOAD,
        (Transport::Udp, Some(edns)) => edns.payload.clamp(UDP_CLASSIC, UDP_PAYLOAD),
        (Transport::Udp, None) => UDP_CLASSIC,
    })
}

/// The record set whole, or none of it and the truncation bit.
fn positive(
    query: &Query<'_>,
    zone: &Zone,
    records: &Records<'_>,
    mut answer: Answer,
) -> Result<Additional, Unwritten> {
    answer.header_mut().set_aa(true);
    match push_records(query, zone, records, &mut answer) {
        Err(Unwritten::TooLong) => return Ok(answer.tc_rewind_into().additional()),
        other => other?,
    }
    let mut additional = answer.additional();
    if let Records::Ns(servers) = records
        && push_server_addresses(zone, servers, &mut additional).is_err()
    {
        // They are a courtesy here: all or none, and no truncation bit (RFC 2181, section 9).
        additional.rewind();
    }
    Ok(additional)
}

fn push_records(
    query: &Query<'_>,
    zone: &Zone,
    records: &Records<'_>,
    answer: &mut Answer,
) -> Result<(), Unwritten> {
    let (owner, ttl) = (&query.name, zone.ttl);
    match records {
        Records::A(all) => {
            for address in *all {
                answer.push((owner, ttl, A::new(*address)))?;
            }
        }
        Records::Aaaa(all) => {
            for address in *all {
                answer.push((owner, ttl, Aaaa::new(*address)))?;
            }
        }
        Records::Ns(servers) => {
            for server in *servers {
                answer.push((owner, ttl, Ns::new(wire(server)?)))?;
            }
        }
        Records::Txt(texts) => {
            for text in *texts {
                let txt = Txt::<Vec<u8>>::build_from_slice(text.as_bytes());
                answer.push((owner, ttl, txt.map_err(|_| Unwritten::TooLong)?))?;
            }
        }
        Records::Soa => answer.push((owner, ttl, soa(zone)?))?,
        Records::Minimal => {
            let cpu = CharStr::from_octets(&b"RFC8482"[..]).map_err(|_| Unwritten::TooLong)?;
            let os = CharStr::from_octets(&b""[..]).map_err(|_| Unwritten::TooLong)?;
            answer.push((owner, ANY_TTL, Hinfo::new(cpu, os)))?;
        }
    }
    Ok(())
}

fn push_server_addresses(
    zone: &Zone,
    servers: &[String],
    additional: &mut Additional,
) -> Result<(), Unwritten> {
    for server in servers {
        let Some(set) = zone.names.get(server) else { continue };
        let owner = wire(server)?;
        for address in &set.a {
            additional.push((&owner, zone.ttl, A::new(*address)))?;
        }
        for address in &set.aaaa {
            additional.push((&owner, zone.ttl, Aaaa::new(*address)))?;
        }
    }
    Ok(())
}

/// The SOA in the authority section, kept for no longer than either its TTL or its minimum (RFC 2308, section 3).
fn negative(zone: &Zone, mut answer: Answer) -> Result<Additional, Unwritten> {
    answer.header_mut().set_aa(true);
    let ttl = zone.ttl.min(zone.soa.negative_ttl);
    let mut authority = answer.authority();
    if authority.push((wire(&zone.origin)?, ttl, soa(zone)?)).is_err() {
        authority.header_mut().set_tc(true);
    }
    Ok(authority.additional())
}

fn soa(zone: &Zone) -> Result<Soa<WireName>, Unwritten> {
    let fields = &zone.soa;
    Ok(Soa::new(
        wire(&fields.mname)?,
        wire(&fields.rname)?,
        Serial(zone.serial),
        Ttl::from_secs(fields.refresh),
        Ttl::from_secs(fields.retry),
        Ttl::from_secs(fields.expire),
        Ttl::from_secs(fields.negative_ttl),
    ))
}

fn wire(name: &str) -> Result<WireName, Unwritten> {
    WireName::from_str(name).map_err(|_| Unwritten::BadName)
}
