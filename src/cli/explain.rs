//! `biplane explain`.

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::{Context, block_on, print, print_json, reach, show};
use crate::kernel::controller::{Explanation, SwitchoverRecord};
use crate::kernel::domain::{GroupName, SwitchoverId};

/// Arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// `last` (the last switchover), the id of a switchover, or the name of a group; a switchover is shown with its
    /// guards as they were when it was decided, and with its group as it is now
    #[arg(value_name = "last|ID|GROUP")]
    subject: String,
    /// Take the word as the name of a group, even if it reads like `last` or an id
    #[arg(long)]
    group: bool,
    /// Let one node answer from what it knows, without asking the others; without a quorum this is done anyway
    #[arg(long)]
    stale: bool,
}

/// What a record does not hold, and who does.
const PROBES_OF_THEN: &str = "\nwhat each observer's probes had seen then is in the journals of the nodes: `biplane replay DATA-DIR --tell`\n";

/// What is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Switchover(String),
    Group(GroupName),
}

impl ExplainArgs {
    fn subject(&self) -> Result<Subject, Failure> {
        let word = self.subject.as_str();
        if !self.group && (word == "last" || word.parse::<SwitchoverId>().is_ok()) {
            return Ok(Subject::Switchover(word.to_owned()));
        }
        let group = GroupName::new(word).map_err(|error| {
            Failure::usage(error.to_string(), "`biplane status` lists the groups")
        })?;
        Ok(Subject::Group(group))
    }
}

/// A switchover, and its group as it is now, where that is still there.
#[derive(Serialize)]
struct Recorded {
    #[serde(flatten)]
    record: SwitchoverRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Explanation>,
}

/// Asks and prints.
pub(super) fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, Failure> {
    let subject = args.subject()?;
    let reach = reach::Reach::open(&context.shared)?;
    let json = context.shared.json;
    let refused = match subject {
        Subject::Switchover(id) => {
            let path = format!("/v1/switchovers/{id}");
            let (record, refused) = block_on(reach.read::<SwitchoverRecord>(&path, args.stale))??;
            // The record tells what was decided and why; what is seen now often still shows what it was about.
            let path = format!("/v1/explain/{}", record.group);
            // Nobody waits twice for a quorum that there is not.
            let stale = args.stale || refused.is_some();
            let now = block_on(reach.read::<Explanation>(&path, stale))?.ok();
            let now = now.map(|(explanation, _)| explanation);
            if json {
                print_json(&Recorded { record, now })?
            } else {
                print(&(show::switchover(&record) + PROBES_OF_THEN));
                if let Some(now) = now {
                    print(&format!("\nThe group now:\n{}", show::explanation(&now)));
                }
            }
            refused
        }
        Subject::Group(group) => {
            let path = format!("/v1/explain/{group}");
            let (explained, refused) = block_on(reach.read::<Explanation>(&path, args.stale))??;
            if json {
                print_json(&explained)?
            } else {
                print(&show::explanation(&explained))
            }
            refused
        }
    };
    refused.map_or(Ok(Exit::Done), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(word: &str, group: bool) -> Result<Subject, Failure> {
        ExplainArgs { subject: word.to_owned(), group, stale: false }.subject()
    }

    #[test]
    fn a_word_is_a_switchover_or_a_group() {
        let shop = Subject::Group(GroupName::new("shop").unwrap());
        assert_eq!(subject("shop", false), Ok(shop));
        assert_eq!(subject("last", false), Ok(Subject::Switchover("last".to_owned())));
        assert_eq!(subject("s12-0", false), Ok(Subject::Switchover("s12-0".to_owned())));
    }

    #[test]
    fn a_group_with_the_name_of_something_else_can_still_be_asked_for() {
        assert_eq!(subject("last", true), Ok(Subject::Group(GroupName::new("last").unwrap())));
    }

    #[test]
    fn what_is_no_name_is_a_wrong_command_line() {
        assert_eq!(subject("../etc", false).unwrap_err().exit, Exit::Usage);
    }
}
