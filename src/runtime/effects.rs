//! Carries out the effects that the kernel orders, each under its timeout, each answered by one receipt.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};

use super::inbox::Inbox;
use super::limits::{EFFECT_ORDERS, EFFECTS_AT_ONCE, FRONT_DOOR_ANSWER};
use crate::edge::notify::{Notifier, Told};
use crate::edge::telemetry::names::QUEUE_DROPPED;
use crate::kernel::controller::{Effect, EffectOrder, Receipt, ReceiptOutcome};
use crate::kernel::domain::Endpoint;
use crate::kernel::zone::EpochRecord;

/// Asks a DNS server for the epoch record of a name, within a time. Errors are for people.
pub type AskDns = Arc<
    dyn Fn(SocketAddr, String, Duration) -> BoxFuture<'static, Result<EpochRecord, String>>
        + Send
        + Sync,
>;

/// Where the kernel's thread puts orders. Never waits.
#[derive(Clone, Debug)]
pub struct Effects {
    orders: mpsc::Sender<(Instant, EffectOrder)>,
    inbox: Inbox,
}

impl Effects {
    /// Starts to carry out orders on `handle`'s runtime, until every copy of this is dropped.
    pub fn start(handle: &Handle, inbox: Inbox, ask_dns: AskDns, notifier: Notifier) -> Self {
        let (orders, queue) = mpsc::channel(EFFECT_ORDERS);
        handle.spawn(perform_all(queue, inbox.clone(), (ask_dns, notifier)));
        Self { orders, inbox }
    }

    /// Takes an order; its time runs from now. One that has no room is answered at once.
    pub fn perform(&self, order: EffectOrder) {
        let deadline = Instant::now() + order.timeout;
        let id = order.id;
        if self.orders.try_send((deadline, order)).is_err() {
            metrics::counter!(QUEUE_DROPPED, "queue" => "effects").increment(1);
            let outcome = Err("this node has too many effects under way".to_owned());
            self.inbox.not_performed(Receipt { id, outcome });
        }
    }
}

async fn perform_all(
    mut queue: mpsc::Receiver<(Instant, EffectOrder)>,
    inbox: Inbox,
    (ask_dns, notifier): (AskDns, Notifier),
) {
    let places = Arc::new(Semaphore::new(EFFECTS_AT_ONCE));
    while let Some((deadline, order)) = queue.recv().await {
        let place = Arc::clone(&places).acquire_owned().await;
        let (inbox, ask_dns) = (inbox.clone(), Arc::clone(&ask_dns));
        let notifier = notifier.clone();
        tokio::spawn(async move {
            let EffectOrder { id, effect, timeout } = order;
            let performed = perform(effect, timeout, &ask_dns, &notifier);
            let outcome = match timeout_at(deadline, performed).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("timed out after {} ms", timeout.as_millis())),
            };
            drop(place);
            inbox.receipt(Receipt { id, outcome }).await;
        });
    }
}

async fn perform(
    effect: Effect,
    timeout: Duration,
    ask_dns: &AskDns,
    notifier: &Notifier,
) -> Result<ReceiptOutcome, String> {
    match effect {
        Effect::AskDns { server, name, .. } => {
            ask_dns(server, name, timeout).await.map(ReceiptOutcome::Dns)
        }
        Effect::Notify { target, settings, id, body } => {
            let told = Told { target, kind: settings.kind, id, body };
            notifier.tell(told).await.map(|()| ReceiptOutcome::Told)
        }
        Effect::KnockFrontDoor { endpoint } => {
            knock(&endpoint).await.map(|()| ReceiptOutcome::FrontDoor)
        }
    }
}

