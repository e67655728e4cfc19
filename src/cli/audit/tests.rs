//! What is done to an exported file is named.

use sha2::{Digest as _, Sha256};

use super::file::{Sum, digits};
use super::judge::FAULTS;
use super::*;
use crate::kernel::domain::WallTime;
use crate::kernel::ledger::{Audit, AuditRecord};

/// An export of so many entries, as lines.
fn export(count: u64) -> Vec<String> {
    let mut audit = Audit::default();
    let header =
        Header { biplane_audit: FORMAT, cluster: "test".to_owned(), exported_at: WallTime(1) };
    let mut lines = vec![serde_json::to_string(&header).unwrap()];
    for index in 1..=count {
        let data = format!("{{\"format\":1,\"at\":{index},\"by\":\"ann\"}}").into_bytes();
        let before = audit.head.clone();
        audit.chain(index, 1, &data);
        let head = audit.head.clone();
        let record = AuditRecord { index, term: 1, before, head, data: data.into() };
        lines.push(serde_json::to_string(&record.line()).unwrap());
    }
    let first = (count > 0).then_some(1);
    let footer = Footer { end: audit.stands(), entries: Some(count), first };
    lines.push(serde_json::to_string(&footer).unwrap());
    summed(lines)
}

/// With the sum of all lines.
fn summed(mut lines: Vec<String>) -> Vec<String> {
    let sha256 = digits(Sha256::new().chain_update(text(&lines)));
    lines.push(serde_json::to_string(&Sum { sha256 }).unwrap());
    lines
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn faults(lines: &[String], noted: &[String]) -> Vec<String> {
    judge(text(lines).as_bytes(), noted).faults
}

fn head_of(line: &str) -> String {
    serde_json::from_str::<AuditLine>(line).unwrap().head
}

#[test]
fn an_untouched_export_is_sound_and_holds_what_was_noted() {
    let lines = export(9);
    let noted = [head_of(&lines[9]), head_of(&lines[3])];
    assert_eq!(faults(&lines, &noted), Vec::<String>::new());
}

#[test]
fn one_changed_byte_is_named() {
    let lines = export(9);
    for number in 1..=9 {
        let mut changed = lines.clone();
        changed[number] = changed[number].replacen("ann", "bob", 1);
        let told = faults(&changed, &[]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("entry {number} (line {})", number + 1)), "{told:?}");
    }
    // Every byte of a line, one after the other.
    let line = lines[4].clone();
    for at in 0..line.len() {
        let mut bytes = line.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let mut changed = lines.clone();
        changed[4] = String::from_utf8(bytes).unwrap();
        assert!(!faults(&changed, &[]).is_empty(), "byte {at}: {}", changed[4]);
    }
}

#[test]
fn a_changed_entry_whose_head_was_made_to_fit_is_named_by_the_next_one() {
    let mut lines = export(9);
    let mut line: AuditLine = serde_json::from_str(&lines[5]).unwrap();
    let mut audit = Audit { head: line.before.clone(), ..Audit::default() };
    line.entry = line.entry.map(|entry| entry.replace("ann", "bob"));
    audit.chain(line.index, line.term, line.entry.as_ref().unwrap().as_bytes());
    line.head = audit.head;
    assert!(line.is_sound());
    lines[5] = serde_json::to_string(&line).unwrap();
    let told = faults(&lines, &[]);
    assert!(told.len() == 1 && told[0].starts_with("between entry 5 and entry 6"), "{told:?}");
}

#[test]
fn an_entry_that_was_cut_out_or_moved_is_named() {
    let mut lines = export(9);
    lines.remove(4);
    let told = faults(&lines, &[]);
    assert!(told.len() == 1 && told[0].starts_with("between entry 3 and entry 5"), "{told:?}");
    let mut lines = export(9);
    lines.swap(4, 5);
    assert!(!faults(&lines, &[]).is_empty());
}

