//! Golden bytes: what a released version has written, every later one reads, and in the same way.

use std::path::PathBuf;

use super::*;

/// The committed file; written anew when the environment says REWRITE.
fn golden(name: &str, now: &[u8]) -> Vec<u8> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden/ledger").join(name);
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, now).expect("tests/data/golden can be written");
    }
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A log in which every command is taken: each entry's name and command.
fn story() -> Vec<(&'static str, Command)> {
    let asked = QuestionId { term: 1, index: 6 };
    let decided = SwitchoverId { index: 8, nth: 0 };
    let mut book = Book::new();
    vec![
        ("configure", Command::Configure(Box::new(cluster()))),
        ("tick", Command::Tick {}),
        ("report", report(1, (1, 1), false, "web=uu stats=gu imap=u?")),
        (
            "observer-lost",
            Command::ObserverLost { observer: MemberId(1), incarnation: Incarnation(1) },
        ),
        ("freeze", book.freeze(false)),
        ("question", question(&["shop"])),
        ("ballot", ballot(asked, 1, (1, 2), false, "web=du")),
        (
            "decide",
            Command::Decide {
                question: asked,
                moves: vec![Move {
                    group: group("shop"),
                    to: plane("west"),
                    base: Epoch { generation: 1, counter: 1 },
                }],
            },
        ),
        (
            "advance",
            Command::Advance {
                switchover: decided,
                event: Event::Route,
                question: Some(asked),
                converging: vec!["gateway edge-1".to_owned()],
                note: "a note".to_owned(),
            },
        ),
        (
            "switch",
            Command::Switch(SwitchCommand {
                idempotency: Some(("key".to_owned(), "00ff".to_owned())),
                ..book.switch_command(Kind::Planned, "mail", "west")
            }),
        ),
        ("drain", book.drain("west", true)),
        ("raise", Command::Raise { ruleset: 1 }),
    ]
}

/// The same of ruleset 2, which the first entry puts in force.
fn story_2() -> Vec<(&'static str, Command)> {
    let mut book = Book::new();
    book.counter = 10;
    vec![
        ("raise-2", Command::Raise { ruleset: 2 }),
        (
            "config-text",
            Command::ConfigText { version: 1, text: "cluster = \"test\"\n".to_owned() },
        ),
        ("token", book.token("ci", token())),
        ("token-revoke", book.token("ci", TokenChange::Revoke {})),
        ("reconfigure", Command::Reconfigure(book.config_command(1, wider()))),
    ]
}

/// The same of ruleset 3, in a cluster whose groups ask and that has somebody to tell. What makes way for a command is in
/// no file.
fn story_3(mut each: impl FnMut(&str, Vec<u8>)) -> Book {
    let mut book = Book::with(asking());
    let mut take = |book: &mut Book, name: &str, command: Command| {
        let bytes = golden(&format!("{name}.json"), &book.entry(vec![command]));
        each(name, bytes.clone());
        let applied = book.log_bytes(&bytes);
        assert_eq!(refused(&applied), Vec::<&RefusalReason>::new(), "{name}");
        book.ledger.index()
    };
    take(&mut book, "raise-3", Command::Raise { ruleset: 3 });
    let question = book.ask("shop");
    book.all_vote(question, "web=du");
    let moves = vec![book.to("shop", "west")];
    let index = take(&mut book, "ask", Command::Ask { question, moves });
    let ask = AskId { index, nth: 0 };
    let deny = book.answer(ask, false);
    take(&mut book, "answer", deny);
    let why = "the active plane is well again".to_owned();
    take(&mut book, "ask-over", Command::AskOver { ask, why });
    let raised = vec![condition(AlarmKind::Held, "shop")];
    let index = take(&mut book, "alarms", Command::Alarms { raised, cleared: Vec::new() });
    let alarm = AlarmId { index, nth: 0 };
    let acknowledge = book.acknowledge(alarm);
    take(&mut book, "acknowledge", acknowledge);
    let target = NotifyName::new("pager").expect("a good name");
    let notice = EventId { index, nth: 0 };
    take(&mut book, "notified", Command::Notified { target, notice });
    let cleared = vec![alarm];
    take(&mut book, "alarms-cleared", Command::Alarms { raised: Vec::new(), cleared });
    let (member, incarnation) = (MemberId(1), Incarnation(1));
    let from = "192.0.2.9".to_owned();
    let failed = Command::LoginsFailed { member, incarnation, seq: 1, count: 3, from };
    take(&mut book, "logins-failed", failed);
    let freeze = book.freeze_for(secs(60), true);
    take(&mut book, "freeze-for", freeze);
    let drain = book.drain_for("west", secs(60));
    take(&mut book, "drain-for", drain);
    book
}

