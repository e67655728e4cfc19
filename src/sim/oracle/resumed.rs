//! P9, replayable, from mid-life: a kernel that was written down and read back must do what the first one does, for
//! all inputs to come, and later both must be the same to the last field.

use crate::kernel::controller::{Controller, Input};
use crate::kernel::domain::Moment;
use crate::sim::rng::mix;
use crate::sim::trace::Digest;

/// The first copy begins within so many inputs.
const FIRST: u64 = 1_000;
/// Between the end of one copy and the next, in inputs: up to so many. Writing a kernel down costs what hundreds of
/// inputs cost.
const PAUSE: u64 = 2_000;
/// How many inputs a copy takes; one in four lives ten times as long.
const LIFE: u64 = 200;

/// At times, a copy that runs beside the first kernel.
#[derive(Debug)]
pub(super) struct Resumed {
    draws: u64,
    begins: u64,
    ends: u64,
    copy: Option<Controller>,
}

fn written(kernel: &Controller) -> Option<Vec<u8>> {
    let copy = kernel.copy()?;
    Some(serde_json::to_vec(&copy).expect("every part of a kernel can be written as JSON"))
}

/// All of a kernel in one number.
fn whole(kernel: &Controller) -> Option<Digest> {
    let mut all = Digest::default();
    all.value_of(&kernel.copy()?);
    Some(all)
}

impl Resumed {
    /// Begins at places drawn from a seed.
    pub(super) const fn new(seed: u64) -> Self {
        let mut all = Self { draws: seed, begins: 0, ends: 0, copy: None };
        all.begins = all.draw(FIRST);
        all
    }

    const fn draw(&mut self, below: u64) -> u64 {
        self.draws = self.draws.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.draws) % below
    }

    /// The first kernel took this input, which gave these outputs.
    ///
    /// # Errors
    /// In words, when the copy does something else.
    pub(super) fn took(
        &mut self,
        number: u64,
        first: &Controller,
        (now, input): (Moment, &Input),
        outputs: Digest,
    ) -> Result<(), String> {
        let Some(copy) = &mut self.copy else {
            self.begin(number, first);
            return Ok(());
        };
        let again = postcard::to_stdvec(input).and_then(|bytes| postcard::from_bytes(&bytes));
        let input: Input = again.map_err(|error| {
            format!("input {number} cannot be written down and read back: {error}")
        })?;
        copy.handle(now, input);
        let mut same = Digest::default();
        while let Some(output) = copy.poll() {
            super::replay::digest_whole(&mut same, &output);
        }
        if same != outputs {
            return Err(format!(
                "a kernel that was read back gave other outputs for input {number}"
            ));
        }
        if number < self.ends {
            return Ok(());
        }
        match (whole(first), whole(copy)) {
            (None, None) => return Ok(()),
            (Some(first), Some(copy)) if first == copy => {}
            _ => {
                return Err(format!(
                    "a kernel that was read back is another one at input {number}"
                ));
            }
        }
        self.copy = None;

        self.begins = number + self.draw(PAUSE);
        Ok(())
    }

    fn begin(&mut self, number: u64, first: &Controller) {
        if number < self.begins {
            return;
        }
        let Some(bytes) = written(first) else { return };
        let copy = serde_json::from_slice(&bytes).expect("what was just written can be read");
        self.copy = Some(copy);
        let long = self.draw(4) == 0;
        self.ends = number + self.draw(LIFE) * if long { 10 } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::kernel::consensus::Recovered;
    use crate::kernel::controller::Boot;
    use crate::kernel::domain::MemberId;
    use crate::sim::cluster::{Shape, cluster};
    use crate::sim::oracle::replay::digest_whole;

    /// Runs a kernel and a copy of it; from input 1,500 on the copy hears something else.
    fn run(honest: bool) -> Result<(), String> {
        let boot = Boot {
            me: MemberId(1),
            cluster: Arc::new(cluster(&Shape::default())),
            text: Arc::from(""),
            certificate_until: None,
            recovered: Recovered::default(),
            seed: 1,
            log_entries: 100,
        };
        let mut now = Moment::ZERO;
        let mut first = Controller::start(now, boot)?;
        let mut resumed = Resumed::new(1);
        for number in 0..6_000 {
            now = now + Duration::from_millis(20);
            first.handle(now, Input::TimePassed);
            let mut outputs = Digest::default();
            while let Some(output) = first.poll() {
                digest_whole(&mut outputs, &output);
            }
            let later = now + Duration::from_micros(u64::from(!honest && number >= 1_500));
            resumed.took(number, &first, (later, &Input::TimePassed), outputs)?;
        }
        Ok(())
    }

    #[test]
    fn a_copy_that_does_something_else_is_found_and_an_honest_one_is_not() {
        assert_eq!(run(true), Ok(()));
        let found = run(false).expect_err("it hears another time");
        assert!(found.contains("read back"), "{found}");
    }
}
