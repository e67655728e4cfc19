//! A store that a released version has written opens in every later one, with all that was in it.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use lz4_flex::frame::{FrameDecoder, FrameEncoder};

use super::super::*;
use super::workload::identity;
use crate::kernel::consensus::{HardState, LogEntry, Membership, SnapshotRecord};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/store/biplane.redb.lz4");

fn entry(index: u64) -> LogEntry {
    let data = Bytes::from(format!("{{\"entry\":{index}}}"));
    LogEntry { index, term: 3, kind: 0, data, context: Bytes::new() }
}

fn snapshot() -> SnapshotRecord {
    let voters = vec![1, 2, 3];
    let membership = Membership { voters, ..Membership::default() };
    SnapshotRecord { index: 4, term: 2, membership, data: Bytes::from_static(b"the state") }
}

fn state() -> HardState {
    HardState { term: 3, vote: 2, commit: 6 }
}

/// Writes the file anew, packed: most of a small store is empty.
fn write_anew(dir: &Path) {
    fs::write(dir.join(BIRTH_TOKEN_FILE), "0123abcd members=1,2,3\n").unwrap();
    let mut store = open_dir(dir, &identity()).unwrap();
    store.recover().unwrap();
    let batch = PersistBatch {
        number: 1,
        snapshot: Some(snapshot()),
        first_index: Some(5),
        entries: (5..8).map(entry).collect(),
        hard_state: Some(state()),
        ..PersistBatch::default()
    };
    store.persist(&batch).unwrap();
    drop(store);
    let mut packed = FrameEncoder::new(fs::File::create(FILE).unwrap());
    std::io::copy(&mut fs::File::open(dir.join(STORE_FILE)).unwrap(), &mut packed).unwrap();
    packed.finish().unwrap();
}

#[test]
fn a_store_that_was_ever_written_opens_with_all_that_was_in_it() {
    let dir = tempfile::tempdir().unwrap();
    if std::env::var_os("REWRITE").is_some() && !Path::new(FILE).exists() {
        write_anew(dir.path());
    }
    let mut file = fs::File::create(dir.path().join(STORE_FILE)).unwrap();
    let mut packed = FrameDecoder::new(fs::File::open(FILE).unwrap());
    std::io::copy(&mut packed, &mut file).unwrap();
    drop(file);
    let found = open_dir(dir.path(), &identity()).unwrap().recover().unwrap();
    assert_eq!(found.incarnation.0, 2, "one more than when it was written");
    assert_eq!(found.hard_state, state());
    assert_eq!(found.snapshot, Some(snapshot()));
    assert_eq!(found.entries, (5..8).map(entry).collect::<Vec<_>>());
}
