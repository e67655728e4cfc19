//! The archive on real disks: what a crash tears, what is missing, and its limit.

use super::*;
use crate::kernel::ledger::Audit;

/// A chain of so many entries, from the first on.
fn chain(count: u64, size: usize) -> Vec<AuditRecord> {
    let mut audit = Audit::default();
    (1..=count)
        .map(|index| {
            let data = format!("{{\"format\":1,\"at\":\"{}\"}}", "x".repeat(size)).into_bytes();
            let before = audit.head.clone();
            audit.chain(index, 3, &data);
            AuditRecord { index, term: 3, before, head: audit.head.clone(), data: data.into() }
        })
        .collect()
}

fn lines(dir: &Path, from: u64) -> Vec<u64> {
    page(dir, from).unwrap().lines.iter().map(|line| line.index).collect()
}

#[test]
fn what_is_written_is_read_again_from_any_entry_on_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(page(dir.path(), 1).unwrap().oldest, None);
    let records = chain(10, 10);
    let mut archive = Archive::open(dir.path(), 1 << 30).unwrap();
    records[..6].iter().for_each(|record| archive.append(record).unwrap());
    archive.sync().unwrap();
    drop(archive);
    // The log is applied again from further back.
    let mut archive = Archive::open(dir.path(), 1 << 30).unwrap();
    records[3..].iter().for_each(|record| archive.append(record).unwrap());
    assert_eq!(lines(dir.path(), 0), (1..=10).collect::<Vec<_>>());
    assert_eq!(lines(dir.path(), 8), [8, 9, 10]);
    assert_eq!(lines(dir.path(), 11), Vec::<u64>::new());
    let page = page(dir.path(), 1).unwrap();
    assert!(page.lines.iter().all(|line| line.is_sound()) && !page.more);
}

#[test]
fn a_torn_line_is_cut_off_and_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let records = chain(4, 10);
    let mut archive = Archive::open(dir.path(), 1 << 30).unwrap();
    records.iter().for_each(|record| archive.append(record).unwrap());
    drop(archive);
    let file = dir.path().join(AUDIT_DIR).join(format!("{:020}.jsonl", 1));
    let text = fs::read(&file).unwrap();
    for cut in [1, 40, text.len() / 4 - 1] {
        fs::write(&file, &text[..text.len() - cut]).unwrap();
        assert_eq!(lines(dir.path(), 1), [1, 2, 3], "a reader stops before it");
        let mut archive = Archive::open(dir.path(), 1 << 30).unwrap();
        archive.append(&records[3]).unwrap();
        assert_eq!(fs::read(&file).unwrap(), text, "{cut}");
    }
}

#[test]
fn what_is_missing_shows_as_a_segment_that_does_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    let records = chain(9, 10);
    let mut archive = Archive::open(dir.path(), 1 << 30).unwrap();
    records[..3].iter().chain(&records[6..]).for_each(|record| archive.append(record).unwrap());
    assert_eq!(lines(dir.path(), 1), [1, 2, 3, 7, 8, 9]);
    let page = page(dir.path(), 1).unwrap();
    let fits: Vec<bool> =
        page.lines.windows(2).map(|pair| pair[0].head == pair[1].before).collect();
    assert_eq!(fits, [true, true, false, true, true]);
    assert_eq!(segments(&dir.path().join(AUDIT_DIR)).unwrap().len(), 2);
}

#[test]
fn the_archive_is_bounded_and_loses_its_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 3 * limits::SEGMENT_BYTES;
    let mut archive = Archive::open(dir.path(), limit).unwrap();
    let records = chain(40, 1 << 20);
    let size = || -> u64 {
        segments(&dir.path().join(AUDIT_DIR)).unwrap().iter().map(|(_, bytes)| bytes).sum()
    };
    for record in &records {
        archive.append(record).unwrap();
        // A segment may be one line longer than its limit.
        assert!(size() <= limit + (2 << 20), "{}", size());
    }
    assert!(size() >= limit - 2 * limits::SEGMENT_BYTES, "{}", size());
    let page = page(dir.path(), 0).unwrap();
    assert!(page.oldest.is_some_and(|oldest| oldest > 20), "{:?}", page.oldest);
    assert!(page.more && page.lines.len() == 1, "one line of a megabyte, then another page");
}

#[test]
fn a_segment_of_the_limit_is_full_and_one_of_a_byte_less_is_not() {
    let line = |record: &AuditRecord| serde_json::to_string(&record.line()).unwrap().len() + 1;
    let empty = line(&chain(1, 0)[0]);
    let limit = usize::try_from(limits::SEGMENT_BYTES).unwrap();
    for (bytes, count) in [(limit - 1, 1), (limit, 2)] {
        let records = chain(2, bytes - empty);
        assert_eq!(line(&records[0]), bytes);
        let dir = tempfile::tempdir().unwrap();
        let mut archive = Archive::open(dir.path(), 1 << 30).unwrap();
        records.iter().for_each(|record| archive.append(record).unwrap());
        assert_eq!(segments(&dir.path().join(AUDIT_DIR)).unwrap().len(), count, "{bytes} bytes");
    }
}

#[test]
fn a_small_archive_keeps_to_its_limit_too() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 1 << 20;
    let mut archive = Archive::open(dir.path(), limit).unwrap();
    for record in &chain(300, 10 << 10) {
        archive.append(record).unwrap();
        let all = segments(&dir.path().join(AUDIT_DIR)).unwrap();
        let size: u64 = all.iter().map(|(_, bytes)| bytes).sum();
        // A segment may be one line longer than its part.
        assert!(size <= limit + 4 * (12 << 10), "{size}");
    }
}

#[test]
fn a_page_has_so_many_lines_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(dir.path(), 1 << 30).unwrap();
    let count = limits::PAGE_LINES as u64 + 1;
    chain(count, 1).iter().for_each(|record| archive.append(record).unwrap());
    let first = page(dir.path(), 1).unwrap();
    assert_eq!((first.lines.len(), first.more), (limits::PAGE_LINES, true));
    let rest = page(dir.path(), count).unwrap();
    assert_eq!((rest.lines.len(), rest.more), (1, false));
}
