//! P3, never empty: whoever resolves a group's name at a node that answers is told an address.

use super::{Finding, Oracle};
use crate::kernel::domain::GroupName;

/// It looks at answers one by one.
#[derive(Debug, Default)]
pub(super) struct NeverEmpty;

impl Oracle for NeverEmpty {
    fn name(&self) -> &'static str {
        "never_empty"
    }

    fn answered(&mut self, node: usize, group: &GroupName, plane: Option<usize>) -> Finding {
        match plane {
            Some(_) => Ok(()),
            None => Err(format!("node {} answers {group} with no address", node + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::cluster::group;

    #[test]
    fn an_answer_without_an_address_is_found() {
        let mut oracle = NeverEmpty;
        assert_eq!(oracle.answered(1, &group("shop"), Some(0)), Ok(()));
        let what = oracle.answered(1, &group("shop"), None).expect_err("it is empty");
        assert_eq!(what, "node 2 answers shop with no address");
    }
}
