//! Bounds of the admin port, each at its last value and one beyond.

use super::super::limits::{ADMIN_CONNECTIONS, ADMIN_HEADER_BYTES, ADMIN_PATIENCE};
use super::*;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n";

/// What comes back for these bytes until the connection ends, however it ends.
async fn said(mut stream: TcpStream, bytes: &str) -> String {
    let _ = stream.write_all(bytes.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = in_time(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn started() -> (World, SocketAddr) {
    let world = World::start([nobody().await, nobody().await]).await;
    let admin = world.gateway().admin_address().expect("an admin port");
    (world, admin)
}

#[tokio::test]
async fn so_many_admin_connections_are_served_and_one_more_is_closed() {
    let ask = format!("{HEALTH}\r\n");
    loop {
        let (_world, admin) = started().await;
        let connect = async || in_time(TcpStream::connect(admin)).await.expect("connects");
        let began = Instant::now();
        let mut held = Vec::new();
        for _ in 0..ADMIN_CONNECTIONS {
            held.push(connect().await);
        }
        let beyond = said(connect().await, &ask).await;
        let last = said(held.pop().expect("the last one"), &ask).await;
        // Who says nothing for that long gives its place back: on a machine so slow this shows nothing.
        if began.elapsed() >= ADMIN_PATIENCE {
            continue;
        }
        assert_eq!(beyond, "");
        assert!(last.starts_with("HTTP/1.1 200 "), "{last}");
        let mut answer = String::new();
        while answer.is_empty() {
            answer = said(connect().await, &ask).await;
        }
        assert!(answer.starts_with("HTTP/1.1 200 "), "there is room again: {answer}");
        return;
    }
}

#[tokio::test]
async fn an_admin_request_of_the_limit_is_answered_and_a_longer_one_is_not() {
    let (_world, admin) = started().await;
    let ask = async |text: &str| {
        let answer = said(in_time(TcpStream::connect(admin)).await.expect("connects"), text).await;
        answer.split(' ').nth(1).map(str::to_owned).unwrap_or_default()
    };
    let head = |bytes: usize| {
        let value = "y".repeat(bytes - HEALTH.len() - "x: \r\n\r\n".len());
        format!("{HEALTH}x: {value}\r\n\r\n")
    };
    assert_eq!(ask(&head(ADMIN_HEADER_BYTES)).await, "200");
    // So many bytes and no end: nothing more is waited for.
    assert_eq!(ask(&head(ADMIN_HEADER_BYTES + 1)[..ADMIN_HEADER_BYTES]).await, "431");
    // What the gateway leaves unread may take its answer away.
    let whole = ask(&head(ADMIN_HEADER_BYTES + 1)).await;
    assert!(["431", ""].contains(&whole.as_str()), "{whole}");
}
