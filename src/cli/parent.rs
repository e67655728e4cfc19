//! A child that ends with its parent, also when the parent is killed.

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::exit::Failure;

/// Asks the kernel to kill this process when the thread that started it ends, then looks whether the parent
/// is still there: it may have died before the request.
///
/// SIGKILL, because a stopped process takes nothing else.
pub(super) fn bind(parent: Option<i32>) -> Result<(), Failure> {
    let Some(parent) = parent else { return Ok(()) };
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| {
        Failure::failed(format!("cannot be bound to process {parent}: {error}"), "")
    })?;
    match getppid() {
        Some(actual) if Pid::from_raw(parent) == Some(actual) => Ok(()),
        _ => Err(Failure::failed(
            format!("process {parent} did not start this one, or is gone"),
            "--parent is for programs that start biplane as a child",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_the_parent_is_refused() {
        assert!(bind(Some(i32::MAX)).is_err());
        // The tests themselves must outlive nobody.
        set_parent_process_death_signal(None).unwrap();
        assert!(bind(None).is_ok());
    }
}
