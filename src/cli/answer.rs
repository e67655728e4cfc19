//! `biplane pending | approve | deny | alarms | ack`: what waits for a person.

use std::time::{Duration, Instant};

use super::exit::{Exit, Failure};
use super::follow::{self, Ended, passes};
use super::reach::Reach;
use super::render::{Table, millis, printable};
use super::{Context, block_on, print, print_json, switch};
use crate::edge::api::ReasonBody;
use crate::edge::api::client::{Answer, ApiError};
use crate::kernel::controller::{AlarmStatus, AskStatus};
use crate::kernel::domain::AlarmId;

/// Between two questions about an ask that was approved.
const EVERY: Duration = Duration::from_millis(50);

/// Arguments of `pending`.
#[derive(Clone, Debug, clap::Args)]
pub struct PendingArgs {
    /// Those that are answered or over, too
    #[arg(long)]
    all: bool,
}

/// Arguments of `approve`.
#[derive(Clone, Debug, clap::Args)]
pub struct ApproveArgs {
    /// The ask, for example p120-0, or the group that it is about
    #[arg(value_name = "ASK|GROUP")]
    which: String,
    /// Why; kept in the log
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Do not wait for what comes of it
    #[arg(long)]
    no_wait: bool,
    /// Wait for this many seconds at most
    #[arg(long, value_name = "SECONDS", default_value_t = 60, conflicts_with = "no_wait")]
    wait: u64,
}

/// Arguments of `deny`.
#[derive(Clone, Debug, clap::Args)]
pub struct DenyArgs {
    /// The ask, for example p120-0, or the group that it is about
    #[arg(value_name = "ASK|GROUP")]
    which: String,
    /// Why; kept in the log
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Arguments of `alarms`.
#[derive(Clone, Debug, clap::Args)]
pub struct AlarmsArgs {}

/// Arguments of `ack`.
#[derive(Clone, Debug, clap::Args)]
pub struct AckArgs {
    /// The alarm, for example a120-0
    #[arg(value_name = "ALARM")]
    alarm: AlarmId,
    /// What is done about it; kept in the log
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) fn pending(args: &PendingArgs, context: &Context) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    let mut asks: Vec<AskStatus> = block_on(reach.client.get_json("/v1/asks"))??;
    if !args.all {
        asks.retain(|ask| ask.left_ms.is_some());
    }
    if context.shared.json {
        print_json(&asks)?;
    } else {
        print(&ask_table(&asks));
    }
    Ok(Exit::Done)
}

fn ask_table(asks: &[AskStatus]) -> String {
    let mut table = Table::new(&["ASK", "STATE", "GROUP", "TO", "ASKED", "LEFT", "WHY"]);
    for ask in asks {
        let left = ask.left_ms.map(millis).unwrap_or_default();
        let by = ask.answered.as_ref().map(|done| format!(", by {}", done.by));
        let state = format!("{}{}", ask.state, by.unwrap_or_default());
        let end =
            ask.why.clone().or_else(|| ask.switchover.map(|id| format!("carried out as {id}")));
        let why = end.map_or_else(|| ask.cause.clone(), |end| format!("{}; {end}", ask.cause));
        let (id, at) = (ask.id.to_string(), ask.at.to_string());
        table.row([id, state, ask.group.to_string(), ask.to.to_string(), at, left, why]);
    }
    if table.is_empty() {
        return "nothing waits for an answer\n".to_owned();
    }
    table.render()
}

/// The one that is meant: by its id, or the live one about a group.
async fn find(reach: &Reach, which: &str) -> Result<AskStatus, Failure> {
    let asks: Vec<AskStatus> = reach.client.get_json("/v1/asks").await?;
    let by_id = asks.iter().find(|ask| ask.id.to_string() == which);
    let of_group = || asks.iter().find(|ask| ask.group.as_str() == which && ask.left_ms.is_some());
    by_id.or_else(of_group).cloned().ok_or_else(|| {
        Failure::failed(
            format!("there is no ask `{which}`, and nothing is asked about a group of that name"),
            "`biplane pending` lists what waits for an answer, and with --all what was answered; `biplane switch` moves a \
             group that nobody is asked about",
        )
    })
}

pub(super) fn approve(args: &ApproveArgs, context: &Context) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    block_on(async {
        let ask = find(&reach, &args.which).await?;
        let body = ReasonBody { reason: args.reason.clone() };
        let path = format!("/v1/asks/{}", ask.id);
        let sent = reach.client.post_json::<_, ()>(&format!("{path}/approve"), &body, None).await;
        let _: Answer<()> = sent.map_err(|error| unsettled(error, "pending --all"))?;
        if args.no_wait {
            return told(context, &ask, "approved");
        }
        let limit = Duration::from_secs(args.wait);
        wait_for(&reach, &ask, limit, context.shared.json).await
    })?
}

