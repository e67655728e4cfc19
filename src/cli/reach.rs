//! From a directory to controllers.

use std::net::SocketAddr;

use super::Shared;
use super::exit::Failure;
use super::place::{CLIENT_FILE, Surroundings};
use crate::config::parse_client;
use crate::edge::api::client::ApiClient;
use crate::edge::identity::api_client_tls;

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
        let file = dir.join(CLIENT_FILE);
        let text = read(&file)?;
        let settings =
            parse_client(&file, &text).map_err(|faults| Failure::usage(faults.to_string(), ""))?;
        let token = read(&settings.token)?.trim().to_owned();
        let tls = api_client_tls(&settings.ca)
            .map_err(|error| Failure::usage(error.to_string(), "make the directory anew"))?;
        let client = ApiClient::new(settings.controllers.clone(), Some(tls), token);
        Ok(Self { client, controllers: settings.controllers })
    }

    /// A path of the API as a whole address, for people.
    pub(super) fn url(&self, path: &str) -> String {
        self.controllers
            .first()
            .map_or_else(|| path.to_owned(), |first| format!("https://{first}{path}"))
    }
}

/// Reads a small text file, or says which one could not be read.
pub(super) fn read(path: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display()), ""))
}