/// Applies the committed story; the other two observers vote as the first did.
fn applied_story() -> Book {
    let mut book = Book::new();
    book.ledger = Ledger::default();
    for (name, command) in story() {
        let bytes = golden(&format!("{name}.json"), &book.entry(vec![command.clone()]));
        let (envelope, unknown) = Envelope::decode(&bytes).expect("a golden envelope");
        assert_eq!((envelope.commands.as_slice(), unknown.len()), (&[command][..], 0), "{name}");
        assert_eq!(envelope.encode(), bytes, "{name} is written as it was");
        if name == "decide" {
            // Not in a file of its own: two more of what `ballot.json` holds.
            let asked = QuestionId { term: 1, index: 6 };
            let more = [2, 3].map(|observer| ballot(asked, observer, (1, 2), false, "web=du"));
            let mut both = envelope.clone();
            both.commands = [&more[..], &envelope.commands].concat();
            let applied = book.log_bytes(&both.encode());
            assert_eq!(refused(&applied), Vec::<&RefusalReason>::new(), "{name}");
            continue;
        }
        let applied = book.log_bytes(&bytes);
        assert_eq!(refused(&applied), Vec::<&RefusalReason>::new(), "{name}");
    }
    book
}

#[test]
fn every_command_that_was_ever_written_reads_writes_and_applies_as_it_did() {
    let book = applied_story();
    assert_eq!(
        (book.on("shop").as_str(), book.epoch("shop").to_string().as_str()),
        ("west", "1.2")
    );
    assert!(matches!(
        book.ledger.outcome(&key(1, 2)),
        Some(Outcome::Switchover(SwitchoverId { index: 10, nth: 0 }, false))
    ));
    assert_eq!(book.ledger.drained().len(), 1);
}

#[test]
fn there_is_a_golden_file_for_each_command() {
    // A command that is added must be added to the story: this match makes the compiler say so.
    let name = |command: &Command| match command {
        Command::Configure(_) => "configure",
        Command::Reconfigure(_) => "reconfigure",
        Command::ConfigText { .. } => "config-text",
        Command::Token { .. } => "token",
        Command::Tick {} => "tick",
        Command::Report { .. } => "report",
        Command::ObserverLost { .. } => "observer-lost",
        Command::Question { .. } => "question",
        Command::Ballot { .. } => "ballot",
        Command::Decide { .. } => "decide",
        Command::Switch(_) => "switch",
        Command::Advance { .. } => "advance",
        Command::Freeze { .. } => "freeze",
        Command::Drain { .. } => "drain",
        Command::Raise { .. } => "raise",
        Command::Ask { .. } => "ask",
        Command::AskOver { .. } => "ask-over",
        Command::Answer { .. } => "answer",
        Command::Alarms { .. } => "alarms",
        Command::Acknowledge { .. } => "acknowledge",
        Command::Notified { .. } => "notified",
        Command::LoginsFailed { .. } => "logins-failed",
    };
    let mut all: Vec<(String, Command)> = [story(), story_2()]
        .concat()
        .into_iter()
        .map(|(file, command)| (file.to_owned(), command))
        .collect();
    story_3(|file, bytes| {
        let (envelope, _) = Envelope::decode(&bytes).expect("a golden envelope");
        all.push((file.to_owned(), envelope.commands[0].clone()));
    });
    let told: BTreeSet<&str> = all.iter().map(|(_, command)| name(command)).collect();
    assert_eq!(told.len(), 22);
    for (file, command) in all {
        assert!(file.starts_with(name(&command)), "{file}");
    }
}

