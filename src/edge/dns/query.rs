//! Octets → a query that can be answered, or why not.

use domain::base::iana::{Class, Opcode, Rcode};
use domain::base::name::ToLabelIter;
use domain::base::opt::{Cookie, Nsid, Opt, OptRecord};
use domain::base::{Message, ParsedName, Rtype};

/// A well-formed query: opcode QUERY, one question, nothing in the sections that a query leaves empty.
#[derive(Debug)]
pub(super) struct Query<'a> {
    /// The whole message.
    pub(super) message: &'a Message<[u8]>,
    /// The name asked for, in the asker's case.
    pub(super) name: ParsedName<&'a [u8]>,
    /// The type asked for.
    pub(super) qtype: Rtype,
    /// The class asked for.
    pub(super) qclass: Class,
    /// EDNS, if the asker speaks it.
    pub(super) edns: Option<Edns>,
}

/// What an asker's OPT record says (RFC 6891).
#[derive(Clone, Debug)]
pub(super) struct Edns {
    /// The largest UDP answer that the asker takes, in octets, as asked.
    pub(super) payload: u16,
    /// Only 0 exists.
    pub(super) version: u8,
    /// To be copied (RFC 3225).
    pub(super) dnssec_ok: bool,
    /// Whether the server's name is asked for (RFC 5001).
    pub(super) nsid: bool,
    /// The asker's cookie, with or without ours (RFC 7873).
    pub(super) cookie: Option<Cookie>,
}

/// Why octets are no query to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// A scrap, or an answer: never reply.
    Drop,
    /// To be told so, with a header and nothing else.
    Refuse(Rcode),
}

/// Octets of a message's header.
pub(super) const HEADER_LEN: usize = 12;

const MALFORMED: Unfit = Unfit::Refuse(Rcode::FORMERR);

impl<'a> Query<'a> {
    /// Reads a message.
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, Unfit> {
        let message = Message::from_slice(octets).map_err(|_| Unfit::Drop)?;
        if message.header().qr() {
            return Err(Unfit::Drop);
        }
        if message.header().opcode() != Opcode::QUERY {
            return Err(Unfit::Refuse(Rcode::NOTIMP));
        }
        let question = message.sole_question().map_err(|_| MALFORMED)?;
        let mut section = message.question();
        section.next();
        // A question has nothing before it to point to, but the header.
        let flat = section.pos() == HEADER_LEN + usize::from(question.qname().compose_len()) + 4;
        let (name, qtype, qclass) = (*question.qname(), question.qtype(), question.qclass());
        let counts = message.header_counts();
        // IXFR alone brings a record of its own: the SOA that the asker has (RFC 1995).
        let authority = u16::from(qtype == Rtype::IXFR);
        if !flat || counts.ancount() != 0 || counts.nscount() > authority {
            return Err(MALFORMED);
        }
        let edns = additional(message).map_err(|_| MALFORMED)?;
        Ok(Self { message, name, qtype, qclass, edns })
    }
}

/// Reads the rest of the message to its last octet; an OPT may stand in the additional section, once, at the root.
fn additional(message: &Message<[u8]>) -> Result<Option<Edns>, ()> {
    let mut authority = message.authority().map_err(|_| ())?;
    for record in authority.by_ref() {
        record.map_err(|_| ())?;
    }
    let mut records = authority.next_section().map_err(|_| ())?.ok_or(())?;
    let mut edns = None;
    for record in records.by_ref() {
        let record = record.map_err(|_| ())?;
        if record.rtype() != Rtype::OPT {
            continue;
        }
        if edns.is_some() || !record.owner().is_root() {
            return Err(());
        }
        let opt = record.into_record::<Opt<_>>().map_err(|_| ())?.ok_or(())?;
        let opt = OptRecord::from_record(opt);
        edns = Some(Edns {
            payload: opt.udp_payload_size(),
            version: opt.version(),
            dnssec_ok: opt.dnssec_ok(),
            nsid: opt.opt().iter::<Nsid<_>>().next().is_some(),
            // A cookie of a length that none has is FORMERR (RFC 7873, section 5.2.2).
            cookie: opt.opt().iter::<Cookie>().next().transpose().map_err(|_| ())?,
        });
    }
    if records.pos() == message.as_slice().len() { Ok(edns) } else { Err(()) }
}

/// Longest name as text, without the trailing dot (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 254;

/// Stands for octets that no zone's names have, so that `a\.b` is never taken for `a.b`.
const FOREIGN: u8 = 0;

/// A name as the zones write it: lower case, no trailing dot.
#[derive(Debug)]
pub(super) struct NameText {
    octets: [u8; MAX_NAME],
    len: usize,
}

impl NameText {
    pub(super) fn of(name: &ParsedName<&[u8]>) -> Self {
        let mut text = Self { octets: [FOREIGN; MAX_NAME], len: 0 };
        for label in name.iter_labels().filter(|label| !label.is_root()) {
            if text.len > 0 {
                text.put(b'.');
            }
            for octet in label.as_slice() {
                text.put(if octet.is_ascii_graphic() && *octet != b'.' {
                    octet.to_ascii_lowercase()
                } else {
                    FOREIGN
                });
            }
        }
        text
    }

    fn put(&mut self, octet: u8) {
        if let Some(place) = self.octets.get_mut(self.len) {
            *place = octet;
            self.len += 1;
        }
    }

    /// The text; ASCII only.
    pub(super) fn as_str(&self) -> &str {
        let octets = self.octets.get(..self.len).unwrap_or_default();
        std::str::from_utf8(octets).unwrap_or_default()
    }
}
