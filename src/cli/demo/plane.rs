//! `biplane demo-plane`: one plane of the demo. Its services answer over HTTP, and can be made to fail.
//!
//! Orders come as lines on standard input: `good`, `error`, `blackhole`. Each is carried out and then echoed
//! on standard output. At the end of input the plane ends: whoever orders it is gone.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

use super::super::exit::{Exit, Failure};

/// Connections served at once, over all services.
const CONNECTIONS: usize = 1024;
/// The listen queue of a good plane.
const QUEUE: i32 = 1024;
/// A request's head must arrive within this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// A connect on loopback that takes longer than this goes unanswered.
const UNANSWERED: Duration = Duration::from_millis(100);
/// More connects than this cannot fit a queue of length zero.
const FILLERS: usize = 8;

/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct PlaneArgs {
    /// The plane's name, told in the header X-Plane
    #[arg(long)]
    name: String,
    /// A service and where it listens
    #[arg(long = "service", value_name = "NAME=IP:PORT", required = true, value_parser = service)]
    services: Vec<(String, SocketAddr)>,
}

fn service(text: &str) -> Result<(String, SocketAddr), String> {
    let (name, address) = text.split_once('=').ok_or("write NAME=IP:PORT")?;
    let address = address.parse().map_err(|_| format!("`{address}` is not IP:PORT"))?;
    Ok((name.to_owned(), address))
}

/// How the plane behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    Error,
    Blackhole,
}

impl Mood {
    fn read(line: &str) -> Option<Self> {
        match line {
            "good" => Some(Self::Good),
            "error" => Some(Self::Error),
            "blackhole" => Some(Self::Blackhole),
            _ => None,
        }
    }
}

/// Serves until standard input ends.
pub(in super::super) fn run(args: PlaneArgs) -> Result<Exit, Failure> {
    super::super::block_on(serve(args))?
}

async fn serve(args: PlaneArgs) -> Result<Exit, Failure> {
    let (mood, moods) = watch::channel(Mood::Good);
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut listeners = Vec::new();
    for (service, address) in args.services {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::failed(format!("cannot listen on {address}: {error}"), "free the address")
        })?;
        set_queue(&listener, QUEUE)?;
        let listener = Arc::new(listener);
        let voice = Arc::new(Voice { plane: args.name.clone(), service, mood: moods.clone() });
        tokio::spawn(accept(Arc::clone(&listener), voice, moods.clone(), Arc::clone(&slots)));
        listeners.push(listener);
    }
    echo("ready")?;
    let mut orders = orders();
    let mut fillers = Vec::new();
    while let Some(line) = orders.recv().await {
        let Some(next) = Mood::read(line.trim()) else {
            return Err(Failure::usage(
                format!("unknown order `{line}`"),
                "good, error or blackhole",
            ));
        };
        mood.send_replace(next);
        fillers.clear();
        let queue = if next == Mood::Blackhole { 0 } else { QUEUE };
        for listener in &listeners {
            set_queue(listener, queue)?;
        }
        if next == Mood::Blackhole {
            fillers = try_join_all(listeners.iter().map(|listener| fill(listener))).await?;
        }
        echo(line.trim())?;
    }
    Ok(Exit::Done)
}

/// Lines of standard input. Their reader cannot be cancelled, so it has a thread of its own.
fn orders() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A listening socket takes a new length of its queue (`inet_listen` in Linux; nothing is dropped).
fn set_queue(listener: &TcpListener, length: i32) -> Result<(), Failure> {
    rustix::net::listen(listener, length)
        .map_err(|error| Failure::failed(format!("cannot set the listen queue: {error}"), ""))
}

/// Fills the queue: with one connection waiting in a queue of length zero, connects go unanswered.
async fn fill(listener: &TcpListener) -> Result<Vec<TcpStream>, Failure> {
    let wrong = |why: String| Failure::failed(format!("the listen queue does not fill: {why}"), "");
    let address = listener.local_addr().map_err(|error| wrong(error.to_string()))?;
    let mut waiting = Vec::new();
    for _ in 0..FILLERS {
        match tokio::time::timeout(UNANSWERED, TcpStream::connect(address)).await {
            Err(_) => return Ok(waiting),
            Ok(Ok(stream)) => waiting.push(stream),
            Ok(Err(error)) => return Err(wrong(error.to_string())),
        }
    }
    Err(wrong(format!("{FILLERS} connections were taken")))
}

fn echo(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::failed(format!("nobody listens: {error}"), ""))
}

/// What a service says.
struct Voice {
    plane: String,
    service: String,
    mood: watch::Receiver<Mood>,
}

async fn accept(
    listener: Arc<TcpListener>,
    voice: Arc<Voice>,
    mut moods: watch::Receiver<Mood>,
    slots: Arc<Semaphore>,
) {
    loop {
        if *moods.borrow_and_update() == Mood::Blackhole {
            if moods.changed().await.is_err() {
                return;
            }
            continue;
        }
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let accepted = tokio::select! {
            biased;
            changed = moods.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            accepted = listener.accept() => accepted,
        };
        // Out of file descriptors, or the client is gone already.
        let Ok((stream, _)) = accepted else { continue };
        let voice = Arc::clone(&voice);
        tokio::spawn(async move {
            let answer = service_fn(move |_: Request<hyper::body::Incoming>| {
                std::future::ready(Ok::<_, Infallible>(voice.answer()))
            });
            // A client that breaks off is its own affair.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            drop(slot);
        });
    }
}

impl Voice {
    fn answer(&self) -> Response<Full<Bytes>> {
        let Self { plane, service, mood } = self;
        let broken = *mood.borrow() == Mood::Error;
        let said = if broken { "is out of order" } else { "is well" };
        let body = Bytes::from(format!("{service} at {plane} {said}\n"));
        let mut response = Response::new(Full::new(body));
        if broken {
            *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        }
        for (name, value) in [("x-plane", plane), ("x-service", service)] {
            if let Ok(value) = hyper::header::HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_name_and_an_address() {
        assert_eq!(
            service("web=127.0.0.1:80"),
            Ok(("web".to_owned(), ([127, 0, 0, 1], 80).into()))
        );
        assert!(service("web").is_err());
        assert!(service("web=here:80").is_err());
    }

    #[test]
    fn a_filled_queue_leaves_connects_unanswered_until_it_is_long_again() {
        let done: Result<(), Failure> = super::super::super::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            set_queue(&listener, 0)?;
            let fillers = fill(&listener).await?;
            assert!(!fillers.is_empty());
            let connect = tokio::time::timeout(UNANSWERED, TcpStream::connect(address)).await;
            assert!(connect.is_err(), "a connect was answered");
            set_queue(&listener, QUEUE)?;
            listener.accept().await.unwrap();
            TcpStream::connect(address).await.unwrap();
            Ok(())
        })
        .unwrap();
        done.unwrap();
    }
}