#[test]
fn a_tail_that_was_cut_off_is_named_against_the_end_and_against_a_noted_head() {
    let lines = export(9);
    let noted = head_of(&lines[9]);
    let told = faults(&lines[..8], &[]);
    assert_eq!(told, ["the end is missing: the tail was cut off"]);
    // Even with the end put back, and even with an end that was made to fit.
    let with_end = [&lines[..8], &lines[10..]].concat();
    let told = faults(&with_end, &[]);
    assert!(told.len() == 1 && told[0].starts_with("the tail after entry 7"), "{told:?}");
    let mut shorter = lines[..8].to_vec();
    let end = AuditHead { count: 7, index: 7, head: head_of(&lines[7]) };
    let footer = Footer { end, entries: Some(7), first: Some(1) };
    shorter.push(serde_json::to_string(&footer).unwrap());
    let shorter = summed(shorter);
    assert_eq!(faults(&shorter, &[]), Vec::<String>::new(), "nothing in it says so");
    let told = faults(&shorter, &[noted]);
    assert!(told.len() == 1 && told[0].starts_with("the noted head"), "{told:?}");
}

#[test]
fn what_is_no_export_is_said_to_be_none() {
    assert!(faults(&["{}".to_owned()], &[])[0].starts_with("line 1 is not the beginning"));
    let newer = r#"{"biplane_audit":3,"cluster":"x","exported_at":1}"#.to_owned();
    assert!(faults(&[newer], &[])[0].contains("newer than this version knows"));
    assert!(!judge(&b"\xff\xfe"[..], &[]).faults.is_empty());
}

#[test]
fn an_export_takes_lines_up_to_a_gap_and_up_to_the_end() {
    let lines: Vec<AuditLine> =
        export(9)[1..10].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let indices = |lines: Vec<AuditLine>| lines.iter().map(|line| line.index).collect::<Vec<_>>();
    assert_eq!(indices(sound_part(lines.clone(), None, 7)), [1, 2, 3, 4, 5, 6, 7]);
    let gap = [&lines[..3], &lines[5..]].concat();
    assert_eq!(indices(sound_part(gap, None, 9)), [1, 2, 3]);
    assert!(sound_part(lines[5..].to_vec(), Some(&lines[2].head), 9).is_empty());
}

#[test]
fn so_many_faults_are_told_and_further_ones_are_left_out() {
    for wrong in [FAULTS, FAULTS + 1] {
        let mut lines = export(0);
        assert_eq!(faults(&lines, &[]), Vec::<String>::new());
        lines.splice(1..1, std::iter::repeat_n("x".to_owned(), wrong));
        let told = faults(&lines, &[]);
        assert_eq!(told.len(), FAULTS, "of {wrong}");
        assert!(told[FAULTS - 1].starts_with(&format!("line {} is not", FAULTS + 1)), "{told:?}");
    }
}

#[test]
fn what_is_cut_off_at_the_beginning_is_named_and_an_empty_trail_is_none() {
    for cut in 1..=9 {
        let mut lines = export(9);
        lines.drain(1..=cut);
        let told = faults(&lines, &[]);
        assert!(told[0].contains("export began with entry 1"), "{cut}: {told:?}");
    }
}

#[test]
fn one_changed_byte_anywhere_is_named() {
    let whole = text(&export(3));
    for at in 0..whole.len() {
        let mut bytes = whole.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        assert_ne!(judge(bytes.as_slice(), &[]).faults, Vec::<String>::new(), "byte {at}");
        let mut longer = whole.clone().into_bytes();
        longer.insert(at, b' ');
        assert_ne!(judge(longer.as_slice(), &[]).faults, Vec::<String>::new(), "before {at}");
    }
    let longer = format!("{whole}\n");
    assert!(judge(longer.as_bytes(), &[]).faults[0].contains("behind the end"));
}

/// Every entry written anew, behind a head that somebody noted.
#[test]
fn a_log_that_was_made_to_fit_behind_a_noted_head_does_not_have_it() {
    let lines = export(9);
    let noted = head_of(&lines[9]);
    let mut audit = Audit { head: noted.clone(), ..Audit::default() };
    let mut forged = vec![lines[0].clone()];
    for index in 1..=9 {
        let data = format!("{{\"format\":1,\"at\":{index},\"by\":\"eve\"}}").into_bytes();
        let before = audit.head.clone();
        audit.chain(index, 1, &data);
        let record =
            AuditRecord { index, term: 1, before, head: audit.head.clone(), data: data.into() };
        forged.push(serde_json::to_string(&record.line()).unwrap());
    }
    let footer = Footer { end: audit.stands(), entries: Some(9), first: Some(1) };
    forged.push(serde_json::to_string(&footer).unwrap());
    assert!(faults(&summed(forged), &[noted])[0].starts_with("the noted head"));
}
