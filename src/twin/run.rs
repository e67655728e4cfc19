//! One kernel, given its inputs again.

use crate::edge::journal::{Beginning, Header, Turn, Turns};
use crate::kernel::controller::{Controller, Input, Output, OutputDigest};
use crate::kernel::domain::{Moment, WallTime};

use super::report::{Difference, Told, name_of};

/// A kernel in the middle of its replay.
pub(super) struct Run<'a> {
    kernel: Controller,
    header: Header,
    now: Moment,
    /// The wall clock and when it was told.
    wall: (WallTime, Moment),
    /// The first that was known.
    pub(super) first_wall: WallTime,
    digest: OutputDigest,
    /// Inputs so far.
    pub(super) inputs: u64,
    /// Inputs of the block that are still to come.
    pub(super) left: usize,
    /// The input that is being handled.
    handling: &'static str,
    tell: &'a mut dyn FnMut(Told<'_>),
}

impl<'a> Run<'a> {
    pub(super) fn start(
        header: &Header,
        beginning: Beginning,
        tell: &'a mut dyn FnMut(Told<'_>),
    ) -> Result<Self, String> {
        let kernel = match beginning {
            Beginning::Boot(boot) => Controller::start(header.begins, *boot)?,
            Beginning::Kernel(kernel) => *kernel,
        };
        Ok(Self {
            kernel,
            header: header.clone(),
            now: header.begins,
            wall: (header.wall, header.begins),
            first_wall: header.wall,
            digest: OutputDigest::default(),
            inputs: 0,
            left: 0,
            handling: "",
            tell,
        })
    }

    pub(super) fn wall(&self) -> WallTime {
        let (wall, at) = self.wall;
        if wall == WallTime::default() {
            return wall;
        }
        let since = u64::try_from(self.now.since(at).as_millis()).unwrap_or(u64::MAX);
        WallTime(wall.0.saturating_add(since))
    }

    /// Gives a block of inputs; the first difference ends it.
    pub(super) fn take(&mut self, turns: Turns) -> Result<(), Difference> {
        self.left = turns.turns.len();
        for turn in turns.turns {
            self.left -= 1;
            self.turn(turn)?;
        }
        let digest = self.digest.value();
        if digest == turns.digest {
            return Ok(());
        }
        let (then, now) =
            (format!("digest {:016x}", turns.digest), format!("digest {digest:016x}"));
        Err(self.difference(None, then, now))
    }

    fn turn(&mut self, turn: Turn) -> Result<(), Difference> {
        let Turn { after, input, outputs } = turn;
        self.inputs += 1;
        self.handling = input.kind();
        let span = std::time::Duration::from_micros(after);
        self.now = self.now + span;
        if let Input::WallClock(wall) = &input {
            self.wall = (*wall, self.now);
            if self.first_wall == WallTime::default() {
                self.first_wall = *wall;
            }
        }
        self.kernel.handle(self.now, input);
        let mut then = outputs.iter();
        let mut place = 0;
        while let Some(output) = self.kernel.poll() {
            place += 1;
            if let Output::Event(event) = &output {
                let at = self.wall();
                let input = self.header.inputs + self.inputs;
                (self.tell)(Told { member: self.header.member, at, input, event });
            }
            let digest = OutputDigest::of(&output);
            self.digest.join(digest);
            let (then, now) = (then.next(), Turn::note(output.kind(), digest));
            if then != Some(&now) {
                return Err(self.difference(Some(place), name_of(then), name_of(Some(&now))));
            }
        }
        match then.next() {
            None => Ok(()),
            missing => Err(self.difference(Some(place + 1), name_of(missing), name_of(None))),
        }
    }

    fn difference(&self, output: Option<usize>, then: String, now: String) -> Difference {
        let input = self.header.inputs + self.inputs;
        Difference { input, kind: self.handling, at: self.wall(), output, then, now }
    }

    /// The kernel panicked in the input that it was given last.
    pub(super) fn panicked(&self, what: String) -> Difference {
        self.difference(None, "no panic".to_owned(), format!("a panic: {what}"))
    }

    /// The kernel as it is now, as a segment would start with it.
    pub(super) fn kernel(&self) -> Option<Beginning> {
        self.kernel.copy().map(|kernel| Beginning::Kernel(Box::new(kernel)))
    }
}