/// Until the observers, asked anew, have said whether the group may still be moved, and it was.
async fn wait_for(
    reach: &Reach,
    ask: &AskStatus,
    limit: Duration,
    json: bool,
) -> Result<Exit, Failure> {
    let began = Instant::now();
    let path = format!("/v1/asks/{}", ask.id);
    if !json {
        print(&format!("{} approved: the observers are asked anew\n", ask.id));
    }
    let switchover = loop {
        match reach.client.get_json::<AskStatus>(&path).await {
            Ok(AskStatus { switchover: Some(id), .. }) => break id.to_string(),
            Ok(AskStatus { state, why, .. }) if state == "over" => {
                return Err(Failure::failed(
                    format!("{} is over: {}", ask.id, printable(&why.unwrap_or_default())),
                    format!("see what stands in the way: biplane explain {}", ask.group),
                ));
            }
            Ok(_) => {}
            Err(error) if passes(&error) => {}
            Err(error) => return Err(error.into()),
        }
        if began.elapsed() >= limit {
            return Err(not_yet(&ask.id.to_string(), limit));
        }
        tokio::time::sleep(EVERY).await;
    };
    let mut told = 0;
    let tell = |record: &_| {
        if !json {
            print(&switch::news(record, &mut told));
        }
    };
    let left = limit.saturating_sub(began.elapsed());
    match follow::until_ended(&reach.client, &switchover, left, tell).await? {
        Ended::Yes(record) => switch::ended(&record, json),
        Ended::NotYet => Err(not_yet(&switchover, limit)),
    }
}

fn not_yet(what: &str, limit: Duration) -> Failure {
    Failure {
        exit: Exit::Unknown,
        what: format!("{what} had not ended after {} s", limit.as_secs()),
        next: "ask again: biplane pending --all".to_owned(),
    }
}

pub(super) fn deny(args: &DenyArgs, context: &Context) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    block_on(async {
        let ask = find(&reach, &args.which).await?;
        let body = ReasonBody { reason: args.reason.clone() };
        let path = format!("/v1/asks/{}/deny", ask.id);
        let sent = reach.client.post_json::<_, ()>(&path, &body, None).await;
        let _: Answer<()> = sent.map_err(|error| unsettled(error, "pending --all"))?;
        told(context, &ask, "denied")
    })?
}

fn told(context: &Context, ask: &AskStatus, what: &str) -> Result<Exit, Failure> {
    if context.shared.json {
        print_json(&serde_json::json!({ "ask": ask.id, "group": ask.group, "answer": what }))?;
    } else {
        print(&format!("{} {what}: {}\n", ask.id, ask.group));
    }
    Ok(Exit::Done)
}

pub(super) fn alarms(_args: &AlarmsArgs, context: &Context) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    let alarms: Vec<AlarmStatus> = block_on(reach.client.get_json("/v1/alarms"))??;
    if context.shared.json {
        print_json(&alarms)?;
    } else {
        print(&alarm_table(&alarms));
    }
    Ok(Exit::Done)
}

fn alarm_table(alarms: &[AlarmStatus]) -> String {
    let mut table = Table::new(&["ALARM", "KIND", "SINCE", "ACKNOWLEDGED BY", "WHAT"]);
    for alarm in alarms {
        let by = alarm.acknowledged.as_ref().map(|done| done.by.clone()).unwrap_or_default();
        let (id, at) = (alarm.id.to_string(), alarm.at.to_string());
        table.row([id, alarm.kind.as_str().to_owned(), at, by, alarm.text.clone()]);
    }
    if table.is_empty() {
        return "no alarm is open\n".to_owned();
    }
    table.render()
}

pub(super) fn acknowledge(args: &AckArgs, context: &Context) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    let body = ReasonBody { reason: args.reason.clone() };
    let path = format!("/v1/alarms/{}/ack", args.alarm);
    let sent = block_on(reach.client.post_json::<_, ()>(&path, &body, None))?;
    let _: Answer<()> = sent.map_err(|error| unsettled(error, "alarms"))?;
    if context.shared.json {
        print_json(&serde_json::json!({ "alarm": args.alarm, "acknowledged": true }))?;
    } else {
        print(&format!("{} acknowledged; it is cleared when its cause is gone\n", args.alarm));
    }
    Ok(Exit::Done)
}

fn unsettled(error: ApiError, list: &str) -> Failure {
    let ApiError::UnknownOutcome { why, .. } = error else { return error.into() };
    Failure {
        exit: Exit::Unknown,
        what: format!("{why}: it may or may not have happened"),
        next: format!("`biplane {list}` shows it; repeating the command does no harm"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ask_says_what_is_asked_and_how_long_it_waits() {
        let ask = |state: &str, more: serde_json::Value| -> AskStatus {
            let mut ask = serde_json::json!({
                "id": "p7-0", "group": "shop", "to": "west", "base": "1.3",
                "cause": "web is down on east", "at": 951_827_696_789_u64, "state": state,
            });
            let more = more.as_object().unwrap().clone();
            ask.as_object_mut().unwrap().extend(more);
            serde_json::from_value(ask).unwrap()
        };
        let open = ask("open", serde_json::json!({ "left_ms": 61_000 }));
        let text = ask_table(&[open]);
        assert!(text.contains("p7-0  open") && text.contains("1 min 1 s"), "{text}");
        let over = ask("over", serde_json::json!({ "why": "nobody answered in time" }));
        assert!(ask_table(&[over]).contains("down on east; nobody answered in time"));
        assert_eq!(ask_table(&[]), "nothing waits for an answer\n");
        assert_eq!(alarm_table(&[]), "no alarm is open\n");
    }
}
