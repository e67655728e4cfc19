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

/// What stands in the archive's directory, by name.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir.join(AUDIT_DIR))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// An archive of these records, closed, and the text of its one file.
fn written(dir: &Path, records: &[AuditRecord]) -> (PathBuf, String) {
    let mut archive = Archive::open(dir, 1 << 30).unwrap();
    records.iter().for_each(|record| archive.append(record).unwrap());
    let file = dir.join(AUDIT_DIR).join(format!("{:020}.jsonl", 1));
    let text = fs::read_to_string(&file).unwrap();
    (file, text)
}

#[test]
fn a_damaged_last_line_silences_nobody_and_is_kept_for_evidence() {
    let records = chain(6, 10);
    let huge = |text: &str| text.replacen("\"index\":4", "\"index\":18446744073709551615", 1);
    let garbled = |text: &str| text.replacen("{\"index\":4", "\u{0}\"index\":4", 1);
    let other = |text: &str| {
        text.replacen("\"term\":3", "\"term\":2", 4).replacen("\"term\":2", "\"term\":3", 3)
    };
    let damages: [&dyn Fn(&str) -> String; 3] = [&huge, &garbled, &other];
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        let (file, text) = written(dir.path(), &records[..4]);
        let damaged = damage(&text);
        assert_ne!(damaged, text);
        fs::write(&file, &damaged).unwrap();
        let mut archive = Archive::open(dir.path(), 1 << 30).unwrap();
        // The log is applied again from the entry before the lost one; then it goes on.
        records[2..].iter().for_each(|record| archive.append(record).unwrap());
        let page = page(dir.path(), 1).unwrap();
        let indices: Vec<u64> = page.lines.iter().map(|line| line.index).collect();
        assert_eq!(indices, [1, 2, 3, 4, 5, 6]);
        assert!(page.lines.iter().all(|line| line.is_sound()));
        let aside = format!("{}.damaged-1", file.display());
        assert_eq!(fs::read_to_string(aside).unwrap(), damaged, "as it was found");
        assert_eq!(names(dir.path()).len(), 2);
    }
}

#[test]
fn sound_lines_behind_a_damaged_one_stay_and_a_file_without_any_gives_way_to_a_new_one() {
    let records = chain(6, 10);
    let dir = tempfile::tempdir().unwrap();
    let (file, text) = written(dir.path(), &records[..5]);
    fs::write(&file, text.replacen("\"index\":3", "\"index\":9", 1)).unwrap();
    let mut archive = Archive::open(dir.path(), 1 << 30).unwrap();
    archive.append(&records[5]).unwrap();
    assert_eq!(lines(dir.path(), 1), [1, 2, 4, 5, 6]);
    drop(archive);
    let mut bytes = fs::read(&file).unwrap();
    bytes.iter_mut().filter(|byte| **byte == b':').for_each(|byte| *byte = 0xff);
    fs::write(&file, bytes).unwrap();
    let mut archive = Archive::open(dir.path(), 1 << 30).unwrap();
    assert!(!file.exists());
    archive.append(&records[5]).unwrap();
    assert_eq!(lines(dir.path(), 1), [6]);
    let kept = ["00000000000000000001.jsonl.damaged-1", "00000000000000000001.jsonl.damaged-2"];
    assert_eq!(names(dir.path())[..2], kept);
}

#[test]
fn so_many_damaged_files_are_kept_and_with_one_more_a_person_must_look() {
    let dir = tempfile::tempdir().unwrap();
    let records = chain(2, 10);
    for kept in 0..=limits::DAMAGED_KEPT {
        let (file, text) = written(dir.path(), &records);
        fs::write(&file, text.replacen("\"index\":2", "\"index\":3", 1)).unwrap();
        let opened = Archive::open(dir.path(), 1 << 30);
        if kept < limits::DAMAGED_KEPT {
            opened.unwrap().append(&records[1]).unwrap();
            assert_eq!(names(dir.path()).len(), kept + 2);
        } else {
            let why = opened.expect_err("one too many").to_string();
            assert!(
                why.contains("8 damaged files are kept") && why.contains("move them away"),
                "{why}"
            );
            assert!(fs::read_to_string(&file).unwrap().contains("\"index\":3"), "untouched");
        }
    }
}

#[test]
fn the_archive_is_for_its_owner_only_and_so_is_what_an_earlier_version_left() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = written(dir.path(), &chain(2, 10));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let archive = dir.path().join(AUDIT_DIR);
    assert_eq!((mode(&archive), mode(&file)), (0o700, 0o600));
    fs::set_permissions(&archive, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    Archive::open(dir.path(), 1 << 30).unwrap();
    assert_eq!((mode(&archive), mode(&file)), (0o700, 0o600));
}
