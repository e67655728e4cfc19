//! A ring with as many segments as it may have.

use std::fs;
use std::path::Path;

use super::limits::FILES;
use super::{Header, Ring, find};
use crate::kernel::domain::{Incarnation, MemberId};

/// So many segments of a first process: links to one empty file, which are made quickly.
fn segments(dir: &Path, count: usize) {
    let empty = dir.join("empty");
    fs::write(&empty, b"").unwrap();
    for number in 1..=count {
        fs::hard_link(&empty, dir.join(format!("{:010}-{number:06}.journal", 1))).unwrap();
    }
}

#[test]
fn so_many_segments_are_looked_at_and_with_one_more_none() {
    let dir = tempfile::tempdir().unwrap();
    segments(dir.path(), FILES);
    assert_eq!(find(dir.path()).unwrap().segments.len(), FILES);
    fs::write(dir.path().join("0000000002-000001.journal"), b"").unwrap();
    let refused = find(dir.path()).expect_err("one too many");
    assert_eq!(refused.to_string(), "more than 4096 segments");
}

#[test]
fn a_ring_keeps_to_the_number_of_its_segments_and_loses_its_oldest() {
    let dir = tempfile::tempdir().unwrap();
    segments(dir.path(), FILES + 1);
    let mut ring = Ring::open(dir.path(), 1 << 30).unwrap();
    let mut header = Header::of("test".to_owned(), MemberId(1), Incarnation(2));
    for (segment, oldest) in [(1, 3), (2, 4)] {
        header.segment = segment;
        ring.begin(&header, b"{}").unwrap();
        let found = find(dir.path()).unwrap().segments;
        assert_eq!(found.len(), FILES);
        assert!(found[0].ends_with(format!("{:010}-{oldest:06}.journal", 1)), "{:?}", found[0]);
    }
}
