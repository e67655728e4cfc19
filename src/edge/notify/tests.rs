//! Webhooks and programs: real sockets, real processes.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const SECRET: &[u8] = b"sixteen bytes or more";

fn name() -> NotifyName {
    NotifyName::new("pager").unwrap()
}

fn told(kind: NotifyKind) -> Told {
    let id = Some(EventId { index: 12, nth: 1 });
    Told { target: name(), kind, id, body: r#"{"phase":"raised"}"#.to_owned() }
}

fn notifier(local: Local) -> Notifier {
    Notifier::new([(name(), local)].into())
}

fn hook() -> Notifier {
    notifier(Local { secret: Some(SECRET.to_vec()), ..Local::default() })
}

/// Answers one request with these bytes; gives what was asked.
async fn receiver(answer: &'static [u8]) -> (NotifyKind, tokio::task::JoinHandle<String>) {
    receiver_that(false, answer).await
}

/// The same; one that stays waits until who asked hangs up.
async fn receiver_that(
    stays: bool,
    answer: impl Into<Vec<u8>>,
) -> (NotifyKind, tokio::task::JoinHandle<String>) {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !String::from_utf8_lossy(&asked).contains(r#""raised"}"#) {
            let mut bytes = [0; 4096];
            match stream.read(&mut bytes).await.unwrap() {
                0 => break,
                read => asked.extend_from_slice(&bytes[..read]),
            }
        }
        stream.write_all(&answer).await.unwrap();
        if stays {
            let _ = stream.read(&mut [0]).await;
        }
        String::from_utf8(asked).unwrap()
    });
    (NotifyKind::Webhook { url }, task)
}

#[tokio::test]
async fn a_webhook_gets_a_body_whose_signature_can_be_checked() {
    let (kind, asked) = receiver(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    hook().tell(told(kind)).await.expect("a receipt");
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{asked}");
    let field = |name: &str| {
        let line = asked.lines().find(|line| line.to_lowercase().starts_with(name));
        line.and_then(|line| Some(line.split_once(": ")?.1.to_owned())).expect("a field")
    };
    assert_eq!(field("biplane-notice"), "e12-1");
    let signature = field("biplane-signature");
    let seconds: u64 = signature[2..].split_once(',').unwrap().0.parse().unwrap();
    let body = asked.rsplit_once("\r\n\r\n").unwrap().1.as_bytes();
    assert_eq!(signature, super::signature(SECRET, seconds, body));
    assert_ne!(signature, super::signature(b"another secret!!", seconds, body));
    assert_ne!(signature, super::signature(SECRET, seconds + 1, body));
}

/// RFC 4231, test case 2, with the time as the first of the text.
#[test]
fn the_signature_is_hmac_sha_256() {
    let known = "t=0,v1=";
    assert!(signature(b"Jefe", 0, b"what do ya want for nothing?").starts_with(known));
    use hmac::Mac as _;
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"Jefe").unwrap();
    mac.update(b"0.what do ya want for nothing?");
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(signature(b"Jefe", 0, b"what do ya want for nothing?"), format!("t=0,v1={hex}"));
}

#[tokio::test]
async fn anything_but_success_is_no_receipt() {
    for answer in [
        &b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"[..],
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n",
        b"no http at all\r\n\r\n",
        b"",
    ] {
        let (kind, asked) = receiver(answer).await;
        let why = hook().tell(told(kind)).await.expect_err("no receipt");
        assert!(!why.is_empty() && why.len() <= limits::WHY_CHARS, "{why}");
        asked.await.unwrap();
    }
    let kind = NotifyKind::Webhook { url: "http://127.0.0.1:1/".to_owned() };
    let why = hook().tell(told(kind)).await.expect_err("nobody listens");
    assert!(why.starts_with("no connection to 127.0.0.1:1"), "{why}");
}

#[tokio::test]
async fn a_head_without_end_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let flood = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut sent = 0;
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        while stream.write_all(b"x-more: and more and more and more\r\n").await.is_ok() {
            sent += 1;
        }
        sent
    });
    let kind = NotifyKind::Webhook { url };
    let told = tokio::time::timeout(Duration::from_secs(20), hook().tell(told(kind))).await;
    told.expect("it ends").expect_err("no receipt");
    assert!(flood.await.unwrap() > 0);
}

