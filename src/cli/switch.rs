//! `biplane switch`.

use std::time::Duration;

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::follow::{self, Ended};
use super::reach::Reach;
use super::{Context, block_on, print, print_json, render, show};
use crate::edge::api::client::{Answer, ApiError};
use crate::edge::api::{AcceptedBody, SwitchBody};
use crate::kernel::controller::{GroupStatus, Plan, SwitchKind, SwitchoverRecord};
use crate::kernel::domain::{Epoch, GroupName, PlaneName};
use crate::runtime::clock::Clock;

/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct SwitchArgs {
    /// The group to move
    #[arg(value_parser = GroupName::new)]
    group: GroupName,
    /// To this plane [default: the other one]
    #[arg(long, value_name = "PLANE", value_parser = PlaneName::new)]
    to: Option<PlaneName>,
    /// Give the source up: skip the prechecks and list them in the record
    #[arg(long)]
    forced: bool,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
    /// Refuse if the route is no longer of this epoch
    #[arg(long, value_name = "E")]
    epoch: Option<Epoch>,
    /// Why; kept in the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Repeating a command with the same key is the same command [default: a fresh one]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Do not follow the switchover, only start it
    #[arg(long)]
    no_wait: bool,
    /// Follow it for this many seconds at most
    #[arg(long, value_name = "SECONDS", default_value_t = 60, conflicts_with = "no_wait")]
    wait: u64,
}

/// What `--json` prints of a switch that was started and not followed.
#[derive(Debug, Serialize)]
struct Started<'a> {
    switchover: &'a str,
    repeated: bool,
    url: String,
    idempotency_key: &'a str,
}

/// Starts the switch, follows it, says how it ended.
pub(super) fn run(args: SwitchArgs, context: &Context) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    block_on(switch(args, context, &reach))?
}

async fn switch(args: SwitchArgs, context: &Context, reach: &Reach) -> Result<Exit, Failure> {
    let path = format!("/v1/groups/{}/switch", args.group);
    let key = args.key.unwrap_or_else(fresh_key);
    let epoch = match args.epoch {
        None if !args.dry_run => Some(epoch_of(reach, &args.group).await?),
        given => given,
    };
    let body = SwitchBody {
        to: args.to,
        kind: if args.forced { SwitchKind::Forced } else { SwitchKind::Planned },
        dry_run: args.dry_run,
        epoch,
        reason: args.reason,
    };
    let json = context.shared.json;
    if args.dry_run {
        let plan: Answer<Plan> = reach.client.post_json(&path, &body, None).await?;
        if json {
            print_json(&plan.body)?
        } else {
            print(&show::plan(&plan.body))
        }
        return Ok(if plan.body.obstacles.is_empty() { Exit::Done } else { Exit::Failed });
    }
    let answer: Answer<AcceptedBody> = reach
        .client
        .post_json(&path, &body, Some(&key))
        .await
        .map_err(|error| unsettled(error, reach, &key))?;
    let AcceptedBody { switchover, repeated, url } = answer.body;
    let url = reach.url(&url);
    if args.no_wait {
        let started = Started { switchover: &switchover, repeated, url, idempotency_key: &key };
        if json {
            print_json(&started)?;
        } else {
            print(&format!("switchover {switchover} started: biplane explain {switchover}\n"));
        }
        return Ok(Exit::Done);
    }
    let mut told = 0;
    let tell = |record: &SwitchoverRecord| {
        if !json {
            print(&news(record, &mut told));
        }
    };
    match follow::until_ended(&reach.client, &switchover, Duration::from_secs(args.wait), tell)
        .await?
    {
        Ended::Yes(record) => ended(&record, json),
        Ended::NotYet => Err(Failure {
            exit: Exit::Unknown,
            what: format!("switchover {switchover} had not ended after {} s", args.wait),
            next: format!("ask again: biplane explain {switchover} (GET {url})"),
        }),
    }
}

