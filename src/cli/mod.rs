//! The command line (F9): words for people. One file per subcommand.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    reason = "programs for people: they print, and they wait on real clocks"
)]

mod answer;
mod audit;
mod config;
mod config_check;
pub mod demo;
mod events;
pub mod exit;
pub mod explain;
mod follow;
mod gateway;
mod guard;
pub mod init;
mod new_cluster;
mod node;
mod observer;
mod papers;
mod parent;
mod place;
mod reach;
mod render;
mod replay;
mod show;
pub mod simulate;
mod status;
pub mod switch;
mod token;
mod written;

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use serde::Serialize;

use crate::kernel::domain::legible;
use exit::{Exit, Failure};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "biplane", version, about, max_term_width = 100)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub shared: Shared,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Shared {
    /// Print JSON instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
    /// Where client.toml, the token and the CA are [default: $BIPLANE_DIR, then ~/.config/biplane]
    #[arg(long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// End when this process ends; it must be the one that started us
    #[arg(long, global = true, hide = true, value_name = "PID")]
    pub parent: Option<i32>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole main job on this machine: three controllers, two planes, a gateway, and faults
    Demo(demo::DemoArgs),
    /// Make a new cluster's files: configuration, certificates, keys, the first token
    Init(new_cluster::InitArgs),
    /// Run one member of the control cluster
    Node(node::NodeArgs),
    /// Run an observer beside the members: it probes, and its word counts
    Observer(observer::ObserverArgs),
    /// Run a gateway: a proxy that follows the routes
    Gateway(gateway::GatewayArgs),
    /// Look at configuration files; show, compare and change the configuration of a cluster
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Show the cluster: groups, planes, verdicts, members, gateways
    Status(status::StatusArgs),
    /// Move a group to the other plane, and follow the switchover until it ends
    Switch(switch::SwitchArgs),
    /// Make, list and revoke tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Make a client's or an observer's certificate with the cluster's authority
    Certificate(token::CertificateArgs),
    /// List what waits for an answer of a person
    Pending(answer::PendingArgs),
    /// Let a group be moved, as was asked, if the observers, asked anew, still say so
    Approve(answer::ApproveArgs),
    /// Leave a group where it is, as was asked
    Deny(answer::DenyArgs),
    /// List the open alarms
    Alarms(answer::AlarmsArgs),
    /// Say that somebody has seen an alarm
    Ack(answer::AckArgs),
    /// Let nothing move a group by itself
    Freeze(guard::FreezeArgs),
    /// End a freeze
    Thaw(guard::ThawArgs),
    /// Let no group move to a plane
    Drain(guard::DrainArgs),
    /// End a drain
    Undrain(guard::UndrainArgs),
    /// Say why: a group's guards and verdicts, or one switchover with its ballots and steps
    Explain(explain::ExplainArgs),
    /// Say what happened, or follow it as it happens
    Events(events::EventsArgs),
    /// The log as it was applied, chained: note where it stands, export it, verify an export
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Run scenarios, or thousands of seeds, through the same kernel in a world of faults
    Simulate(simulate::SimulateArgs),
    /// Give a node's journal to a kernel again, and say whether the same came of it
    Replay(replay::ReplayArgs),
    /// Print completions for a shell
    Completions(papers::CompletionsArgs),
    /// Write man pages, one for each command
    Man(papers::ManArgs),
    /// One plane of the demo: services that can be made to fail
    #[command(hide = true)]
    DemoPlane(demo::plane::PlaneArgs),
}

/// What a command is told beside its own arguments.
#[derive(Clone, Debug)]
pub struct Context {
    /// Options of every command.
    pub shared: Shared,
}

/// Runs the program: parses, does it, says what went wrong.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    say_bugs_plainly();
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes. A closed pipe is nobody's fault.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let Cli { shared, command } = cli;
    let json = shared.json;
    let act = || parent::bind(shared.parent).and_then(|()| run(command, &Context { shared }));
    // Nothing is used after a panic but the exit code: the hook has said what it was.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)) {
        Ok(Ok(exit)) => say_what_was_lost(exit, json).into(),
        Ok(Err(failure)) => {
            say(&failure.render(json));
            failure.exit.into()
        }
        Err(_) => Exit::Bug.into(),
    }
}

/// Commands that ask no cluster: `--dir` is taken there, as everywhere, and is not in their help. (`init` and `man` have
/// a directory of their own.)
const WITHOUT_A_CLUSTER: [&[&str]; 10] = [
    &["demo"],
    &["node"],
    &["observer"],
    &["gateway"],
    &["config", "check"],
    &["certificate"],
    &["audit", "verify"],
    &["simulate"],
    &["replay"],
    &["completions"],
];

/// The command line, for whoever reads it or tells of it.
pub fn command_line() -> clap::Command {
    without_dir(Cli::command(), &[])
}

/// The commands under this path, each without `--dir` in its help where nothing reads it.
fn without_dir(command: clap::Command, path: &[String]) -> clap::Command {
    command.mut_subcommands(|inner| {
        let path = [path, &[inner.get_name().to_owned()]].concat();
        let inner = without_dir(inner, &path);
        if !WITHOUT_A_CLUSTER.iter().any(|words| *words == path) {
            return inner;
        }
        // In the place of the one that every command has.
        let dir = clap::Arg::new("dir").long("dir").value_name("DIR").hide(true).global(true);
        inner.arg(dir.value_parser(clap::value_parser!(PathBuf)))
    })
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let command = command_line().after_help(exit::exit_help());
    Cli::from_arg_matches(&command.try_get_matches_from(args)?)
}

fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Demo(args) => demo::run(args, context),
        Command::Init(args) => new_cluster::run(args, context),
        Command::Node(args) => node::run(&args),
        Command::Observer(args) => observer::run(&args),
        Command::Gateway(args) => gateway::run(&args),
        Command::Config(command) => config::run(command, context),
        Command::Status(args) => status::run(&args, context),
        Command::Switch(args) => switch::run(args, context),
        Command::Token(command) => token::run(command, context),
        Command::Certificate(args) => token::certificate(&args, context),
        Command::Pending(args) => answer::pending(&args, context),
        Command::Approve(args) => answer::approve(&args, context),
        Command::Deny(args) => answer::deny(&args, context),
        Command::Alarms(args) => answer::alarms(&args, context),
        Command::Ack(args) => answer::acknowledge(&args, context),
        Command::Freeze(args) => guard::freeze(args, context),
        Command::Thaw(args) => guard::thaw(args, context),
        Command::Drain(args) => guard::drain(args, context),
        Command::Undrain(args) => guard::undrain(args, context),
        Command::Explain(args) => explain::run(&args, context),
        Command::Events(args) => events::run(&args, context),
        Command::Audit(command) => audit::run(command, context),
        Command::Simulate(args) => simulate::run(&args, context),
        Command::Replay(args) => replay::run(&args, context),
        Command::Completions(args) => papers::completions(&args),
        Command::Man(args) => papers::man(&args),
        Command::DemoPlane(args) => demo::plane::run(args),
    }
}

/// A panic is a bug: say so, and where. On the main thread it ends the program with [`Exit::Bug`]; whoever
/// owns another thread decides what its panic means.
fn say_bugs_plainly() {
    std::panic::set_hook(Box::new(|info| {
        let what = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
        let _ = writeln!(
            std::io::stderr(),
            "biplane: this is a bug{place}: {what}\n  next: report it with this line and what you did"
        );
    }));
}

/// A runtime for commands that talk to controllers.
fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no async runtime: {error}"), ""))?;
    Ok(runtime.block_on(future))
}

/// Why something that was printed did not get there, if it did not.
static LOST: std::sync::OnceLock<String> = std::sync::OnceLock::new();

/// Prints to standard output, with [`say`] the one way there: what files and controllers say may steer no terminal.
/// Whoever reads may have stopped: then there is nobody to tell. Any other failure is told at the end, because what is
/// being done must not stop half way for it.
fn print(text: &str) {
    reads_on(text);
}

/// Says something on standard error, as a line.
#[expect(
    clippy::print_stderr,
    reason = "the one place: what is foreign in it is made legible here"
)]
fn say(text: &str) {
    eprintln!("{}", legible::lines(text));
}

/// Prints what must arrive as it is, byte for byte. A person at a terminal sees it legible.
fn print_exactly(text: &str) {
    if std::io::stdout().is_terminal() {
        return print(text);
    }
    write_out(text);
}

/// Prints; false when nobody reads any more, or what was printed is lost. Who prints without end stops then.
fn reads_on(text: &str) -> bool {
    write_out(&legible::lines(text))
}

fn write_out(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) else { return true };
    if error.kind() != std::io::ErrorKind::BrokenPipe {
        // The first cause is the one to tell.
        let _ = LOST.set(error.to_string());
    }
    false
}

/// A command whose output was lost has not done what was asked.
fn say_what_was_lost(exit: Exit, json: bool) -> Exit {
    let Some(why) = LOST.get() else { return exit };
    let failure = Failure::failed(
        format!("what was to be printed is lost: standard output: {why}"),
        "the command itself ended as it would have otherwise; ask again, with `biplane status` if it changed something",
    );
    say(&failure.render(json));
    if exit == Exit::Done { failure.exit } else { exit }
}

/// Prints one JSON value and a line feed.
fn print_json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure { exit: Exit::Bug, ..Failure::failed(error.to_string(), "") })?;
    text.push('\n');
    print(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command_line().debug_assert();
    }

    #[test]
    fn dir_is_in_the_help_of_commands_that_ask_a_cluster_and_taken_by_all() {
        let help = |words: &[&str]| {
            let args = ["biplane"].iter().chain(words).chain(&["--help"]).map(OsString::from);
            parse(args).unwrap_err().to_string()
        };
        for path in WITHOUT_A_CLUSTER.into_iter().chain([&["init"][..], &["man"]]) {
            assert!(!help(path).contains("--dir"), "{path:?}");
        }
        for path in [&["status"][..], &["config", "apply"], &["audit", "export"], &["switch"]] {
            assert!(help(path).contains("--dir"), "{path:?}");
        }
        for args in [["--dir", "d", "node", "f"], ["node", "--dir", "d", "f"]] {
            let cli = parse(std::iter::once("biplane").chain(args).map(OsString::from)).unwrap();
            assert_eq!(cli.shared.dir, Some(PathBuf::from("d")), "{args:?}");
        }
        let args = ["biplane", "config", "--dir", "d", "check", "f"].map(OsString::from);
        assert_eq!(parse(args).unwrap().shared.dir, Some(PathBuf::from("d")));
    }

    #[test]
    fn help_ends_with_the_exit_codes() {
        let args = ["biplane", "--help"].map(OsString::from);
        let help = parse(args).unwrap_err().to_string();
        assert!(help.contains("Exit codes:") && help.contains(Exit::Unknown.meaning()), "{help}");
    }
}
