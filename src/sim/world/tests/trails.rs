//! What is told of a run as a whole: the audit trail, what is kept, and what clients heard.

use super::*;
use crate::kernel::controller::Size;

/// A calm world, and its links.
fn trail() -> (World, Vec<AuditRecord>) {
    let world = moved();
    let links = links_of(&world);
    (world, links)
}

fn told(links: &[AuditRecord]) -> (Box<dyn Oracle>, Finding) {
    let mut oracle = plain("audit");
    let finding = links.iter().try_for_each(|link| oracle.audited(0, link));
    (oracle, finding)
}

#[test]
fn an_audit_trail_with_a_changed_a_skipped_or_another_link_is_found() {
    let (world, links) = trail();
    assert!(links.len() > 20);
    let (mut oracle, finding) = told(&links);
    assert_eq!(finding, Ok(()));
    let view = view_of(&world, 0);
    let given: Vec<_> = links.iter().filter(|link| link.index <= view.applied).cloned().collect();
    let (mut shown, _) = told(&given);
    assert_eq!(shown.published(&world.book, 0, 0, &view), Ok(()));
    let mut older = view;
    older.applied = links[5].index;
    finds(shown.published(&world.book, 0, 0, &older), "shows a trail of");

    let mut changed = links.clone();
    changed[7].data = Bytes::from("another");
    finds(told(&changed).1, "is not that of its bytes");
    finds(oracle.audited(1, &changed[7]), "another link");
    let mut forked = links.clone();
    forked[7].before.clone_from(&links[5].head);
    finds(told(&forked).1, "another head than that of the entry before");
    finds(told(&[&links[..7], &links[8..]].concat()).1, "another head");

    let (mut oracle, _) = told(&links);
    assert_eq!(oracle.audited(1, &links[0]), Ok(()));
    finds(oracle.audited(1, &links[2]), "skips the link");
    finds(oracle.audited(1, &links[1]), "after");
}

#[test]
fn a_process_goes_on_with_its_trail_where_its_snapshot_ends() {
    let (_, links) = trail();
    let (mut oracle, _) = told(&links);
    let mut book = Book::new(NODES);
    let snapshot = crate::kernel::consensus::SnapshotRecord {
        index: links[3].index,
        term: 1,
        membership: crate::kernel::consensus::Membership::default(),
        data: Bytes::new(),
    };
    let taken = PersistBatch { snapshot: Some(snapshot.clone()), ..PersistBatch::default() };
    assert_eq!(oracle.ordered(&book, 1, &taken), Ok(()));
    // The next one is on its way before the first entry after this one is applied.
    let mut next = snapshot.clone();
    next.index = links[5].index;
    let next = PersistBatch { snapshot: Some(next), ..PersistBatch::default() };
    assert_eq!(oracle.ordered(&book, 1, &next), Ok(()));
    assert_eq!(oracle.audited(1, &links[4]), Ok(()));
    let recovered = crate::kernel::consensus::Recovered {
        snapshot: Some(snapshot),
        ..crate::kernel::consensus::Recovered::default()
    };
    book.started(1, &recovered);
    assert_eq!(oracle.started(&book, 1), Ok(()));
    finds(oracle.audited(1, &links[5]), "skips the link");
}

#[test]
fn an_applied_entry_without_a_link_is_found() {
    let (world, links) = trail();
    let entry = world.book.committed(links[3].index).expect("it is there");
    assert_eq!(told(&links).0.committed(&world.book, entry), Ok(()));
    finds(told(&links[..3]).0.committed(&world.book, entry), "no audit trail has it");
    let other = Committed { term: entry.term + 1, ..entry.clone() };
    finds(told(&links).0.committed(&world.book, &other), "the entry of term");
}

#[test]
fn more_than_a_limit_is_found() {
    let size = |is| Size { of: "things", is, at_most: 7 };
    assert_eq!(plain("memory").turned(0, &[size(0), size(7)]), Ok(()));
    finds(plain("memory").turned(0, &[size(0), size(8)]), "keeps 8 things; the limit is 7");
}

/// A world in which operators switch, freeze and read, and what it showed.
fn used() -> (World, Box<dyn Oracle>) {
    let mut world = World::new(Params::fair(3));
    let switch = Wish::Switch { group: group("shop"), to: Some(plane("west")), forced: false };
    world.act_at(6 * SECOND, ask(0, switch));
    world.act_at(9 * SECOND, ask(1, Wish::Freeze { groups: vec![group("shop")], on: true }));
    for at in [5, 8, 10] {
        world.act_at(at * SECOND, ask(2, Wish::Read));
    }
    let mut oracle = plain("linearizable");
    let mut seen = 0;
    world.run_until(12 * SECOND, |world| {
        for entry in &world.book.chain[seen..] {
            assert_eq!(oracle.committed(&world.book, entry), Ok(()));
        }
        seen = world.book.chain.len();
        if let Some(view) = world.view(0) {
            assert_eq!(oracle.published(&world.book, world.now, 0, view), Ok(()));
        }
    });
    assert_eq!(world.violation(), None);
    (world, oracle)
}

#[test]
fn what_clients_heard_of_a_group_fits_or_is_found() {
    let (world, mut oracle) = used();
    let history = &world.history;
    assert!(history.iter().all(Op::settled), "{history:?}");
    let mut told = |history: &[Op]| oracle.ended(&world.book, &end_of(history, Vec::new(), true));
    assert_eq!(told(history), Ok(()));
    // The requests, by their order: read, switch, read, freeze, read.
    let with = |place: usize, heard: Option<&Heard>| {
        let mut history = history.clone();
        history[place].heard = heard.cloned();
        history
    };
    finds(told(&with(4, history[2].heard.as_ref())), "explains request 4");
    finds(told(&with(2, history[0].heard.as_ref())), "explains");
    finds(told(&with(0, history[2].heard.as_ref())), "explains");
    let made_up = Heard::Accepted { switchover: "s7-0".to_owned() };
    finds(told(&with(1, Some(&made_up))), "nobody shows that");
    finds(told(&with(3, Some(&Heard::Refused))), "explains request 4");
    assert_eq!(told(&with(3, None)), Ok(()), "who heard nothing may have frozen it");
    assert_eq!(told(&with(1, Some(&Heard::Unknown))), Ok(()));
}
