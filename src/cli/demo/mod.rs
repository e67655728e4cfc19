//! `biplane demo`: the whole main job on one machine, with real processes, disks and faults.
//!
//! `ports` says where, `files` writes what the nodes read, `child` and `world` run the processes, `load` and
//! `log` are the users, `story` is what happens, `summary` what was found.

mod child;
mod files;
mod hints;
mod load;
mod log;
mod onlooker;
pub mod plane;
mod ports;
mod room;
mod seen;
mod story;
mod summary;
mod tell;
mod world;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{Exit, Failure};
use super::reach::Reach;
use super::{Context, print_json};
use load::Load;
use log::{Asked, ClientLog};
use ports::{Block, PLANES};
use room::Room;
use story::Story;
use summary::Summary;
use tell::Timeline;
pub use world::Fault;
use world::World;

/// How eager the checks are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Every second; 200 ms apart while in doubt; down after 3 failures
    #[default]
    Default,
    /// Every 100 ms, timeout 100 ms; down after 2 failures
    Fast,
}

/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// End after the story; exit code 0 only if every step was verified from outside
    #[arg(long)]
    once: bool,
    /// How the active plane goes out
    #[arg(long, value_enum, default_value_t)]
    fault: Fault,
    /// How eager the checks are
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// Stay up after the story, also without a terminal
    #[arg(long, conflicts_with = "once")]
    stay: bool,
    /// Make all files here and leave them; the directory must be missing or empty
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Between two looks at what users see, after the story.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the demo.
pub(super) fn run(args: DemoArgs, context: &Context) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no async runtime: {error}"), ""))?;
    // The children are bound to the life of this thread: all are started from this future, none from a task.
    runtime.block_on(demo(args, context.shared.json))
}

async fn demo(args: DemoArgs, json: bool) -> Result<Exit, Failure> {
    let mut timeline = Timeline::start(json);
    timeline.event("biplane demo: three nodes, a gateway, two planes and their users, on loopback");
    let mut stop = Stop::listen()?;
    let block = Block::claim()?;
    let room = Room::make(args.keep.clone(), block.base())?;
    timeline.event(&format!("ports from {} on, files in {}", block.base(), room.path().display()));
    if args.keep.is_none() {
        timeline.event(
            "keys and data there are removed at the end; the logs stay (--keep DIR keeps all)",
        );
    }
    files::write(room.path(), &block, args.profile)?;
    let csv = room.path().join("client.csv");
    let log = ClientLog::create(&csv, PLANES).map_err(|error| {
        Failure::failed(format!("cannot write {}: {error}", csv.display()), "give --keep DIR")
    })?;
    let mut story = Story {
        reach: Reach::in_directory(&room.path().join(files::CLIENT))?,
        world: World::new(block, room.path()),
        log: Arc::new(log),
        timeline,
        summary: Summary { log: csv.display().to_string(), ..Summary::default() },
        fault: args.fault,
    };
    let stays = args.stay || (!args.once && !json && std::io::stdout().is_terminal());
    let played = tokio::select! {
        played = play(&mut story, &room) => played,
        () = stop.wanted() => Err(Failure::failed("the demo was interrupted", "")),
    };
    let ended = match played {
        Ok(load) if stays && story.summary.ok() => tokio::select! {
            ended = stay(&mut story, &room, load) => ended,
            // After the story this is how it is meant to end.
            () = stop.wanted() => Ok(()),
        },
        Ok(_) => Ok(()),
        Err(failure) => Err(failure),
    };
    story.world.end().await;
    room.leave();
    story
        .timeline
        .event(&format!("all processes are stopped; the logs are in {}", room.path().display()));
    ended?;
    if json {
        print_json(&story.summary)?;
    }
    if story.summary.ok() {
        return Ok(Exit::Done);
    }
    let next =
        format!("the logs of every process are in {}", room.path().join(files::LOGS).display());
    Err(Failure::failed("the story did not go as it should", next))
}

/// The story, then the summary. The users go on asking.
async fn play(story: &mut Story, room: &Room) -> Result<Load, Failure> {
    story.world.start().await.map_err(|why| {
        Failure::failed(why, format!("see {}", room.path().join(files::LOGS).display()))
    })?;
    let load = Load::start(&story.world.block, &story.log);
    // How it went stands in the summary.
    let _ = story.run().await;
    story.summary.requests = story.log.requests().into();
    story.log.flush().map_err(|why| {
        let next = "see that the disk has room";
        Failure::failed(format!("the client's log is not whole: {why}"), next)
    })?;
    let text = story.summary.render();
    story.timeline.text(&text);
    Ok(load)
}

/// Says what to try, and tells whenever users are moved. Does not end by itself.
async fn stay(story: &mut Story, room: &Room, _load: Load) -> Result<(), Failure> {
    let hints = hints::lines(&story.world.block, &room.path().join(files::CLIENT));
    story.timeline.text(&format!("\nTry it, in another terminal:\n\n{}\n", hints.join("\n")));
    story.timeline.text("\nCtrl-C ends everything.\n");
    let mut shown = None;
    loop {
        story.world.alive().map_err(|why| Failure::failed(why, ""))?;
        let since = story.log.now().saturating_sub(LOOK * 3);
        let plane = story.log.agreed(Asked::Gateway, since, 5);
        if plane.is_some() && plane != shown {
            shown = plane;
            let name = plane.map_or("nobody", |plane| PLANES[plane]);
            story.timeline.event(&format!("users are served by {name}"));
        }
        // A full disk was told at the end of the story; here nobody depends on the file.
        let _ = story.log.flush();
        tokio::time::sleep(LOOK).await;
    }
}

/// Ctrl-C, or a polite kill.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::failed(format!("cannot take signals: {error}"), ""))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn wanted(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
