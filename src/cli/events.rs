//! `biplane events`.

use std::sync::Arc;

use super::exit::{Exit, Failure};
use super::reach::Reach;
use super::render::printable;
use super::{Context, block_on, print, reads_on, say};
use crate::edge::api::EventsBody;
use crate::edge::api::client::EventNews;
use crate::kernel::domain::EventId;
use crate::kernel::ledger::LoggedEvent;

/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct EventsArgs {
    /// Only those after this one, for example e120-0
    #[arg(long, value_name = "ID")]
    since: Option<EventId>,
    /// Go on, and print what happens as it happens; a controller that goes away is replaced by another
    #[arg(long, short)]
    follow: bool,
}

pub(super) fn run(args: &EventsArgs, context: &Context) -> Result<Exit, Failure> {
    let reach = Reach::open(&context.shared)?;
    let json = context.shared.json;
    block_on(async {
        let since = args.since.unwrap_or_default();
        let body: EventsBody = reach.client.get_json(&format!("/v1/events?since={since}")).await?;
        if body.gap && args.since.is_some() {
            gap();
        }
        for event in &body.events {
            print(&line(event, json)?);
        }
        if args.follow {
            follow(reach, body.newest, json).await?;
        }
        Ok(Exit::Done)
    })?
}

/// One event a line; with `--json` one JSON object a line.
fn line(event: &LoggedEvent, json: bool) -> Result<String, Failure> {
    if json {
        let text = serde_json::to_string(event).map_err(|error| Failure {
            exit: Exit::Bug,
            ..Failure::failed(error.to_string(), "")
        })?;
        return Ok(text + "\n");
    }
    let LoggedEvent { id, at, kind, text, .. } = event;
    Ok(format!("{at}  {:<8}  {:<10}  {}\n", id.to_string(), kind.as_str(), printable(text)))
}

fn gap() {
    say("biplane: some events in between are not kept any more");
}

async fn follow(reach: Reach, newest: EventId, json: bool) -> Result<(), Failure> {
    let client = Arc::new(reach.client);
    let mut watch = Arc::clone(&client).events(Some(newest));
    loop {
        match watch.next().await {
            EventNews::Event(event) => {
                if !reads_on(&line(&event, json)?) {
                    return Ok(());
                }
            }
            EventNews::Gap => gap(),
            EventNews::Lost { controller, why, turned_away } => {
                say(&format!("biplane: lost {controller}: {}; trying the next", printable(&why)));
                // An answer says why. One that lets us in all the same has not heard of it yet.
                if turned_away
                    && let Err(error) = client.get_json::<EventsBody>("/v1/events").await
                    && matches!(error.status(), Some(401 | 403))
                {
                    return Err(error.into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::domain::WallTime;
    use crate::kernel::ledger::EventKind;

    #[test]
    fn an_event_is_one_line() {
        let id = EventId { index: 12, nth: 1 };
        let (at, kind) = (WallTime(951_827_696_789), EventKind::Freeze);
        let event = LoggedEvent {
            id,
            at,
            kind,
            group: None,
            text: "all groups frozen, by\nann".to_owned(),
        };
        let told = line(&event, false).unwrap();
        assert_eq!(
            told,
            "2000-02-29T12:34:56.789Z  e12-1     freeze      all groups frozen, by ann\n"
        );
        let told = line(&event, true).unwrap();
        assert!(told.ends_with("}\n") && told.contains(r#""id":"e12-1""#), "{told}");
    }
}
