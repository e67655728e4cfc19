//! Connections that other members open: who they are, and what they send.

use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::CertificateDer;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::bulk::RECEIVED;
use super::dial::tune;
use super::door::{Door, Seat, Stranger};
use super::frame::{FrameError, read_frame, write_frame};
use super::hello::{Answer, Hello, Lane, Mismatch, decode, encode};
use super::limits::{ACCEPT_PAUSE, HANDSHAKE_TIMEOUT, MAX_BULK_FRAME, MAX_HELLO, MAX_NORMAL_FRAME};
use super::{Incoming, Shared, outlet};
use crate::kernel::domain::MemberId;

/// More connections are open from somewhere than may be before they say who they are.
const CROWD: &str = "too many connections that say nothing";
/// One member cannot have two lives.
const TWO_PROCESSES: &str = "its connections replace each other again and again: do two processes run on copies of \
    one data directory? Stop the one that does not belong there";

/// Accepts until the transport stops.
pub(super) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let door = Door::default();
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, from)) => {
                let from = from.ip();
                let known = shared.links.values().any(|link| link.peer.address.ip() == from);
                let Some((stranger, shed)) = Stranger::admit(&door, from, known) else {
                    shared.refusals.refused(&from.to_string(), CROWD);
                    continue;
                };
                if shed {
                    shared.refusals.refused(&from.to_string(), CROWD);
                }
                let (shared, door) = (Arc::clone(&shared), door.clone());
                let stop = shared.stop.clone();
                shared.tasks.clone().spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = receive(socket, stranger, door, &shared) => {}
                    }
                });
            }
            Err(error) => {
                shared.refusals.refused("the operating system", &format!("accept: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection, from its first byte to its last.
async fn receive(socket: TcpStream, stranger: Stranger, door: Door, shared: &Shared) {
    let address = stranger.from;
    let greeted = tokio::select! {
        () = stranger.shed.cancelled() => return,
        greeted = timeout(HANDSHAKE_TIMEOUT, greet(socket, shared)) => greeted,
    };
    let (connection, member, lane) = match greeted {
        Ok(Ok(guest)) => guest,
        Ok(Err(Turned { why, .. })) if why.is_empty() => return,
        Ok(Err(Turned { who, why })) => {
            let who = who.map_or_else(|| address.to_string(), |id| format!("member {id}"));
            return shared.refusals.refused(&who, &why);
        }
        Err(_) => {
            return shared.refusals.refused(&address.to_string(), "it did not say who it is");
        }
    };
    let observes = lane == Lane::Observer;
    let who = format!("{} {member}", if observes { "observer" } else { "member" });
    let (seat, contested) = Seat::take(&door, (member, lane), Instant::now());
    drop(stranger);
    if contested {
        shared.refusals.refused(&who, TWO_PROCESSES);
    }
    if let Some(link) = shared.links.get(&member) {
        link.peer_seen();
    }
    let ended = tokio::select! {
        () = seat.replaced.cancelled() => {
            tracing::debug!(%member, ?lane, "a newer connection replaced this one");
            return;
        }
        ended = hear(connection, member, lane, shared) => ended,
    };
    match ended {
        Some(error @ FrameError::TooLong { .. }) => {
            shared.refusals.refused(&who, &error.to_string());
        }
        Some(error) => tracing::debug!(%member, ?lane, "a connection ended: {error}"),
        None => {}
    }
}

async fn hear(
    connection: TlsStream<TcpStream>,
    from: MemberId,
    lane: Lane,
    shared: &Shared,
) -> Option<FrameError> {
    match lane {
        Lane::Normal | Lane::Bulk => listen(connection, from, lane, shared).await,
        Lane::Observer => outlet::serve(connection, from, shared).await,
    }
}

/// Somebody who was turned away; silently if there is nothing to be said.
struct Turned {
    who: Option<MemberId>,
    why: String,
}

impl Turned {
    const QUIETLY: Self = Self { who: None, why: String::new() };
}

type Guest = (TlsStream<TcpStream>, MemberId, Lane);

async fn greet(socket: TcpStream, shared: &Shared) -> Result<Guest, Turned> {
    let settings = &shared.settings;
    // What a stranger made fail is told by its kind only: its bytes do not choose what the log says.
    let nobody = |why: &str| Turned { who: None, why: why.to_owned() };
    tune(&socket).map_err(|_| Turned::QUIETLY)?;
    // Who knocks and goes says nothing wrong: observers look that way whether this member can be reached.
    if !matches!(socket.peek(&mut [0]).await, Ok(1)) {
        return Err(Turned::QUIETLY);
    }
    let acceptor = TlsAcceptor::from(Arc::clone(&settings.server_tls));
    let mut connection = acceptor.accept(socket).await.map_err(|_| {
        nobody("TLS failed: it shows no certificate of this cluster's CA, or speaks something else")
    })?;
    let chain = connection.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    let shown = (settings.identify)(&chain);
    let hello = read_frame(&mut connection, MAX_HELLO).await.map_err(|_| Turned {
        who: shown,
        why: "it closed before its hello was whole".to_owned(),
    })?;
    let (member, lane) = match admit(&hello, shown, &chain, shared) {
        Ok(admitted) => admitted,
        Err(mismatch) => {
            let why = mismatch.to_string();
            let answer = encode(&Answer::Refused(why.clone()));
            // It is told why if it listens; it is turned away either way.
            let _ = write_frame(&mut connection, &answer).await;
            let _ = connection.shutdown().await;
            return Err(Turned { who: shown, why });
        }
    };
    let welcome = Answer::Welcome(Hello::new(settings.cluster.clone(), settings.me, lane));
    write_frame(&mut connection, &encode(&welcome))
        .await
        .map_err(|_| Turned { who: shown, why: "it closed during the hello".to_owned() })?;
    Ok((connection, member, lane))
}

fn admit(
    hello: &[u8],
    shown: Option<MemberId>,
    chain: &[CertificateDer<'static>],
    shared: &Shared,
) -> Result<(MemberId, Lane), Mismatch> {
    let hello: Hello = decode(hello)?;
    if hello.lane == Lane::Observer {
        let shown = (shared.settings.observers)(chain).ok_or(Mismatch::NoObserver)?;
        hello.accept(&shared.settings.cluster, shown)?;
        return Ok((shown, hello.lane));
    }
    let shown = shown.ok_or(Mismatch::Stranger)?;
    if shown == shared.settings.me {
        return Err(Mismatch::Myself(shown));
    }
    hello.accept(&shared.settings.cluster, shown)?;
    if !shared.links.contains_key(&shown) {
        return Err(Mismatch::Stranger);
    }
    Ok((shown, hello.lane))
}

/// Hands on every frame; nothing when the receiver of frames is gone.
async fn listen(
    mut connection: TlsStream<TcpStream>,
    from: MemberId,
    lane: Lane,
    shared: &Shared,
) -> Option<FrameError> {
    let max = match lane {
        Lane::Normal | Lane::Observer => MAX_NORMAL_FRAME,
        Lane::Bulk => MAX_BULK_FRAME,
    };
    loop {
        let frame = match read_frame(&mut connection, max).await {
            Ok(frame) => frame,
            Err(error) => return Some(error),
        };
        if let Some(link) = shared.links.get(&from) {
            link.received(frame.len());
        }
        // Waiting here lets TCP slow the sender down, whose queue then loses its oldest frames.
        shared.incoming.send(Incoming::Frame { from, frame }).await.ok()?;
        if lane == Lane::Bulk {
            if let Err(error) = connection.write_u8(RECEIVED).await {
                return Some(error.into());
            }
            if let Err(error) = connection.flush().await {
                return Some(error.into());
            }
        }
    }
}