/// The epoch from which the group is moved: that of the route that was there when the command was given.
async fn epoch_of(reach: &Reach, group: &GroupName) -> Result<Epoch, Failure> {
    let status: GroupStatus = reach.client.get_json(&format!("/v1/groups/{group}")).await?;
    Ok(status.epoch)
}

/// A key that no other command has.
fn fresh_key() -> String {
    Clock.entropy()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An outcome that is not known needs the whole address, and the key that makes repeating harmless.
fn unsettled(error: ApiError, reach: &Reach, key: &str) -> Failure {
    let ApiError::UnknownOutcome { why, settle } = error else { return error.into() };
    Failure {
        exit: Exit::Unknown,
        what: format!("{why}: the switch may or may not have happened"),
        next: format!(
            "ask GET {} (`biplane explain last`), or repeat the command with --key {key}",
            reach.url(&settle)
        ),
    }
}

/// The steps that were not told yet.
pub(super) fn news(record: &SwitchoverRecord, told: &mut usize) -> String {
    let mut text = String::new();
    if *told == 0 {
        let SwitchoverRecord { id, group, from, to, kind, .. } = record;
        text = format!("switchover {id}: {group} from {from} to {to}, {kind}\n");
    }
    let started = record.steps.first().map(|step| step.at).unwrap_or_default();
    for step in record.steps.iter().skip(*told) {
        let after = render::duration(step.at.since(started));
        text.push_str(&format!("  {:<12} +{after}\n", render::printable(&step.step)));
    }
    *told = record.steps.len();
    text
}

pub(super) fn ended(record: &SwitchoverRecord, json: bool) -> Result<Exit, Failure> {
    if json {
        print_json(record)?;
    }
    if record.state == "done" {
        if !json {
            let epoch = record.epoch.map_or_else(String::new, |epoch| format!(", epoch {epoch}"));
            print(&format!("{} is on {}{epoch}\n", record.group, record.to));
        }
        return Ok(Exit::Done);
    }
    let SwitchoverRecord { id, state, outcome, .. } = record;
    Err(Failure::failed(
        format!("switchover {id} ended {state}: {}", render::printable(outcome)),
        format!("see the whole record: biplane explain {id}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: &str, steps: usize) -> SwitchoverRecord {
        let steps: Vec<_> = ["planned", "routed", "verified"][..steps]
            .iter()
            .enumerate()
            .map(|(n, step)| serde_json::json!({"step": step, "at": 100 + 15 * n, "wall": 0}))
            .collect();
        serde_json::from_value(serde_json::json!({
            "id": "s9-0", "group": "shop", "from": "east", "to": "west", "kind": "planned",
            "state": state, "base": "1.7", "epoch": "1.8", "by": "admin", "cause": "", "ballots": {},
            "skipped": [], "steps": steps, "converging": [], "outcome": "west went down",
        }))
        .unwrap()
    }

    #[test]
    fn each_step_is_told_once() {
        let mut told = 0;
        let first = news(&record("routing", 1), &mut told);
        assert_eq!(
            first,
            "switchover s9-0: shop from east to west, planned\n  planned      +0 ms\n"
        );
        assert_eq!(news(&record("routing", 1), &mut told), "");
        let rest = news(&record("done", 3), &mut told);
        assert_eq!(rest, "  routed       +15 ms\n  verified     +30 ms\n");
    }

    #[test]
    fn only_done_is_success() {
        assert_eq!(ended(&record("done", 3), false), Ok(Exit::Done));
        for state in ["undone", "stuck", "overtaken"] {
            let failure = ended(&record(state, 2), false).unwrap_err();
            assert_eq!(failure.exit, Exit::Failed);
            assert!(failure.what.contains("west went down"), "{failure}");
        }
    }

    #[test]
    fn keys_do_not_repeat() {
        let key = fresh_key();
        assert_eq!(key.len(), 32);
        assert_ne!(key, fresh_key());
    }
}
