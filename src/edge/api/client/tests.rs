//! Bounds of answers, each at its last value and one beyond.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::limits::ANSWER_BYTES;
use super::connection::HEADER_BYTES;
use super::{ApiClient, ApiError, ClientTimes};

/// A controller that answers one request with this head and a body of so many bytes, and then keeps silent.
async fn answering(head: impl Into<Vec<u8>>, mut body: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let head = head.into();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.unwrap());
        }
        let piece = [b'x'; 64 * 1024];
        let mut sent = stream.write_all(&head).await;
        while body > 0 && sent.is_ok() {
            let next = body.min(piece.len());
            sent = stream.write_all(&piece[..next]).await;
            body -= next;
        }
        // Until the client hangs up.
        let _ = stream.read(&mut [0]).await;
    });
    address
}

/// What a client gets that is in no hurry.
async fn got(controller: SocketAddr) -> Result<String, ApiError> {
    let times = ClientTimes { answer: Duration::from_secs(20), ..ClientTimes::default() };
    let client = ApiClient::new(vec![controller], None, String::new()).with_times(times);
    client.get_text("/metrics").await
}

#[tokio::test]
async fn an_answer_of_the_limit_is_taken_and_a_longer_one_is_not() {
    let announced = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let whole = got(answering(announced(ANSWER_BYTES), ANSWER_BYTES).await).await.unwrap();
    assert_eq!(whole.len(), ANSWER_BYTES);
    // One that says how long it is is refused before it comes; another one when it is too long.
    let silent = "HTTP/1.1 200 OK\r\n\r\n".to_owned();
    for (head, body) in [(announced(ANSWER_BYTES + 1), 0), (silent, ANSWER_BYTES + 1)] {
        let refused = got(answering(head, body).await).await;
        let Err(ApiError::BadAnswer { why, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(why, "it is longer than 63963136 bytes");
    }
}

#[tokio::test]
async fn a_head_of_the_limit_is_taken_and_one_byte_more_is_refused() {
    let front = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx: ";
    let value = "y".repeat(HEADER_BYTES - front.len() - "\r\n\r\n".len());
    let whole = format!("{front}{value}\r\n\r\n");
    assert_eq!(got(answering(whole, 3).await).await.unwrap(), "xxx");
    // One byte too many; half as many again; and so many without an end.
    let half = "y".repeat(HEADER_BYTES / 2);
    for longer in [
        format!("{front}{value}y\r\n\r\n"),
        format!("{front}{value}{half}\r\n\r\n"),
        format!("{front}{value}yyyy"),
    ] {
        let refused = got(answering(longer, 3).await).await;
        let why = refused.expect_err("too long").to_string();
        assert!(why.contains("message head is too large"), "{why}");
    }
}