#[test]
fn a_snapshot_that_was_ever_written_reads_and_goes_on() {
    let book = applied_story();
    let bytes = golden("snapshot.json", &book.ledger.to_bytes());
    let ledger = Ledger::from_bytes(&bytes).expect("a golden snapshot");
    assert_eq!(ledger, book.ledger);
    assert_eq!(ledger.to_bytes(), bytes);
    // What packs may pack better one day; what was packed must still open.
    let packed = golden("snapshot.lz4", &book.ledger.pack());
    assert_eq!(Ledger::from_bytes(&packed), Ok(ledger.clone()));
    let (mut old, mut new) = (Book { ledger, ..book.clone() }, book);
    for book in [&mut old, &mut new] {
        book.report(2, "web=uu imap=dd");
    }
    assert_eq!(old.ledger.digest(), new.ledger.digest());
}

#[test]
fn a_snapshot_of_ruleset_2_reads_and_goes_on() {
    let mut book = applied_story();
    for (name, command) in story_2() {
        let bytes = golden(&format!("{name}.json"), &book.entry(vec![command]));
        let applied = book.log_bytes(&bytes);
        assert_eq!(refused(&applied), Vec::<&RefusalReason>::new(), "{name}");
    }
    assert_eq!(book.ledger.config_version(), 2);
    let bytes = golden("snapshot-2.json", &book.ledger.to_bytes());
    let ledger = Ledger::from_bytes(&bytes).expect("a golden snapshot");
    assert_eq!((&ledger, ledger.to_bytes()), (&book.ledger, bytes));
}

#[test]
fn a_snapshot_of_ruleset_3_reads_and_goes_on() {
    let book = story_3(|_, _| {});
    let kinds: BTreeSet<&str> =
        book.ledger.events().kept.iter().map(|event| event.kind.as_str()).collect();
    for kind in ["ask", "alarm", "login", "freeze", "drain"] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    let bytes = golden("snapshot-3.json", &book.ledger.to_bytes());
    let ledger = Ledger::from_bytes(&bytes).expect("a golden snapshot");
    assert_eq!((&ledger, ledger.to_bytes()), (&book.ledger, bytes));
    assert!(ledger.next_timer().is_some(), "what ends by itself is found again");
}

