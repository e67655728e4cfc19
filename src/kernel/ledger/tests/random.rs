//! Random logs: whatever is committed, the fold goes on, and in the same way everywhere.

use proptest::prelude::*;

use super::*;

/// What random commands are made of; names and numbers that exist, and a few that do not.
fn command() -> impl Strategy<Value = Command> {
    let observer = 1..5u64;
    let word = (1..3u64, 0..60u64);
    let said = prop::sample::select(vec![
        "",
        "web=du",
        "web=uu",
        "web=dd stats=uu",
        "web=ud imap=du",
        "imap=uu",
        "other=dd",
    ]);
    let event = prop::sample::select(vec![
        Event::Precheck,
        Event::Route,
        Event::Route,
        Event::Abandon,
        Event::Verify,
        Event::Verified,
        Event::Undo,
        Event::Strand,
        Event::UndoRouted,
        Event::Overtake,
    ]);
    prop_oneof![
        1 => Just(Command::Tick {}),
        3 => (observer.clone(), word.clone(), any::<bool>(), said.clone())
            .prop_map(|(o, w, i, s)| report(o, w, i, s)),
        6 => (0..60u64, observer.clone(), word, prop::bool::weighted(0.1), said)
            .prop_map(|(index, o, w, i, s)| ballot(QuestionId { term: 1, index }, o, w, i, s)),
        1 => (observer, 1..3u64).prop_map(|(o, i)| Command::ObserverLost {
            observer: MemberId(o),
            incarnation: Incarnation(i),
        }),
        4 => (name(), name()).prop_map(|(a, b)| question(&[a, b])),
        4 => (0..60u64, any::<bool>(), moved())
            .prop_map(|(index, twice, moved)| Command::Decide {
                question: QuestionId { term: 1, index },
                moves: if twice { vec![moved.clone(), moved] } else { vec![moved] },
            }),
        4 => switch(),
        8 => (0..60u64, 0..2u32, event, prop::option::of(0..60u64))
            .prop_map(|(index, nth, event, asked)| {
                let asked = asked.map(|index| QuestionId { term: 1, index });
                advance(SwitchoverId { index, nth }, event, asked)
            }),
        1 => (0..9u64, any::<bool>()).prop_map(|(counter, on)| Command::Freeze {
            request: key(1, counter),
            by: "ann".to_owned(),
            groups: BTreeSet::new(),
            on,
            reason: String::new(),
            for_ms: Some(counter * 700),
            abort: counter % 2 == 0,
        }),
        1 => (9..19u64, any::<bool>()).prop_map(|(counter, on)| Command::Drain {
            request: key(1, counter),
            by: "ann".to_owned(),
            plane: plane("west"),
            on,
            reason: String::new(),
            for_ms: Some(counter * 500),
        }),
        1 => Just(Command::Configure(Box::new(cluster()))),
    ]
}

fn name() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec!["shop", "mail", "nothing"])
}

fn moved() -> impl Strategy<Value = Move> {
    let to = prop::sample::select(vec!["east", "west", "north"]);
    (name(), to, 0..6u64).prop_map(|(name, to, counter)| Move {
        group: group(name),
        to: plane(to),
        base: Epoch { generation: 1, counter },
    })
}

fn switch() -> impl Strategy<Value = Command> {
    let kind = prop::sample::select(vec![Kind::Planned, Kind::Forced, Kind::Automatic]);
    (19..99u64, kind, moved(), prop::option::of(0..3u64)).prop_map(|(counter, kind, moved, k)| {
        Command::Switch(SwitchCommand {
            request: key(1, counter),
            by: "ann".to_owned(),
            kind,
            moved,
            reason: String::new(),
            idempotency: k.map(|k| (k.to_string(), (counter % 2).to_string())),
        })
    })
}

/// One entry: how much time passed, whether a new term began, and the commands.
fn entries() -> impl Strategy<Value = Vec<(u64, bool, Vec<Command>)>> {
    let entry = (
        prop::sample::select(vec![0, 0, 10, 1_000, 6_000]),
        prop::bool::weighted(0.03),
        prop::collection::vec(command(), 0..4),
    );
    prop::collection::vec(entry, 1..60)
}

fn epochs(ledger: &Ledger) -> Vec<Epoch> {
    ledger.routes().values().map(|route| route.epoch).collect()
}

fn in_flight(ledger: &Ledger) -> Result<(), TestCaseError> {
    for name in ledger.groups().keys() {
        let under_way =
            ledger.switchovers().values().filter(|s| s.group == *name && s.state.in_flight());
        prop_assert!(under_way.count() <= 1, "{name}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_logs_fold_to_the_same_state_everywhere(log in entries()) {
        let mut book = Book::new();
        let mut other = book.ledger.clone();
        let mut from_snapshot = book.ledger.clone();
        for (passed, new_term, commands) in log {
            book.at += passed;
            book.term += u64::from(new_term);
            let bytes = if commands.is_empty() { Vec::new() } else { book.entry(commands) };
            let before = (epochs(&book.ledger), book.ledger.time());
            let applied = book.log_bytes(&bytes);
            prop_assert_eq!(&applied, &other.apply(book.ledger.index(), book.term, &bytes));
            from_snapshot.apply(book.ledger.index(), book.term, &bytes);
            from_snapshot = Ledger::from_bytes(&from_snapshot.to_bytes()).expect("a snapshot");
            let after = epochs(&book.ledger);
            prop_assert!(before.0.iter().zip(&after).all(|(was, is)| was <= is));
            prop_assert!(before.1 <= book.ledger.time());
            in_flight(&book.ledger)?;
        }
        prop_assert_eq!(book.ledger.digest(), other.digest());
        prop_assert_eq!(book.ledger, from_snapshot);
    }

    #[test]
    fn bytes_of_any_kind_are_refused_or_applied_and_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cut in any::<prop::sample::Index>(),
        flip in any::<prop::sample::Index>(),
        commands in prop::collection::vec(command(), 1..3),
    ) {
        let mut book = Book::new();
        book.log_bytes(&bytes);
        let mut entry = book.entry(commands);
        book.log_bytes(&entry[..cut.index(entry.len())]);
        let at = flip.index(entry.len());
        entry[at] ^= 1 << (at % 8);
        book.log_bytes(&entry);
        let _ = Ledger::from_bytes(&bytes);
    }
}
