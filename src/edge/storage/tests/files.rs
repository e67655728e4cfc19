//! Real files in a directory: births, reopening, and what is refused, with what it tells people to do.

use std::fs;
use std::path::Path;

use super::super::birth::TOKEN_BYTES;
use super::super::*;
use super::workload::{Draws, after, identity, members, next_batch, same};
use crate::kernel::domain::MemberId;

fn token(random: &str) -> String {
    format!("{random} members=1,2,3\n")
}

fn born(dir: &Path) -> RedbStore {
    fs::write(dir.join(BIRTH_TOKEN_FILE), token("0123abcd")).unwrap();
    open_dir(dir, &identity()).unwrap()
}

fn refusal(dir: &Path) -> StoreError {
    let opened = open_dir(dir, &identity()).and_then(|mut store| store.recover());
    opened.expect_err("it must be refused")
}

#[test]
fn a_file_reopens_with_what_was_written_and_a_higher_incarnation() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = born(dir.path());
    assert!(!dir.path().join(BIRTH_TOKEN_FILE).exists(), "the token is spent");
    let mut held = store.recover().unwrap();
    let mut draws = Draws(1);
    for number in 1..40 {
        let batch = next_batch(&mut draws, &held, number);
        store.persist(&batch).unwrap();
        held = after(&held, &batch);
    }
    assert!(matches!(refusal(dir.path()), StoreError::InUse));
    drop(store);
    for _ in 0..3 {
        let found = open_dir(dir.path(), &identity()).unwrap().recover().unwrap();
        assert!(same(&found, &held) && found.incarnation > held.incarnation);
        held = found;
    }
}

#[test]
fn a_store_is_for_its_owner_only_and_so_is_one_that_an_earlier_version_left_open() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    drop(born(dir.path()));
    let store = dir.path().join(STORE_FILE);
    let mode = || fs::metadata(&store).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&store, fs::Permissions::from_mode(0o644)).unwrap();
    drop(open_dir(dir.path(), &identity()).unwrap());
    assert_eq!(mode(), 0o600);
}

#[test]
fn a_directory_without_store_and_token_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("missing")] {
        let refused = refusal(&path);
        assert!(matches!(refused, StoreError::NoBirth(_)));
        assert!(refused.to_string().contains("must not vote again"));
    }
}

#[test]
fn a_member_whose_store_was_wiped_does_not_vote_again() {
    let dir = tempfile::tempdir().unwrap();
    drop(born(dir.path()));
    let store = dir.path().join(STORE_FILE);
    fs::write(&store, b"").unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::Corrupt(_)), "emptied");
    fs::write(&store, vec![0; 1 << 20]).unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::Corrupt(_)), "all zeros");
    drop(redb::Database::create(dir.path().join("fresh")).unwrap());
    fs::rename(dir.path().join("fresh"), &store).unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::Corrupt(_)), "a fresh file of redb's");
    fs::remove_file(&store).unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::NoBirth(_)), "removed");
}

#[test]
fn a_birth_goes_on_wherever_it_was_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    // In the middle of making the store.
    fs::write(dir.path().join("biplane.redb.new"), vec![3; 5_000]).unwrap();
    drop(born(dir.path()));
    // After the store got its name, before the token was removed.
    let mut store = born(dir.path());
    let held = store.recover().unwrap();
    store.persist(&next_batch(&mut Draws(1), &held, 1)).unwrap();
    drop(store);
    let found = born(dir.path()).recover().unwrap();
    assert_eq!(found.hard_state.term, 1, "a store that is there is not made anew");
}

#[test]
fn the_token_of_another_birth_beside_a_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(born(dir.path()));
    fs::write(dir.path().join(BIRTH_TOKEN_FILE), token("another")).unwrap();
    let refused = refusal(dir.path());
    assert!(matches!(refused, StoreError::OtherBirth(_)));
    assert!(refused.to_string().contains("remove the file birth-token"), "{refused}");
    assert!(dir.path().join(BIRTH_TOKEN_FILE).exists());
    fs::write(dir.path().join(BIRTH_TOKEN_FILE), vec![b'a'; 5_000]).unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::Failed(_)));
}

#[test]
fn another_cluster_or_member_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(born(dir.path()));
    let others = [
        Identity { member: MemberId(2), ..identity() },
        Identity { cluster: "other".to_owned(), ..identity() },
    ];
    for other in others {
        let refused = open_dir(dir.path(), &other).unwrap_err();
        assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");
        assert!(refused.to_string().contains("member 1 of cluster test"), "{refused}");
    }
}