#[test]
fn fields_that_this_version_does_not_know_are_passed_over() {
    let book = Book::new();
    let text = String::from_utf8(book.entry(vec![question(&["shop"])])).expect("JSON is text");
    let text = text.replacen('{', r#"{"tenant":{"a":[1]},"#, 1);
    let text = text.replace(r#""why":"#, r#""severity":3,"why":"#);
    let (envelope, unknown) = Envelope::decode(text.as_bytes()).expect("an envelope");
    assert_eq!(envelope.commands, [question(&["shop"])]);
    assert!(unknown.is_empty());
}

#[test]
fn an_unknown_command_is_refused_and_the_others_of_its_entry_are_applied() {
    let mut book = Book::new();
    book.ledger = Ledger::default();
    let known = [
        Command::Configure(Box::new(cluster())),
        report(1, (1, u64::MAX), false, "web=uu"),
        question(&["shop"]),
    ];
    let text = String::from_utf8(book.entry(known.to_vec())).expect("JSON is text");
    let text = text.replace(r#""commands":["#, r#""commands":[{"teleport":{"to":"moon"}},"#);
    let applied = book.log_bytes(text.as_bytes());
    assert!(matches!(refused(&applied)[..], [RefusalReason::Unknown(_)]), "{applied:?}");
    assert!(book.ledger.config().is_some_and(|config| **config == cluster()));
    assert_eq!(book.ledger.observers()[&MemberId(1)].seq, u64::MAX);
    assert_eq!(book.ledger.questions().len(), 1);
}

#[test]
fn an_entry_that_is_no_envelope_is_refused_and_chained() {
    let mut book = Book::new();
    let before = book.ledger.audit().count;
    for bytes in [&b"\xff\xfe"[..], b"{}", b"[]", br#"{"format":1,"commands":7}"#] {
        let applied = book.log_bytes(bytes);
        assert!(matches!(refused(&applied)[..], [RefusalReason::Unknown(_)]), "{applied:?}");
    }
    assert_eq!(book.ledger.audit().count, before + 4);
}

#[test]
fn a_snapshot_of_a_newer_version_or_none_at_all_is_refused_in_words() {
    let text = String::from_utf8(Book::new().ledger.to_bytes()).expect("JSON is text");
    let newer = text.replacen(r#""format":1"#, r#""format":2"#, 1);
    assert_eq!(Ledger::from_bytes(newer.as_bytes()), Err(SnapshotError::Newer(2)));
    for bytes in [&b""[..], b"{}", br#"{"format":1}"#, br#"{"format":1,"ledger":[]}"#] {
        assert!(matches!(Ledger::from_bytes(bytes), Err(SnapshotError::Unreadable(_))));
    }
}

/// A longer log under the rules that this version knows: outages, refusals, a new leader, a way back.
fn log_of_this_ruleset() -> Vec<(u64, Vec<u8>)> {
    let mut log = vec![(1, Book::new().entry(vec![Command::Configure(Box::new(cluster()))]))];
    let mut book = Book::new();
    let mut take = |book: &mut Book, command: Command| {
        let bytes = book.entry(vec![command]);
        log.push((book.term, bytes.clone()));
        book.log_bytes(&bytes);
    };
    for observer in 1..=3 {
        take(&mut book, report(observer, (1, 1), false, "web=uu stats=uu imap=uu"));
    }
    for round in 0_u64..40 {
        let up = if round % 2 == 0 { "web=du" } else { "web=ud" };
        let asked = QuestionId { term: book.term, index: book.ledger.index() + 1 };
        take(&mut book, question(&["shop"]));
        for observer in 1..=3 {
            take(&mut book, ballot(asked, observer, (1, 2 + round), round % 7 == observer, up));
        }
        let target = if book.on("shop") == "east" { "west" } else { "east" };
        let moves = vec![book.to("shop", target)];
        take(&mut book, Command::Decide { question: asked, moves });
        if let Some(id) = book.last("shop") {
            for event in [Event::Route, Event::Verify, Event::Verified] {
                take(&mut book, advance(id, event, Some(asked)));
            }
        }
        book.at += 900_000;
        let thaw = book.freeze(round % 5 == 4);
        take(&mut book, thaw);
        let switch = book.switch_command(Kind::Planned, "mail", "west");
        take(&mut book, Command::Switch(switch));
        book.term += round % 3;
        take(&mut book, Command::Tick {});
    }
    log
}

#[test]
fn the_golden_log_of_ruleset_1_ends_in_the_state_that_it_always_did() {
    let lines: Vec<u8> = log_of_this_ruleset()
        .into_iter()
        .flat_map(|(term, bytes)| [format!("{term} ").into_bytes(), bytes, b"\n".to_vec()].concat())
        .collect();
    let text = String::from_utf8(golden("ruleset-1.log", &lines)).expect("JSON is text");
    let mut ledger = Ledger::default();
    let mut moved = 0;
    for line in text.lines() {
        let (term, entry) = line.split_once(' ').expect("a term and an entry");
        let applied =
            ledger.apply(ledger.index() + 1, term.parse().expect("a term"), entry.as_bytes());
        moved += applied.iter().filter(|change| matches!(change, Applied::Routed(_))).count();
    }
    assert!(moved > 3, "a log in which nothing moves proves nothing: {moved}");
    let digest = String::from_utf8(golden("ruleset-1.digest", ledger.digest().as_bytes()));
    assert_eq!(digest.expect("hex"), ledger.digest());
}
