//! The kernel's own thread: takes an input, reads the clock, lets the machine handle it, does what it says.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::Duration;

use super::clock::Clock;
use super::inbox::{Inbox, Taken};
use super::limits::{LONGEST_SLEEP, SHORTEST_SLEEP, VAIN_TURNS};
use super::scribe::Scribe;
use crate::edge::telemetry::names::{HANDLE_SECONDS, STALL_SECONDS};
use crate::kernel::controller::{Controller, Input, Output};
use crate::kernel::domain::{Moment, Timer};

/// What runs on the thread: the controller, or a stand-in of a test.
pub trait Machine: Send + 'static {
    /// As [`Controller::handle`].
    fn handle(&mut self, now: Moment, input: Input);
    /// As [`Controller::poll`].
    fn poll(&mut self) -> Option<Output>;
    /// As [`Controller::copy`].
    fn copy(&self) -> Option<Controller>;
}

impl Machine for Controller {
    fn handle(&mut self, now: Moment, input: Input) {
        Self::handle(self, now, input);
    }

    fn poll(&mut self) -> Option<Output> {
        Self::poll(self)
    }

    fn copy(&self) -> Option<Controller> {
        Self::copy(self)
    }
}

/// Does what an output says. It is called on the kernel's thread and must never wait.
pub trait Hands: Send + 'static {
    /// Carries out any output but [`Output::WaitUntil`].
    fn carry_out(&mut self, output: Output);
}

/// The running thread. It ends when its inbox is closed, and soon after this is dropped.
#[derive(Debug)]
pub struct KernelThread {
    inbox: Inbox,
    thread: Option<JoinHandle<()>>,
}

impl Drop for KernelThread {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

impl KernelThread {
    /// Starts the machine. Its inputs and what comes of them are told to the scribe. The first input it gets is the wall clock. A panic in it ends the whole process: a
    /// machine that contradicted itself must not go on deciding, and its disk holds what it promised.
    pub fn start(
        inbox: Inbox,
        clock: Clock,
        machine: impl Machine,
        hands: impl Hands,
        scribe: Option<Scribe>,
    ) -> io::Result<Self> {
        inbox.wall_clock(clock.wall());
        let turns = Turns { inbox: inbox.clone(), clock, machine, hands, scribe };
        let thread = std::thread::Builder::new()
            .name("kernel".to_owned())
            .spawn(move || or_abort("kernel", || turns.run()))?;
        Ok(Self { inbox, thread: Some(thread) })
    }

    /// Closes the inbox and waits for the thread's end.
    pub fn stop(mut self) {
        self.inbox.close();
        if let Some(thread) = self.thread.take() {
            // It catches its own unwinds, so there is nothing to learn from the join.
            let _ = thread.join();
        }
    }
}

/// Runs `body`; an unwind out of it is logged and ends the process.
pub(super) fn or_abort(thread: &'static str, body: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(body)).is_err() {
        tracing::error!(
            thread,
            "a panic in a thread that must not fail: this process ends; what it acknowledged is on its disk. \
             Start it again, and report the panic above"
        );
        std::process::abort();
    }
}

struct Turns<M, H> {
    inbox: Inbox,
    clock: Clock,
    machine: M,
    hands: H,
    scribe: Option<Scribe>,
}

/// When the machine wants to be woken, and why.
struct Wake {
    moment: Moment,
    why: Option<Timer>,
    /// Turns in a row that time alone took and that did not move the moment into the future.
    in_vain: u32,
}

impl<M: Machine, H: Hands> Turns<M, H> {
    fn run(mut self) {
        let mut wake = Wake { moment: self.clock.now(), why: None, in_vain: 0 };
        loop {
            let due = wake.moment <= self.clock.now();
            // Inputs and the timer take turns when both are there, so that neither starves.
            let taken = if due && wake.in_vain == 0 {
                Taken::Nothing
            } else {
                self.inbox.take(self.patience(&wake))
            };
            let input = match taken {
                Taken::Input(input) => input,
                Taken::Closed => return,
                Taken::Nothing => {
                    let now = self.clock.now();
                    if now < wake.moment {
                        continue;
                    }
                    if !due {
                        metrics::histogram!(STALL_SECONDS).record(now.since(wake.moment));
                    }
                    Input::TimePassed
                }
            };
            let time_alone = input == Input::TimePassed;
            self.turn(input, &mut wake);
            self.note_vain(time_alone, &mut wake);
        }
    }

