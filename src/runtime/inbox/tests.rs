//! What the queue keeps, joins and drops.

use std::time::Instant;

use bytes::Bytes;

use super::*;
use crate::kernel::controller::{Action, EffectId, RequestId};
use crate::kernel::domain::{Incarnation, MemberId, Moment, PlaneName, ProbeId, ServiceName};

const PATIENCE: Duration = Duration::from_secs(20);

fn frame(bytes: usize) -> Input {
    Input::Peer { from: MemberId(2), frame: Bytes::from(vec![0; bytes]) }
}

fn request(id: u64) -> ClientRequest {
    ClientRequest { id: RequestId(id), principal: "ann".to_owned(), action: Action::Read }
}

fn hint(route: &str) -> DataPlaneHint {
    DataPlaneHint {
        gateway: GatewayName::new("g").unwrap(),
        route: ServiceName::new(route).unwrap(),
        plane: PlaneName::new("east").unwrap(),
    }
}

fn result(id: u64) -> ProbeResult {
    let (began, timings) = (Moment::ZERO, Default::default());
    ProbeResult { id: ProbeId(id), began, outcome: Ok(()), timings }
}

fn take(inbox: &Inbox) -> Input {
    match inbox.take(Duration::ZERO) {
        Taken::Input(input) => input,
        other => panic!("no input: {other:?}"),
    }
}

#[tokio::test]
async fn the_wall_clock_comes_first_and_receipts_of_the_disk_are_one() {
    let inbox = Inbox::new();
    inbox.peer(frame(1)).await;
    inbox.persisted(1);
    inbox.persisted(3);
    inbox.persisted(2);
    inbox.stopping();
    inbox.wall_clock(WallTime(1));
    inbox.wall_clock(WallTime(2));
    assert_eq!(take(&inbox), Input::WallClock(WallTime(2)));
    assert_eq!(take(&inbox), Input::Persisted { number: 3 });
    assert_eq!(take(&inbox), Input::Stopping);
    assert_eq!(take(&inbox), frame(1));
    assert_eq!(inbox.take(Duration::ZERO), Taken::Nothing);
}

#[tokio::test]
async fn a_flood_in_one_lane_does_not_starve_the_others() {
    let inbox = Inbox::new();
    for _ in 0..100 {
        inbox.peer(frame(1)).await;
    }
    inbox.probed(result(1)).await;
    assert!(inbox.request(request(1)));
    let first: Vec<Input> = (0..3).map(|_| take(&inbox)).collect();
    assert!(first.contains(&Input::Probed(result(1))), "{first:?}");
    assert!(first.contains(&Input::Request(request(1))), "{first:?}");
}

#[tokio::test]
async fn a_full_lane_of_frames_makes_its_source_wait_until_there_is_room() {
    let inbox = Inbox::new();
    for _ in 0..PEER_INPUTS {
        inbox.peer(frame(1)).await;
    }
    let source = tokio::spawn({
        let inbox = inbox.clone();
        async move { inbox.peer(frame(2)).await }
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!source.is_finished(), "it must wait");
    take(&inbox);
    tokio::time::timeout(PATIENCE, source).await.expect("room was told").unwrap();
}

#[tokio::test]
async fn frames_are_bounded_by_bytes_too_but_a_single_long_one_passes() {
    let inbox = Inbox::new();
    inbox.peer(frame(PEER_BYTES + 1)).await;
    let source = tokio::spawn({
        let inbox = inbox.clone();
        async move { inbox.peer(frame(1)).await }
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!source.is_finished(), "it must wait");
    take(&inbox);
    tokio::time::timeout(PATIENCE, source).await.expect("room was told").unwrap();
    assert_eq!(take(&inbox), frame(1));
}

#[test]
fn requests_hints_and_gateways_are_refused_when_there_are_too_many() {
    let inbox = Inbox::new();
    let requests = (0..2 * REQUEST_INPUTS as u64).filter(|id| inbox.request(request(*id))).count();
    assert_eq!(requests, REQUEST_INPUTS);
    let hints = (0..2 * HINT_INPUTS).filter(|i| inbox.hint(hint(&format!("r{i}")))).count();
    assert_eq!(hints, HINT_INPUTS);
    let report = |i: usize| GatewayReport {
        gateway: GatewayName::new(&format!("g{i}")).unwrap(),
        incarnation: Incarnation(1),
        groups: BTreeMap::new(),
        connections_failed: 0,
    };
    let reports = (0..2 * GATEWAY_INPUTS).filter(|i| inbox.gateway(report(*i))).count();
    assert_eq!(reports, GATEWAY_INPUTS);
    assert!(inbox.gateway(report(0)), "one that waits already is replaced");
}

#[test]
fn the_same_hint_waits_once() {
    let inbox = Inbox::new();
    assert!(inbox.hint(hint("shop")) && inbox.hint(hint("shop")));
    assert_eq!(take(&inbox), Input::Hint(hint("shop")));
    assert_eq!(inbox.take(Duration::ZERO), Taken::Nothing);
}

#[test]
fn an_input_ends_the_wait_and_so_does_the_close() {
    let inbox = Inbox::new();
    let other = inbox.clone();
    let start = Instant::now();
    let waiter = std::thread::spawn(move || (other.take(PATIENCE), other.take(PATIENCE)));
    inbox.persisted(7);
    while !inbox.lock().is_empty() {
        std::thread::yield_now();
    }
    inbox.close();
    let (first, second) = waiter.join().unwrap();
    assert_eq!(first, Taken::Input(Input::Persisted { number: 7 }));
    assert_eq!(second, Taken::Closed);
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn a_wait_without_inputs_ends_by_itself() {
    assert_eq!(Inbox::new().take(Duration::from_millis(5)), Taken::Nothing);
}

/// Whether a source is still waiting after it had its turn, and goes on once something was taken.
async fn waits_for_room(inbox: &Inbox, source: tokio::task::JoinHandle<()>) {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!source.is_finished(), "it must wait");
    take(inbox);
    tokio::time::timeout(PATIENCE, source).await.expect("room was told").unwrap();
}

#[tokio::test]
async fn full_lanes_of_probes_and_receipts_make_their_sources_wait() {
    let inbox = Inbox::new();
    for id in 0..PROBE_INPUTS as u64 {
        inbox.probed(result(id)).await;
    }
    let source = inbox.clone();
    let one_more = tokio::spawn(async move { source.probed(result(0)).await });
    waits_for_room(&inbox, one_more).await;

    let inbox = Inbox::new();
    let receipt = |id: u64| Receipt { id: EffectId(id), outcome: Err("late".to_owned()) };
    for id in 0..RECEIPT_INPUTS as u64 {
        inbox.receipt(receipt(id)).await;
    }
    let source = inbox.clone();
    let one_more = tokio::spawn(async move { source.receipt(receipt(0)).await });
    waits_for_room(&inbox, one_more).await;
}
