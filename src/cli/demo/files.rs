//! What the demo's nodes and its gateway read: the files of `biplane init`, with a cluster file of its own.

use std::ffi::OsString;
use std::path::Path;

use super::super::exit::Failure;
use super::Profile;
use super::child::args;
use super::ports::Block;

/// Where the logs of the processes are, in the demo's directory.
pub(super) const LOGS: &str = "log";
/// What clients need: BIPLANE_DIR.
pub(super) const CLIENT: &str = "cluster";

/// Writes everything.
pub(super) fn write(dir: &Path, block: &Block, profile: Profile) -> Result<(), Failure> {
    let _ = (block, profile);
    Err(Failure::failed(format!("{}: not yet", dir.display()), ""))
}

/// How a node is started.
pub(super) fn node_args(dir: &Path, name: &str) -> Vec<OsString> {
    let _ = dir;
    args([&"node", &name])
}

/// How the gateway is started.
pub(super) fn gateway_args(dir: &Path) -> Vec<OsString> {
    let _ = dir;
    args([&"gateway"])
}