    /// A machine that wants to be woken at once, again and again, gets its way, but not a whole processor.
    fn note_vain(&self, time_alone: bool, wake: &mut Wake) {
        if !time_alone || wake.moment > self.clock.now() {
            wake.in_vain = 0;
            return;
        }
        wake.in_vain = wake.in_vain.saturating_add(1);
        if wake.in_vain == VAIN_TURNS {
            tracing::warn!(timer = ?wake.why, "the kernel wants to be woken over and over: please report this");
        }
    }

    /// `now` is read after the input was taken, so it is never earlier than the input's arrival.
    fn turn(&mut self, input: Input, wake: &mut Wake) {
        let kind = input.kind();
        let now = self.clock.now();
        if let Some(scribe) = &mut self.scribe {
            scribe.takes(now, &input);
        }
        self.machine.handle(now, input);
        // Whoever is answered may look at once: what this turn shows is shown before.
        let mut replies = Vec::new();
        while let Some(output) = self.machine.poll() {
            if let Some(scribe) = &mut self.scribe {
                scribe.gives(&output);
            }
            match output {
                Output::WaitUntil(moment, why) => (wake.moment, wake.why) = (moment, Some(why)),
                reply @ Output::Reply { .. } => replies.push(reply),
                output => self.hands.carry_out(output),
            }
        }
        replies.into_iter().for_each(|reply| self.hands.carry_out(reply));
        if let Some(scribe) = &mut self.scribe {
            scribe.turned(now, || self.machine.copy());
        }
        let took = self.clock.now().since(now);
        metrics::histogram!(HANDLE_SECONDS, "input" => kind).record(took);
    }

