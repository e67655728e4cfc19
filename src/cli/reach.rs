//! From a directory to controllers.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::Shared;
use super::exit::Failure;
use super::place::{CLIENT_FILE, Surroundings};
use crate::config::limits::FILE;
use crate::config::{Credential, Faults, parse_client, text_of};
use crate::edge::api::client::{ApiClient, ApiError};
use crate::edge::identity::{api_client_tls, certified_client_tls};

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
    pub(super) fn in_directory(dir: &Path) -> Result<Self, Failure> {
        let file = dir.join(CLIENT_FILE);
        let text = read(&file)?;
        let settings = parse_client(&file, &text)?;
        let (token, tls) = match &settings.credential {
            Credential::Token(file) => (one_token(file)?, api_client_tls(&settings.ca)),
            Credential::Certificate(certificate, key) => {
                (String::new(), certified_client_tls(&settings.ca, certificate, key))
            }
        };
        let tls = tls.map_err(|error| {
            Failure::failed(
                error.to_string(),
                "copy ca.crt from the directory that `biplane init` made",
            )
        })?;
        let client = ApiClient::new(settings.controllers.clone(), Some(tls), token);
        Ok(Self { client, controllers: settings.controllers })
    }

    /// Reads a path. Without a quorum, what one node knows, and beside it why that is all there is.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        stale: bool,
    ) -> Result<(T, Option<Failure>), ApiError> {
        let alone = format!("{path}?stale=true");
        if stale {
            return self.client.get_json(&alone).await.map(|body| (body, None));
        }
        let error = match self.client.get_json(path).await {
            Ok(body) => return Ok((body, None)),
            Err(error) => error,
        };
        if error.status() != Some(503) {
            return Err(error);
        }
        match self.client.get_json(&alone).await {
            Ok(body) => Ok((body, Some(old_news(error)))),
            Err(_) => Err(error),
        }
    }

    /// Each controller by itself.
    pub(super) fn each(&self) -> impl Iterator<Item = ApiClient> + '_ {
        self.controllers.iter().map(|controller| self.client.of(*controller))
    }

    /// A path of the API as a whole address, for people.
    pub(super) fn url(&self, path: &str) -> String {
        self.controllers
            .first()
            .map_or_else(|| path.to_owned(), |first| format!("https://{first}{path}"))
    }
}

/// What is shown is what one node knows; this is why.
fn old_news(error: ApiError) -> Failure {
    let Failure { exit, what, next } = Failure::from(error);
    let next = format!("what is shown is what one node knows, and may be old; {next}");
    Failure { exit, what, next }
}

/// A token's file holds it and nothing else.
fn one_token(file: &Path) -> Result<String, Failure> {
    let text = read(file)?;
    let token = text.trim();
    if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(token.to_owned());
    }
    let what = if token.is_empty() { "is empty" } else { "holds more than one word" };
    Err(Failure::failed(
        format!("{}: the token's file {what}", file.display()),
        "put the one token that `biplane init` made into it, and nothing else",
    ))
}

/// Reads a text file of bounded length, or says what is wrong with it.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    Ok(read_or(path)??)
}

/// The same; faults of its text come apart from those of reading it.
pub(super) fn read_or(path: &Path) -> Result<Result<String, Faults>, Failure> {
    let bytes = bytes_of(path).map_err(|error| {
        Failure::failed(
            format!("{}: {error}", path.display()),
            "see that the path is right and that this user may read the file",
        )
    })?;
    Ok(text_of(&path.display().to_string(), bytes))
}

/// The bytes of a file, up to one more than a file may have.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE.max + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
