//! `biplane status`.

use super::exit::{Exit, Failure};
use super::{Context, block_on, print, print_json, reach, show};
use crate::kernel::controller::Status;

/// Arguments.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StatusArgs {
    /// Let one node answer from what it knows, without asking the others: works without a quorum
    #[arg(long)]
    stale: bool,
}

/// Asks for the status and prints it.
pub(super) fn run(args: &StatusArgs, context: &Context) -> Result<Exit, Failure> {
    let reach = reach::Reach::open(&context.shared)?;
    let path = if args.stale { "/v1/status?stale=true" } else { "/v1/status" };
    let status: Status = block_on(reach.client.get_json(path))??;
    if context.shared.json {
        print_json(&status)?;
    } else {
        print(&show::status(&status));
    }
    Ok(Exit::Done)
}