#[test]
fn a_cluster_file_with_other_members_is_refused_at_birth_and_ever_after() {
    let dir = tempfile::tempdir().unwrap();
    let file = |ids: &[u64]| Identity {
        members: ids.iter().copied().map(MemberId).collect(),
        ..identity()
    };
    let refused = |ids: &[u64]| {
        let refused = open_dir(dir.path(), &file(ids)).unwrap_err();
        assert!(matches!(refused, StoreError::OtherMembers { .. }), "{refused}");
        assert!(refused.to_string().contains("made of 1, 2, 3"), "{refused}");
    };
    let lists: [&[u64]; 4] = [&[1], &[1, 2], &[1, 2, 4], &[1, 2, 3, 4]];
    let path = dir.path().join(BIRTH_TOKEN_FILE);
    fs::write(&path, birth_token(&[7; 16], members([1, 2, 3]))).unwrap();
    lists.into_iter().for_each(refused);
    assert!(
        path.exists() && !dir.path().join(STORE_FILE).exists(),
        "nothing is spent on a refusal"
    );
    drop(open_dir(dir.path(), &identity()).unwrap());
    lists.into_iter().for_each(refused);
    drop(open_dir(dir.path(), &identity()).unwrap());
}

#[test]
fn a_token_that_init_did_not_make_gives_no_birth() {
    for text in ["", "0123abcd", "0123abcd members=", "0123abcd members=1,x", "ab members=1,2,3,"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(BIRTH_TOKEN_FILE), text).unwrap();
        assert!(matches!(refusal(dir.path()), StoreError::NoToken(_)), "{text:?}");
    }
}

#[test]
fn a_token_of_the_limit_gives_birth_and_a_longer_one_does_not() {
    let most = usize::try_from(TOKEN_BYTES).unwrap();
    let of = |bytes: usize| token(&"a".repeat(bytes - token("").len()));
    let [longest, longer] = [most, most + 1].map(|bytes| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(BIRTH_TOKEN_FILE), of(bytes)).unwrap();
        open_dir(dir.path(), &identity()).map(drop)
    });
    longest.unwrap();
    let refused = longer.expect_err("a byte too long").to_string();
    assert!(refused.contains("is longer than 256 bytes"), "{refused}");
    // The longest that `init` makes.
    let members = (0..9).map(|number| MemberId(u64::MAX - number));
    assert!(birth_token(&[7; 16], members).len() <= most);
}

#[test]
fn a_newer_format_is_refused_with_what_to_start() {
    let dir = tempfile::tempdir().unwrap();
    drop(born(dir.path()));
    let database = redb::Database::open(dir.path().join(STORE_FILE)).unwrap();
    let write = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
    let format = record::encode(&(limits::FORMAT + 1)).unwrap();
    write.open_table(meta).unwrap().insert("format", format.as_slice()).unwrap();
    write.commit().unwrap();
    drop(database);
    let refused = refusal(dir.path());
    assert!(matches!(refused, StoreError::Newer(2)), "{refused}");
    assert!(refused.to_string().contains("start a newer biplane"), "{refused}");
}

#[test]
fn a_garbled_and_a_cut_file_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(STORE_FILE);
    let mut store = born(dir.path());
    let recovered = store.recover().unwrap();
    store.persist(&next_batch(&mut Draws(1), &recovered, 1)).unwrap();
    drop(store);
    let bytes = fs::read(&path).unwrap();
    for len in [1, 100, 4_096, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..len]).unwrap();
        assert!(matches!(refusal(dir.path()), StoreError::Corrupt(_)), "cut to {len} bytes");
    }
    fs::write(&path, vec![0x5a; 20_000]).unwrap();
    let refused = refusal(dir.path());
    assert!(refused.to_string().contains("Do not put an older copy in its place"), "{refused}");
}

#[test]
fn entries_that_contradict_each_other_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = born(dir.path());
    let held = store.recover().unwrap();
    let mut draws = Draws(1);
    let mut batch = next_batch(&mut draws, &held, 1);
    while batch.entries.len() < 3 {
        batch = next_batch(&mut draws, &held, 1);
    }
    batch.entries.remove(1);
    store.persist(&batch).unwrap();
    drop(store);
    let refused = refusal(dir.path());
    assert!(matches!(&refused, StoreError::Corrupt(why) if why.contains("gap")), "{refused}");
}
