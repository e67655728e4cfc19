//! A small client: asks one server, for verification, for the command line and for the demo.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use domain::base::iana::{Class, Rcode};
use domain::base::message::Message;
use domain::base::{MessageBuilder, Name, ParsedName, Rtype};
use domain::rdata::{A, Aaaa, Soa, Txt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::limits::UDP_PAYLOAD;
use crate::kernel::zone::{EPOCH_LABEL, EpochRecord};

type Answer = Message<Vec<u8>>;

/// Asks `server` which route it shows for `name`: TXT at `_biplane.NAME`. The question is repeated once, at
/// half of `timeout`.
///
/// # Errors
/// In words for people: no answer, a refusal, no such name, or a record that is none of ours.
pub async fn ask_epoch(
    server: SocketAddr,
    name: &str,
    timeout: Duration,
) -> Result<EpochRecord, String> {
    let full = format!("{EPOCH_LABEL}.{name}");
    let answer = ask(server, &full, Rtype::TXT, timeout).await?;
    let texts = answer.answer().map_err(|error| garbled(server, &error))?;
    for record in texts.limit_to::<Txt<_>>() {
        let record = record.map_err(|error| garbled(server, &error))?;
        let text = record.data().text::<Vec<u8>>();
        if let Some(epoch) = std::str::from_utf8(&text).ok().and_then(EpochRecord::from_text) {
            return Ok(epoch);
        }
    }
    Err(format!(
        "{server} has no epoch record at {full}: is {name} in a zone of the cluster, and has its group a route?"
    ))
}

/// Asks `server` for the addresses of `name`: A, or AAAA where there are no A records. Empty if it has neither.
///
/// # Errors
/// In words for people: no answer, a refusal, or no such name.
pub async fn ask_addresses(
    server: SocketAddr,
    name: &str,
    timeout: Duration,
) -> Result<Vec<IpAddr>, String> {
    let mut found = Vec::new();
    let answer = ask(server, name, Rtype::A, timeout).await?;
    let records = answer.answer().map_err(|error| garbled(server, &error))?;
    for record in records.limit_to::<A>() {
        let record = record.map_err(|error| garbled(server, &error))?;
        found.push(IpAddr::V4(record.data().addr()));
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let answer = ask(server, name, Rtype::AAAA, timeout).await?;
    let records = answer.answer().map_err(|error| garbled(server, &error))?;
    for record in records.limit_to::<Aaaa>() {
        let record = record.map_err(|error| garbled(server, &error))?;
        found.push(IpAddr::V6(record.data().addr()));
    }
    Ok(found)
}

/// Asks `server` for the serial of the zone `origin`.
///
/// # Errors
/// In words for people: no answer, a refusal, or no such zone.
pub async fn ask_serial(
    server: SocketAddr,
    origin: &str,
    timeout: Duration,
) -> Result<u32, String> {
    let answer = ask(server, origin, Rtype::SOA, timeout).await?;
    let records = answer.answer().map_err(|error| garbled(server, &error))?;
    match records.limit_to::<Soa<ParsedName<_>>>().next() {
        Some(Ok(record)) => Ok(record.data().serial().0),
        Some(Err(error)) => Err(garbled(server, &error)),
        None => Err(format!("{server} has no zone {origin}: is it in the cluster file?")),
    }
}

fn garbled(server: SocketAddr, error: &dyn std::fmt::Display) -> String {
    format!("{server} sent an answer that cannot be read: {error}")
}

/// Asks by UDP, and by TCP if the answer was too long. Only NOERROR is an answer.
async fn ask(
    server: SocketAddr,
    name: &str,
    qtype: Rtype,
    within: Duration,
) -> Result<Answer, String> {
    let query = query(name, qtype)?;
    let exchange = async {
        let answer = by_udp(server, &query, within / 2).await?;
        if answer.header().tc() { by_tcp(server, &query).await } else { Ok(answer) }
    };
    let silent = || {
        format!(
            "{server} did not answer within {} ms: is the node running, and is its DNS address reachable from here?",
            within.as_millis()
        )
    };
    let answer = match timeout(within, exchange).await {
        Err(_) => return Err(silent()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(format!("nothing listens at {server}: is the node running?"));
        }
        Ok(Err(error)) => return Err(format!("{server} cannot be asked: {error}")),
        Ok(Ok(answer)) => answer,
    };
    match answer.header().rcode() {
        Rcode::NOERROR => Ok(answer),
        Rcode::NXDOMAIN => Err(format!("{server} says that {name} does not exist (NXDOMAIN)")),
        Rcode::REFUSED => Err(format!("{server} does not serve {name} (REFUSED)")),
        Rcode::SERVFAIL => Err(format!(
            "{server} will not answer for {name} (SERVFAIL): has it been cut off from the quorum?"
        )),
        other => Err(format!("{server} answers {other} for {name}")),
    }
}

/// A query with an id that differs from the last ones; what makes it hard to forge an answer is the port,
/// which the kernel draws.
fn query(name: &str, qtype: Rtype) -> Result<Answer, String> {
    static NEXT_ID: AtomicU16 = AtomicU16::new(1);
    let name: Name<Vec<u8>> =
        Name::from_str(name).map_err(|error| format!("`{name}` is not a domain name: {error}"))?;
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(NEXT_ID.fetch_add(0x9E37, Ordering::Relaxed));
    let mut question = builder.question();
    let full = |_| "a query of one name is too long".to_owned();
    question.push((name, qtype, Class::IN)).map_err(full)?;
    let mut additional = question.additional();
    let opt = additional.opt(|opt| {
        opt.set_udp_payload_size(UDP_PAYLOAD);
        Ok(())
    });
    opt.map_err(full)?;
    Ok(additional.into_message())
}

/// Sends, and sends again after `patience`; waits for as long as it is let. Whatever does not answer this
/// very question is passed over.
async fn by_udp(server: SocketAddr, query: &Answer, patience: Duration) -> io::Result<Answer> {
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

async fn receive(socket: &UdpSocket, query: &Answer) -> io::Result<Answer> {
    let mut octets = [0; UDP_PAYLOAD as usize];
    loop {
        let len = socket.recv(&mut octets).await?;
        let octets = octets.get(..len).unwrap_or_default().to_vec();
        if let Some(answer) = answer_to(query, octets) {
            return Ok(answer);
        }
    }
}

async fn by_tcp(server: SocketAddr, query: &Answer) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let len = u16::try_from(query.as_slice().len()).map_err(io::Error::other)?;
    let framed = [&len.to_be_bytes(), query.as_slice()].concat();
    stream.write_all(&framed).await?;
    let len = stream.read_u16().await?;
    let mut octets = vec![0; usize::from(len)];
    stream.read_exact(&mut octets).await?;
    answer_to(query, octets).ok_or_else(|| io::Error::other("it answered another question"))
}

/// The message, if it is an answer to the query: same id, same question.
fn answer_to(query: &Answer, octets: Vec<u8>) -> Option<Answer> {
    let answer = Message::from_octets(octets).ok()?;
    answer.is_answer(query).then_some(answer)
}

#[cfg(test)]
mod tests;
