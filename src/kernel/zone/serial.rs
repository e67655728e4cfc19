//! Serial numbers of zones (RFC 1982).

/// The serial after `serial`: one more, in the circle of RFC 1982, section 3.1. Zero is skipped, because
/// some software takes it for "no serial yet".
pub const fn next_serial(serial: u32) -> u32 {
    match serial.wrapping_add(1) {
        0 => 1,
        next => next,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether `a` is newer than `b` (RFC 1982, section 3.2).
    fn newer(a: u32, b: u32) -> bool {
        a != b && a.wrapping_sub(b) < 1 << 31
    }

    #[test]
    fn zero_is_skipped() {
        assert_eq!(next_serial(u32::MAX), 1);
        assert_eq!(next_serial(0), 1);
        assert_eq!(next_serial(1), 2);
    }

    proptest! {
        #[test]
        fn the_next_serial_is_always_newer(serial: u32) {
            prop_assert!(newer(next_serial(serial), serial));
            prop_assert_ne!(next_serial(serial), 0);
        }
    }
}
