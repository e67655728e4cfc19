//! From a directory to controllers.

use std::net::SocketAddr;

use super::Shared;
use super::exit::Failure;
use super::place::Surroundings;
use crate::edge::api::client::ApiClient;

/// The controllers of one cluster, as a client reaches them.
#[derive(Debug)]
pub(super) struct Reach {
    /// Talks to whichever answers.
    pub(super) client: ApiClient,
    controllers: Vec<SocketAddr>,
}

impl Reach {
    /// Reads the client's directory.
    pub(super) fn open(shared: &Shared) -> Result<Self, Failure> {
        let dir = Surroundings::of_this_process(shared.dir.clone()).directory()?;
        Self::in_directory(&dir)
    }

    /// The same, of this directory.
    pub(super) fn in_directory(dir: &std::path::Path) -> Result<Self, Failure> {
        Err(Failure::failed(format!("{}: not yet", dir.display()), ""))
    }

    /// A path of the API as a whole address, for people.
    pub(super) fn url(&self, path: &str) -> String {
        self.controllers
            .first()
            .map_or_else(|| path.to_owned(), |first| format!("https://{first}{path}"))
    }
}
