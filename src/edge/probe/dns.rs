//! One DNS question, by UDP and by TCP where the answer is too long for it (RFC 1035, RFC 7766).

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use domain::base::iana::{Class, Rcode};
use domain::base::message::Message;
use domain::base::{MessageBuilder, Name, ParsedName, Rtype};
use domain::rdata::AllRecordData;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use super::fault::{self, short};
use super::{connect, limits};
use crate::kernel::domain::{DnsProbe, DnsType, ProbeFault, ProbeTimings};

type Octets = Message<Vec<u8>>;

/// Asks the first address that answers, each having an equal share of the time until `deadline`, and judges.
pub(super) async fn ask(
    addresses: &[SocketAddr],
    probe: &DnsProbe,
    deadline: Instant,
    timings: &mut ProbeTimings,
) -> Result<(), ProbeFault> {
    let query = query(probe)?;
    let mut last = ProbeFault::Unresolved("no address".to_owned());
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        let asked = Instant::now();
        last = match timeout(share, exchange(*address, &query, asked + share)).await {
            Ok(Ok(answer)) => {
                timings.first_byte = asked.elapsed();
                return judge(probe, &answer);
            }
            Ok(Err(fault)) => fault,
            Err(_) => ProbeFault::TimedOut,
        };
    }
    Err(last)
}

const fn rtype(record: DnsType) -> Rtype {
    match record {
        DnsType::A => Rtype::A,
        DnsType::Aaaa => Rtype::AAAA,
        DnsType::Caa => Rtype::CAA,
        DnsType::Cname => Rtype::CNAME,
        DnsType::Mx => Rtype::MX,
        DnsType::Ns => Rtype::NS,
        DnsType::Ptr => Rtype::PTR,
        DnsType::Soa => Rtype::SOA,
        DnsType::Srv => Rtype::SRV,
        DnsType::Txt => Rtype::TXT,
    }
}

/// The question, with an id that nobody can guess: an answer to it is none that was made beforehand.
fn query(probe: &DnsProbe) -> Result<Octets, ProbeFault> {
    let cannot = |why: &dyn std::fmt::Display| {
        ProbeFault::NotProbed(short(format_args!("cannot ask for `{}`: {why}", probe.name)))
    };
    let name: Name<Vec<u8>> = Name::from_str(&probe.name).map_err(|error| cannot(&error))?;
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|error| cannot(&error))?;
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(u16::from_be_bytes(id));
    // So that a resolver may be asked too; who has authority does not care.
    builder.header_mut().set_rd(true);
    let mut question = builder.question();
    let pushed = question.push((name, rtype(probe.record), Class::IN));
    pushed.map_err(|error| cannot(&error))?;
    let mut additional = question.additional();
    let opt = additional.opt(|opt| {
        opt.set_udp_payload_size(limits::DNS_UDP_BYTES);
        Ok(())
    });
    opt.map_err(|error| cannot(&error))?;
    Ok(additional.into_message())
}

async fn exchange(
    server: SocketAddr,
    query: &Octets,
    deadline: Instant,
) -> Result<Octets, ProbeFault> {
    let patience = deadline.saturating_duration_since(Instant::now()) / 2;
    let by_udp = by_udp(server, query, patience).await;
    let answer = by_udp.map_err(|error| fault::of_socket(&error))?;
    if !answer.header().tc() {
        return Ok(answer);
    }
    let stream = connect::connect(&[server], deadline).await?;
    let read = timeout_at(deadline, by_tcp(stream, query)).await;
    let octets = match read {
        Ok(octets) => octets.map_err(|error| fault::of_socket(&error))?,
        Err(_) => return Err(ProbeFault::TimedOut),
    };
    answer_to(query, octets)
        .ok_or_else(|| ProbeFault::WrongAnswer("by TCP, no answer to what was asked".to_owned()))
}

/// Sends, and sends once more after `patience`; waits for as long as it is let. Whatever does not answer this
/// very question is passed over.
async fn by_udp(server: SocketAddr, query: &Octets, patience: Duration) -> std::io::Result<Octets> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(query.as_slice()).await?;
    match timeout(patience, receive(&socket, query)).await {
        Ok(answer) => answer,
        Err(_) => {
            socket.send(query.as_slice()).await?;
            receive(&socket, query).await
        }
    }
}

async fn receive(socket: &UdpSocket, query: &Octets) -> std::io::Result<Octets> {
    let mut octets = [0; limits::DNS_UDP_BYTES as usize];
    loop {
        let length = socket.recv(&mut octets).await?;
        let octets = octets.get(..length).unwrap_or_default().to_vec();
        if let Some(answer) = answer_to(query, octets) {
            return Ok(answer);
        }
    }
}

/// The length before the answer bounds it: 64 KiB.
async fn by_tcp(mut stream: TcpStream, query: &Octets) -> std::io::Result<Vec<u8>> {
    let length = u16::try_from(query.as_slice().len()).map_err(std::io::Error::other)?;
    let framed = [&length.to_be_bytes(), query.as_slice()].concat();
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut octets = vec![0; usize::from(length)];
    stream.read_exact(&mut octets).await?;
    Ok(octets)
}

/// The message, if it answers the query: same id, same question.
fn answer_to(query: &Octets, octets: Vec<u8>) -> Option<Octets> {
    let answer = Message::from_octets(octets).ok()?;
    answer.is_answer(query).then_some(answer)
}

fn judge(probe: &DnsProbe, answer: &Octets) -> Result<(), ProbeFault> {
    let DnsProbe { name, contains, .. } = probe;
    let asked = probe.record.name();
    let wrong = |what: String| Err(ProbeFault::WrongAnswer(short(what)));
    let rcode = answer.header().rcode();
    if rcode != Rcode::NOERROR {
        return wrong(format!("{rcode} for {name} {asked}, not NOERROR"));
    }
    let records = match records(probe, answer) {
        Ok(records) => records,
        Err(error) => return wrong(format!("an answer that cannot be read: {error}")),
    };
    let Some(first) = records.first() else {
        return wrong(format!("no {asked} record for {name}"));
    };
    let fits = |record: &String| match probe.record {
        DnsType::A | DnsType::Aaaa => record == contains,
        _ => record.contains(contains),
    };
    if contains.is_empty() || records.iter().any(fits) {
        return Ok(());
    }
    let more = match records.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    wrong(format!("{asked} of {name} is `{first}`{more}, without `{contains}`"))
}

/// The records of the type in the answer, as a zone file shows them. Those of an alias on the way count.
fn records(probe: &DnsProbe, answer: &Octets) -> Result<Vec<String>, String> {
    let wanted = rtype(probe.record);
    let mut shown = Vec::new();
    for record in answer.answer().map_err(|error| error.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        if record.rtype() != wanted || record.class() != Class::IN {
            continue;
        }
        let record = record.to_any_record::<AllRecordData<_, ParsedName<_>>>();
        shown.push(record.map_err(|error| error.to_string())?.data().to_string());
    }
    Ok(shown)
}
