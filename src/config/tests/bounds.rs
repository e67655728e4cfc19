//! Bounds of reading, each at its last value and one beyond.

use super::super::reader::{FAULTS, Reader};

#[test]
fn so_many_faults_are_kept_and_further_ones_are_counted() {
    for count in [FAULTS, FAULTS + 1] {
        let text: String = (0..count).map(|n| format!("k{n} = {n}\n")).collect();
        let faults = Reader::read("f", &text, |_| Some(())).expect_err("nobody knows these keys");
        assert_eq!((faults.list().len(), faults.count()), (FAULTS, count));
    }
}
