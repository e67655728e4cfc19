//! What a member refuses to start from.

use super::*;

fn entry(index: u64, term: u64) -> LogEntry {
    LogEntry { index, term, kind: 0, data: Bytes::from_static(b"x"), context: Bytes::new() }
}

fn snapshot(index: u64, term: u64) -> SnapshotRecord {
    let membership = Membership { voters: vec![3, 2, 1], ..Membership::default() };
    SnapshotRecord { index, term, membership, data: Bytes::new() }
}

fn good() -> Recovered {
    Recovered {
        hard_state: HardState { term: 4, vote: 1, commit: 7 },
        snapshot: Some(snapshot(6, 2)),
        entries: vec![entry(5, 2), entry(6, 2), entry(7, 3), entry(8, 4)],
        ..Recovered::default()
    }
}

/// A way to spoil a store, and a word that the refusal must say.
type Spoiled = (fn(&mut Recovered), &'static str);

#[test]
fn a_store_that_contradicts_itself_is_refused_and_says_where() {
    let cases: [Spoiled; 10] = [
        (|r| r.entries[0].index = 0, "entry 0"),
        (|r| drop(r.entries.remove(2)), "gap before entry 8"),
        (|r| drop(r.entries.drain(..3)), "entries 7 to 7 are missing"),
        (|r| r.entries[3].term = 2, "term falls at entry 8"),
        (|r| r.entries[1].term = 0, "term falls at entry 6"),
        (|r| r.entries[3].kind = 2, "changes the membership"),
        (|r| r.snapshot.as_mut().unwrap().term = 1, "differ at entry 6"),
        (|r| r.hard_state.commit = 9, "entry 9 was committed"),
        (|r| r.hard_state.commit = 5, "only 5 was committed"),
        (|r| r.hard_state.term = 3, "the log has reached 4"),
    ];
    for (spoil, word) in cases {
        let mut recovered = good();
        spoil(&mut recovered);
        let refused = Consensus::start(settings(1, 1), &recovered).unwrap_err();
        assert!(matches!(refused, ConsensusError::Store(_)), "{word}: {refused}");
        assert!(refused.to_string().contains(word), "{word}: {refused}");
    }
}

#[test]
fn a_good_store_starts_where_it_was() {
    let consensus = Consensus::start(settings(1, 1), &good()).unwrap();
    assert_eq!((consensus.term(), consensus.commit(), consensus.last_index()), (4, 7, 8));
    assert_eq!(consensus.log_entries(), 3, "the first one only tells the term before the second");
    let mut behind = good();
    behind.entries.truncate(1);
    behind.hard_state.commit = 6;
    let consensus = Consensus::start(settings(1, 1), &behind).unwrap();
    assert_eq!((consensus.log_entries(), consensus.last_index()), (0, 6));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let cases: [fn(&mut ConsensusSettings); 6] = [
        |s| s.voters = vec![2, 3],
        |s| s.voters = vec![1, 1, 2],
        |s| s.voters = (1..=limits::MEMBERS as u64 + 1).collect(),
        |s| s.heartbeat_ticks = 0,
        |s| s.election_min_ticks = s.heartbeat_ticks,
        |s| s.election_max_ticks = s.election_min_ticks,
    ];
    for (case, spoil) in cases.into_iter().enumerate() {
        let mut settings = settings(1, 1);
        spoil(&mut settings);
        let refused = Consensus::start(settings, &Recovered::default()).unwrap_err();
        assert!(matches!(refused, ConsensusError::Settings(_)), "case {case}: {refused}");
    }
}
