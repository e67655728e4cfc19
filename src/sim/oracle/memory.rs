//! P10, bounded: nothing that a controller keeps grows above its limit.

use super::{Finding, Oracle};
use crate::kernel::controller::Size;

/// What a controller keeps, after each of its turns.
#[derive(Debug, Default)]
pub(super) struct Memory;

impl Oracle for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn turned(&mut self, node: usize, sizes: &[Size]) -> Finding {
        match sizes.iter().find(|size| size.is > size.at_most) {
            Some(Size { of, is, at_most }) => {
                Err(format!("node {} keeps {is} {of}; the limit is {at_most}", node + 1))
            }
            None => Ok(()),
        }
    }
}
