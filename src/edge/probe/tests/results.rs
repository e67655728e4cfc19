//! Results that nobody takes.

use super::*;

/// A result that was measured waits for its reader; one that says that nothing was measured does not.
#[tokio::test]
async fn a_full_channel_keeps_what_was_measured_waiting_and_loses_the_rest() {
    let (_listener, address) = listen().await;
    let (sender, mut results) = mpsc::channel(1);
    let settings = ProbeSettings { in_flight: 3, ..ProbeSettings::default() };
    let roots = RootCertStore::empty();
    let runner = ProbeRunner::with_names_and_roots(settings, Moment::default, sender, &[], roots);
    // Three are under way, one after the other finds the channel full, and two more find no place.
    for id in 0..5 {
        let target =
            Arc::new(ProbeTarget { endpoint: at(address), kind: ProbeKind::Tcp, timeout: TIMEOUT });
        runner.start(ProbeOrder { id: ProbeId(id), target });
    }
    let mut came = Vec::new();
    for _ in 0..4 {
        let result = tokio::time::timeout(Duration::from_secs(10), results.recv()).await;
        let result = result.expect("in time").expect("the runner lives");
        came.push((result.id.0, result.outcome.is_ok()));
    }
    // The first of those that found no place had room in the channel; the second had none.
    came.sort_unstable();
    assert_eq!(came, [(0, true), (1, true), (2, true), (3, false)]);
    assert!(results.try_recv().is_err());
}
