//! `biplane status`.

use super::exit::{Exit, Failure};
use super::{Context, block_on, print, print_json, reach, show};
use crate::kernel::controller::Status;

/// Arguments.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StatusArgs {
    /// Let one node answer from what it knows, without asking the others; without a quorum this is done anyway
    #[arg(long)]
    stale: bool,
}

/// Asks for the status and prints it.
pub(super) fn run(args: &StatusArgs, context: &Context) -> Result<Exit, Failure> {
    let reach = reach::Reach::open(&context.shared)?;
    let (status, refused) = block_on(reach.read::<Status>("/v1/status", args.stale))??;
    if context.shared.json {
        print_json(&status)?;
    } else {
        print(&show::status(&status));
    }
    refused.map_or(Ok(Exit::Done), Err)
}
