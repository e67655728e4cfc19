//! Questions from outside: HTTP through the gateway, DNS, the API.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use biplane::config::{Credential, parse_client};
use biplane::edge::api::client::{ANY, ApiClient, ClientTimes};
use biplane::edge::api::{AcceptedBody, SwitchBody};
use biplane::edge::dns::ask_addresses;
use biplane::edge::identity::api_client_tls;
use biplane::kernel::domain::PlaneName;
use serde_json::Value;

use super::planes::PLANES;

/// A user who waited for this long has gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// This plane.
    Plane(usize),
    /// Nothing that helps.
    Fault(String),
}

impl Heard {
    /// Whether it is this plane.
    pub(crate) fn is(&self, plane: usize) -> Result<(), String> {
        if *self == Self::Plane(plane) { Ok(()) } else { Err(self.to_string()) }
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plane(plane) => f.write_str(PLANES[*plane]),
            Self::Fault(why) => f.write_str(why),
        }
    }
}

/// One request on a fresh connection.
pub(super) fn get(gateway: SocketAddr) -> Heard {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&gateway, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.take(64 * 1024).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = match ask() {
        Ok(text) => text.to_ascii_lowercase(),
        Err(error) => return Heard::Fault(error.to_string()),
    };
    if !text.starts_with("http/1.1 200") {
        return Heard::Fault(format!("answer: {}", text.lines().next().unwrap_or("nothing")));
    }
    let plane = PLANES.iter().position(|plane| text.contains(&format!("\r\nx-plane: {plane}\r\n")));
    plane.map_or_else(|| Heard::Fault(format!("no plane in {text}")), Heard::Plane)
}

/// One DNS question.
pub(super) fn resolve(server: SocketAddr, name: &str) -> Heard {
    match block_on(ask_addresses(server, name, PATIENCE)) {
        Ok(addresses) => {
            let known = [[127, 0, 0, 11], [127, 0, 0, 12]].map(|a| vec![IpAddr::from(a)]);
            let plane = known.iter().position(|known| *known == addresses);
            plane.map_or_else(|| Heard::Fault(format!("{addresses:?}")), Heard::Plane)
        }
        Err(why) => Heard::Fault(why),
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The API with the cluster's own token.
pub(crate) struct Api {
    client: ApiClient,
}

impl Api {
    pub(super) fn new(dir: &Path, only: Option<SocketAddr>) -> Self {
        let file = dir.join("client.toml");
        let settings = parse_client(&file, &std::fs::read_to_string(&file).unwrap()).unwrap();
        let Credential::Token(file) = &settings.credential else { panic!("init gives a token") };
        let token = std::fs::read_to_string(file).unwrap().trim().to_owned();
        let controllers = only.map_or(settings.controllers, |only| vec![only]);
        let tls = api_client_tls(&settings.ca).unwrap();
        let times = ClientTimes {
            connect: PATIENCE,
            answer: Duration::from_secs(5),
            ..ClientTimes::default()
        };
        Self { client: ApiClient::new(controllers, Some(tls), token).with_times(times) }
    }

    /// Reads a resource.
    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        block_on(self.client.get_json(path)).map_err(|error| error.to_string())
    }

    /// Sends a command; done again, it does no harm.
    pub(crate) fn post<B: serde::Serialize + Sync>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<(), String> {
        let sent = block_on(self.client.post_json::<_, ()>(path, body, None));
        sent.map(|_| ()).map_err(|error| error.to_string())
    }

    /// The client itself.
    pub(crate) fn into_client(self) -> ApiClient {
        self.client
    }

    /// Reads a text.
    pub(crate) fn text(&self, path: &str) -> Result<String, String> {
        block_on(self.client.get_text(path)).map_err(|error| error.to_string())
    }

    /// Asks for a switch of the group and gives the id of the switchover.
    pub(crate) fn switch(&self, to: usize, key: &str) -> Result<String, String> {
        let to = PlaneName::new(PLANES[to]).map_err(|error| error.to_string())?;
        let body = SwitchBody { to: Some(to), ..SwitchBody::default() };
        let posted = self.client.post_json_over::<_, AcceptedBody>(
            "/v1/groups/shop/switch",
            &body,
            ANY,
            Some(key),
        );
        block_on(posted).map(|answer| answer.body.switchover).map_err(|error| error.to_string())
    }
}