/// A connection alone says little: a gateway takes it before it knows whether a plane will. So something is said
/// (an HTTP request, which most protocols at least answer with a complaint), and any answer will do, except an HTTP
/// status of 500 or more, with which a proxy says that nobody is behind it.
async fn knock(endpoint: &Endpoint) -> Result<(), String> {
    let mut door = TcpStream::connect((endpoint.host.as_str(), endpoint.port))
        .await
        .map_err(|error| format!("no connection to {endpoint}: {error}"))?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {endpoint}\r\nUser-Agent: biplane-verify\r\nConnection: close\r\n\r\n"
    );
    let broken = |error| format!("the connection to {endpoint} broke: {error}");
    door.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut answer = Vec::new();
    let mut door = door.take(FRONT_DOOR_ANSWER as u64);
    // The first line is all that is looked at, and it may come in pieces.
    while !answer.contains(&b'\n') {
        let read = door.read_buf(&mut answer).await.map_err(broken)?;
        if read == 0 || !b"HTTP/1.".starts_with(&answer[..answer.len().min(7)]) {
            break;
        }
    }
    judge(endpoint, &answer)
}

fn judge(endpoint: &Endpoint, answer: &[u8]) -> Result<(), String> {
    if answer.is_empty() {
        return Err(format!("{endpoint} closed the connection without an answer"));
    }
    let status = answer
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse::<u16>().ok());
    match status {
        Some(status) if status >= 500 => Err(format!("{endpoint} answers with status {status}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::super::inbox::Taken;
    use super::*;
    use crate::kernel::controller::{EffectId, Input};
    use crate::kernel::domain::{Epoch, GroupName, MemberId, PlaneName};

    const PATIENCE: Duration = Duration::from_secs(20);

    fn record() -> EpochRecord {
        EpochRecord {
            group: GroupName::new("shop").unwrap(),
            plane: PlaneName::new("west").unwrap(),
            epoch: Epoch { generation: 1, counter: 7 },
        }
    }

    fn dns() -> Effect {
        let server = (Ipv4Addr::LOCALHOST, 53).into();
        Effect::AskDns { member: MemberId(1), server, name: "shop.test".to_owned() }
    }

    async fn outcome_of(
        effect: Effect,
        timeout: Duration,
        ask_dns: AskDns,
    ) -> Result<ReceiptOutcome, String> {
        let inbox = Inbox::new();
        let effects =
            Effects::start(&Handle::current(), inbox.clone(), ask_dns, Notifier::default());
        effects.perform(EffectOrder { id: EffectId(4), effect, timeout });
        let taken = tokio::task::spawn_blocking(move || inbox.take(PATIENCE)).await.unwrap();
        let Taken::Input(Input::Receipt(receipt)) = taken else { panic!("no receipt: {taken:?}") };
        assert_eq!(receipt.id, EffectId(4));
        receipt.outcome
    }

    fn answers() -> AskDns {
        Arc::new(|_, _, _| Box::pin(async { Ok(record()) }))
    }

    #[tokio::test]
    async fn a_dns_answer_becomes_a_receipt() {
        let outcome = outcome_of(dns(), PATIENCE, answers()).await;
        assert_eq!(outcome, Ok(ReceiptOutcome::Dns(record())));
    }

    /// Nothing is taken from the queue meanwhile: this test never gives its only thread away.
    #[tokio::test]
    async fn orders_beyond_the_bound_are_answered_at_once() {
        let inbox = Inbox::new();
        let effects =
            Effects::start(&Handle::current(), inbox.clone(), answers(), Notifier::default());
        let order = |id| EffectOrder { id: EffectId(id), effect: dns(), timeout: PATIENCE };
        (0..EFFECT_ORDERS as u64).for_each(|id| effects.perform(order(id)));
        assert_eq!(inbox.take(Duration::ZERO), Taken::Nothing, "all have a place");
        effects.perform(order(7_000_000));
        let taken = inbox.take(Duration::ZERO);
        let Taken::Input(Input::Receipt(receipt)) = taken else { panic!("no receipt: {taken:?}") };
        assert_eq!(receipt.id, EffectId(7_000_000));
        assert!(receipt.outcome.unwrap_err().contains("too many effects"));
    }

    /// Lets everything else run until nothing has more to do: there is one thread.
    async fn settle() {
        for _ in 0..10 * EFFECTS_AT_ONCE {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn so_many_effects_are_under_way_and_one_more_waits_for_a_place() {
        let (inbox, asked) = (Inbox::new(), Arc::new(Semaphore::new(0)));
        let (started, answered) = (Arc::clone(&asked), Arc::new(Semaphore::new(0)));
        let answer = Arc::clone(&answered);
        let waits: AskDns = Arc::new(move |_, _, _| {
            let answer = Arc::clone(&answer);
            started.add_permits(1);
            Box::pin(async move {
                answer.acquire_owned().await.expect("never closed").forget();
                Ok(record())
            })
        });
        let effects = Effects::start(&Handle::current(), inbox, waits, Notifier::default());
        for id in 0..=EFFECTS_AT_ONCE as u64 {
            effects.perform(EffectOrder { id: EffectId(id), effect: dns(), timeout: PATIENCE });
        }
        settle().await;
        assert_eq!(asked.available_permits(), EFFECTS_AT_ONCE);
        answered.add_permits(1);
        settle().await;
        assert_eq!(asked.available_permits(), EFFECTS_AT_ONCE + 1);
    }

    #[tokio::test]
    async fn an_effect_that_hangs_is_answered_at_its_timeout() {
        let hangs: AskDns = Arc::new(|_, _, _| Box::pin(std::future::pending()));
        let outcome = outcome_of(dns(), Duration::from_millis(10), hangs).await;
        assert_eq!(outcome, Err("timed out after 10 ms".to_owned()));
    }

    /// A front door that says this to whoever connects.
    async fn door(says: &'static str) -> Result<ReceiptOutcome, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 16];
            socket.read_exact(&mut request).await.unwrap();
            socket.write_all(says.as_bytes()).await.unwrap();
        });
        let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port };
        outcome_of(Effect::KnockFrontDoor { endpoint }, PATIENCE, answers()).await
    }

    #[tokio::test]
    async fn a_front_door_is_open_when_anything_but_a_proxys_complaint_answers() {
        for says in
            ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 404 Not Found\r\n\r\n", "-ERR unknown command"]
        {
            assert_eq!(door(says).await, Ok(ReceiptOutcome::FrontDoor), "{says}");
        }
        for says in ["", "HTTP/1.1 502 Bad Gateway\r\n\r\n"] {
            assert!(door(says).await.is_err(), "{says}");
        }
    }

    /// Says so many bytes of one line, and holds the connection open: whether that is taken for an answer.
    async fn endless(bytes: usize) -> bool {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port };
        let doorkeeper = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut says = b"HTTP/1.1 200 ".to_vec();
            says.resize(bytes, b'x');
            socket.write_all(&says).await.unwrap();
            std::future::pending::<()>().await;
        };
        let patience = if bytes < FRONT_DOOR_ANSWER { PATIENCE / 100 } else { PATIENCE };
        tokio::select! {
            () = doorkeeper => unreachable!("it waits for ever"),
            outcome = tokio::time::timeout(patience, knock(&endpoint)) => outcome == Ok(Ok(())),
        }
    }

    #[tokio::test]
    async fn of_an_endless_line_so_many_bytes_are_read_and_then_it_is_judged() {
        assert!(!endless(FRONT_DOOR_ANSWER - 1).await, "the line may still end");
        assert!(endless(FRONT_DOOR_ANSWER).await);
        assert!(endless(FRONT_DOOR_ANSWER + 1).await);
    }

    #[tokio::test]
    async fn nobody_at_the_door_is_said_in_words() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port };
        let outcome = outcome_of(Effect::KnockFrontDoor { endpoint }, PATIENCE, answers()).await;
        assert!(outcome.unwrap_err().contains("no connection"));
    }
}
