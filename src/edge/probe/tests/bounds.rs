//! How much one node probes.

use super::*;

#[tokio::test]
async fn a_probe_over_the_limit_is_not_made() {
    let (_listener, address) = listen().await;
    let mut probing = probing_with(1, &[], RootCertStore::empty());
    probing.start(at(address), ProbeKind::Http(get()));
    probing.start(at(address), ProbeKind::Http(get()));
    assert!(matches!(probing.result().await.outcome, Err(ProbeFault::NotProbed(_))));
    assert_eq!(probing.result().await.outcome, Err(ProbeFault::TimedOut));
}

#[tokio::test]
async fn probes_over_the_rate_are_not_made_and_the_next_second_has_room_again() {
    let (_listener, address) = listen().await;
    let settings = ProbeSettings { a_second: 3, ..ProbeSettings::default() };
    let (sender, mut results) = mpsc::channel(64);
    let millis = Arc::new(std::sync::atomic::AtomicU64::new(5_000));
    let clock = Arc::clone(&millis);
    let now = move || Moment::from_micros(1000 * clock.load(std::sync::atomic::Ordering::Relaxed));
    let roots = RootCertStore::empty();
    let runner = ProbeRunner::with_names_and_roots(settings, now, sender, &[], roots);
    let mut made = async |count: u64| {
        for id in 0..count {
            let (endpoint, kind) = (at(address), ProbeKind::Tcp);
            let target = Arc::new(ProbeTarget { endpoint, kind, timeout: TIMEOUT });
            runner.start(ProbeOrder { id: ProbeId(id), target });
        }
        let mut passed = 0;
        for _ in 0..count {
            match results.recv().await.expect("the runner lives").outcome {
                Ok(()) => passed += 1,
                Err(ProbeFault::NotProbed(why)) => {
                    assert_eq!(why, "too many probes in a second on this node");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        passed
    };
    assert_eq!(made(3).await, 3, "at the limit");
    assert_eq!(made(2).await, 0, "beyond it");
    millis.store(6_000, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(made(4).await, 3, "a second later");
}
