//! The longest frames, and the queue of bulk frames: each bound at its last value and one beyond.

use super::super::link::{BulkWork, Link};
use super::*;

fn link() -> Link {
    let address = (Ipv4Addr::LOCALHOST, 1).into();
    Link::new(MemberId(2), Peer { address, server_name: name_of(2) }, Lane::Normal)
}

/// Lengths of the next bulk frames to deliver; none for one that had no room.
async fn work(link: &Link, count: usize) -> Vec<Option<usize>> {
    let mut lengths = Vec::new();
    for _ in 0..count {
        let next = timeout(PATIENCE, link.next_bulk()).await.expect("each frame is answered");
        lengths.push(match next {
            BulkWork::Frame(frame) => Some(frame.len()),
            BulkWork::Rejected => None,
        });
    }
    lengths
}

#[tokio::test]
async fn a_bulk_frame_of_the_limit_is_sent_and_one_byte_more_is_not() {
    // Nobody touches these zeros, so they take no memory.
    let zeros = Bytes::from(vec![0; MAX_BULK_FRAME + 1]);
    let link = link();
    link.send_bulk(zeros.slice(..MAX_BULK_FRAME));
    link.send_bulk(zeros);
    assert_eq!(work(&link, 2).await, [Some(MAX_BULK_FRAME), None]);
}

#[tokio::test]
async fn so_many_bulk_frames_wait_and_one_more_is_told_as_not_delivered() {
    let link = link();
    for _ in 0..=BULK_QUEUE_FRAMES {
        link.send_bulk(Bytes::from_static(b"snapshot"));
    }
    let mut due = vec![Some(8); BULK_QUEUE_FRAMES];
    due.push(None);
    assert_eq!(work(&link, BULK_QUEUE_FRAMES + 1).await, due);
}

#[tokio::test]
async fn a_bulk_frame_of_the_limit_may_be_announced_and_one_byte_more_ends_the_connection() {
    let ca = Ca::new();
    let (listener, address) = listen().await;
    let (closed, nowhere) = listen().await;
    drop(closed);
    let peers = [(MemberId(1), address), (MemberId(2), nowhere)].into();
    let node = Node::start(listener, settings(&ca, 1, &name_of(1), &peers));
    let hello = Hello::new("demo".to_owned(), MemberId(2), Lane::Bulk);
    for length in [MAX_BULK_FRAME, MAX_BULK_FRAME + 1] {
        let mut rogue = rogue(&ca, &peers).await;
        write_frame(&mut rogue, &encode(&hello)).await.unwrap();
        rogue.write_all(&u32::try_from(length).unwrap().to_be_bytes()).await.unwrap();
        rogue.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, rogue.read_to_end(&mut answer)).await.expect("closed");
    }
    let refusals = &node.transport.shared.refusals;
    let announced = || -> Vec<String> {
        refusals.reasons().into_iter().filter(|why| why.contains("announced")).collect()
    };
    until("the refusal", || !announced().is_empty()).await;
    let due = "a frame of 268435457 bytes was announced, at most 268435456 are allowed";
    assert!(announced().len() == 1 && announced()[0].contains(due), "{:?}", announced());
}

#[tokio::test]
async fn an_observers_frame_of_the_limit_is_taken_and_one_byte_more_is_neither_sent_nor_taken() {
    let (mut node, visits, _told) = visited("probe-1", Arc::new(AtomicBool::new(true))).await;
    let longest = Bytes::from(vec![7; MAX_OBSERVER_FRAME]);
    // Until it is connected, what it says is lost.
    let heard = loop {
        visits.send(MemberId(1), longest.clone());
        if let Ok(Some(heard)) = timeout(Duration::from_millis(200), node.incoming.recv()).await {
            break heard;
        }
    };
    assert!(heard == Incoming::Frame { from: MemberId(101), frame: longest });
    // A longer one would end the connection: it is not sent, which is said once, and what follows it arrives.
    let refusals = &node.transport.shared.refusals;
    let longer = Bytes::from(vec![7; MAX_OBSERVER_FRAME + 1]);
    let lost = || visits.shared.links[&MemberId(1)].state().dropped_frames;
    let before = lost();
    visits.send(MemberId(1), longer.clone());
    visits.send(MemberId(1), Bytes::from_static(b"next"));
    let next = timeout(PATIENCE, node.incoming.recv()).await.expect("in time");
    let frame = Bytes::from_static(b"next");
    assert!(next == Some(Incoming::Frame { from: MemberId(101), frame }));
    assert_eq!(lost() - before, 1);
    assert_eq!(refusals.reasons(), Vec::<String>::new());
    // Somebody who sends it all the same is refused.
    let rogue =
        Link::new(MemberId(1), visits.shared.settings.peers[&MemberId(1)].clone(), Lane::Normal);
    visits.stop().await;
    let connection = dial::connect(&rogue, Lane::Observer, &visits.shared).await;
    let mut connection = connection.expect("the observer is known");
    write_frame(&mut connection, &longer).await.unwrap_or_default();
    let due = "a frame of 4194305 bytes was announced, at most 4194304 are allowed";
    until("the refusal", || refusals.reasons().iter().any(|why| why.contains(due))).await;
}