    fn patience(&self, wake: &Wake) -> Duration {
        let shortest = if wake.in_vain == 0 { Duration::ZERO } else { SHORTEST_SLEEP };
        wake.moment.since(self.clock.now()).clamp(shortest, LONGEST_SLEEP)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::os::unix::process::ExitStatusExt;
    use std::sync::mpsc;

    use super::*;
    use crate::kernel::controller::{Event, Level, RequestId, Response};

    const PATIENCE: Duration = Duration::from_secs(20);
    const OFTEN: Duration = Duration::from_millis(5);

    /// Tells every input and its `now`, as an event; wants to be woken every so often.
    struct Parrot {
        every: Duration,
        wake: Moment,
        outputs: VecDeque<Output>,
    }

    impl Machine for Parrot {
        fn handle(&mut self, now: Moment, input: Input) {
            assert_ne!(input, Input::DiskFailed("fall over".to_owned()));
            let kind = input.kind();
            let text = format!("{} {kind}", now.as_micros());
            let event = Event { level: Level::Debug, kind: "turn", text, group: None };
            self.outputs.push_back(Output::Event(event));
            if kind == "time" {
                self.wake = now + self.every;
            }
            self.outputs.push_back(Output::WaitUntil(self.wake, Timer::Probe));
        }

        fn poll(&mut self) -> Option<Output> {
            self.outputs.pop_front()
        }

        fn copy(&self) -> Option<Controller> {
            None
        }
    }

    struct Ears(mpsc::Sender<String>);

    impl Hands for Ears {
        fn carry_out(&mut self, output: Output) {
            let Output::Event(event) = output else { panic!("only events: {output:?}") };
            let _ = self.0.send(event.text);
        }
    }

    /// Answers first, and says what it did afterwards, as the kernel publishes at the end of a turn.
    struct Hasty(VecDeque<Output>);

    impl Machine for Hasty {
        fn handle(&mut self, now: Moment, input: Input) {
            let text = input.kind().to_owned();
            let said = Event { level: Level::Debug, kind: "turn", text, group: None };
            self.0.push_back(Output::Reply { id: RequestId(1), response: Response::Done });
            self.0.push_back(Output::Event(said));
            self.0.push_back(Output::WaitUntil(now + PATIENCE, Timer::Probe));
        }

        fn poll(&mut self) -> Option<Output> {
            self.0.pop_front()
        }

        fn copy(&self) -> Option<Controller> {
            None
        }
    }

    struct InOrder(mpsc::Sender<&'static str>);

    impl Hands for InOrder {
        fn carry_out(&mut self, output: Output) {
            let reply = matches!(output, Output::Reply { .. });
            let _ = self.0.send(if reply { "answered" } else { "shown" });
        }
    }

    #[test]
    fn who_is_answered_finds_what_the_turn_shows() {
        let (sender, heard) = mpsc::channel();
        let inbox = Inbox::new();
        let hasty = Hasty(VecDeque::new());
        let thread = KernelThread::start(inbox.clone(), Clock, hasty, InOrder(sender), None);
        let thread = thread.unwrap();
        inbox.persisted(1);
        let order = [(); 2].map(|()| heard.recv_timeout(PATIENCE).expect("a turn in time"));
        assert_eq!(order, ["shown", "answered"]);
        thread.stop();
    }

    fn parrot(every: Duration) -> (Inbox, KernelThread, mpsc::Receiver<String>) {
        let (sender, heard) = mpsc::channel();
        let inbox = Inbox::new();
        let parrot = Parrot { every, wake: Moment::ZERO, outputs: VecDeque::new() };
        let thread = KernelThread::start(inbox.clone(), Clock, parrot, Ears(sender), None).unwrap();
        (inbox, thread, heard)
    }

    fn next(heard: &mpsc::Receiver<String>) -> (u64, String) {
        let text = heard.recv_timeout(PATIENCE).expect("a turn in time");
        let (micros, kind) = text.split_once(' ').unwrap();
        (micros.parse().unwrap(), kind.to_owned())
    }

    #[test]
    fn time_passes_by_itself_and_a_flood_of_inputs_does_not_stop_it() {
        let (inbox, thread, heard) = parrot(OFTEN);
        let mut kinds = Vec::new();
        let mut last = 0;
        while kinds.iter().filter(|kind| *kind == "time").count() < 5 {
            inbox.persisted(1);
            let (now, kind) = next(&heard);
            assert!(now >= last, "the clock is read anew for each input");
            last = now;
            kinds.push(kind);
        }
        assert!(
            kinds.contains(&"persisted".to_owned()) && kinds.contains(&"wall-clock".to_owned())
        );
        thread.stop();
    }

    #[test]
    fn a_machine_that_always_wants_to_be_woken_still_gets_its_inputs() {
        let (inbox, thread, heard) = parrot(Duration::ZERO);
        inbox.stopping();
        let end = Clock.now() + PATIENCE;
        while next(&heard).1 != "stopping" {
            assert!(Clock.now() < end, "the input starves");
        }
        thread.stop();
    }

    #[test]
    fn the_clock_is_read_after_the_input_was_taken() {
        let (inbox, thread, heard) = parrot(OFTEN);
        for _ in 0..200 {
            let sent = Clock.now().as_micros();
            inbox.stopping();
            let handled = std::iter::repeat_with(|| next(&heard)).find(|turn| turn.1 == "stopping");
            assert!(handled.unwrap().0 >= sent);
        }
        thread.stop();
    }

    #[test]
    fn a_panic_in_the_kernel_ends_the_process() {
        const CHILD: &str = "BIPLANE_TEST_KERNEL_PANIC";
        if std::env::var_os(CHILD).is_some() {
            let (inbox, _thread, _heard) = parrot(OFTEN);
            inbox.disk_failed("fall over".to_owned());
            std::thread::park();
        }
        let name = std::thread::current().name().unwrap().to_owned();
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &name])
            .env(CHILD, "1")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(6), "SIGABRT, not {status}");
    }
}