/// What comes of an answer whose sender does not hang up.
async fn told_by(answer: String) -> Result<(), String> {
    let (kind, _asked) = receiver_that(true, answer).await;
    let told = tokio::time::timeout(Duration::from_secs(20), hook().tell(told(kind))).await;
    told.expect("it ends")
}

#[tokio::test]
async fn a_head_of_the_limit_is_a_receipt_and_a_longer_one_is_none() {
    let front = "HTTP/1.1 204 No Content\r\n";
    let value = "y".repeat(limits::HEAD_BYTES - front.len() - "x: \r\n\r\n".len());
    told_by(format!("{front}x: {value}\r\n\r\n")).await.expect("a receipt");
    let fields = |count: usize| format!("{front}{}\r\n", "x: y\r\n".repeat(count));
    told_by(fields(limits::HEAD_FIELDS)).await.expect("a receipt");
    // So many bytes without an end, and a field more.
    for beyond in [format!("{front}x: {value}yyyy"), fields(limits::HEAD_FIELDS + 1)] {
        let why = told_by(beyond).await.expect_err("no receipt");
        assert!(why.contains("message head is too large"), "{why}");
    }
}

#[tokio::test]
async fn an_error_has_so_many_characters_and_no_more() {
    let why = async |length: usize| {
        let program = vec![format!("/{}", "x".repeat(length - 1))];
        let notifier = notifier(Local { program, ..Local::default() });
        notifier.tell(told(NotifyKind::Program {})).await.expect_err("there is no such program")
    };
    let words = why(10).await.chars().count() - 10;
    let whole = why(limits::WHY_CHARS - words).await;
    assert_eq!(whole.chars().count(), limits::WHY_CHARS);
    assert!(whole.ends_with("(os error 2)"), "{whole}");
    let cut = why(limits::WHY_CHARS - words + 1).await;
    assert_eq!(cut.chars().count(), limits::WHY_CHARS);
    assert!(cut.ends_with("(os error 2"), "{cut}");
}

#[tokio::test]
async fn what_this_node_lacks_is_said_with_the_place_where_to_write_it() {
    let kind = NotifyKind::Webhook { url: "http://127.0.0.1:1/".to_owned() };
    let none = Notifier::default();
    let why = none.tell(told(kind)).await.expect_err("no secret");
    assert!(why.contains("[notify.pager] secret"), "{why}");
    let why = none.tell(told(NotifyKind::Program {})).await.expect_err("no program");
    assert!(why.contains("[notify.pager] program"), "{why}");
}

fn program(script: &str) -> Notifier {
    let program = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    notifier(Local { program, ..Local::default() })
}

#[tokio::test]
async fn a_program_reads_what_it_is_told_and_its_exit_is_the_receipt() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("told");
    let script =
        format!("cat > {0}; echo $BIPLANE_NOTICE $BIPLANE_NOTIFY $HOME >> {0}", file.display());
    program(&script).tell(told(NotifyKind::Program {})).await.expect("a receipt");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, "{\"phase\":\"raised\"}\ne12-1 pager\n");
    let why = program("exit 3").tell(told(NotifyKind::Program {})).await.expect_err("a failure");
    assert!(why.contains("exit status: 3"), "{why}");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", file.display());
    let notifier = program(&script);
    let attempt = tokio::spawn(async move { notifier.tell(told(NotifyKind::Program {})).await });
    let pid = loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        match text.trim().parse::<i32>() {
            Ok(pid) => break pid,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    attempt.abort();
    let alive =
        || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "));
    let began = std::time::Instant::now();
    while alive() && began.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!alive(), "what it started lives on");
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}", file.display());
    program(&script).tell(told(NotifyKind::Program {})).await.expect("a receipt");
    let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    let alive =
        || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "));
    let began = std::time::Instant::now();
    while alive() && began.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!alive(), "what it started lives on");
}

#[test]
fn addresses_of_webhooks_are_read_or_refused() {
    let read = |text: &str| Address::parse(text);
    let address = read("https://pager.example:8443/a?b=c").unwrap();
    assert_eq!((address.tls, address.port, address.path.as_str()), (true, 8443, "/a?b=c"));
    assert_eq!(read("http://[2001:db8::1]/").unwrap().host, "2001:db8::1");
    assert_eq!(read("http://host").unwrap().port, 80);
    for wrong in ["", "pager", "ftp://a/", "https://", "https://u:p@host/", "http:///x"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
