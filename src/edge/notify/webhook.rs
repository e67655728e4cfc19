//! One signed POST over a connection of its own (RFC 9112). Redirects are not followed.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Told, limits, sign};

/// Who tells, in the receiver's logs.
const AGENT: &str = concat!("biplane-notify/", env!("CARGO_PKG_VERSION"));

/// Where a webhook listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Its host: a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// Why a text is not the address of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the address of a webhook: {why}")]
pub struct AddressError {
    text: String,
    why: &'static str,
}

impl Address {
    /// Reads `http://HOST[:PORT]/PATH` or the same with `https`. A user or a password in it is refused: it would be logged.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let wrong = |why| AddressError { text: text.to_owned(), why };
        let uri: Uri = text.parse().map_err(|_| wrong("it is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("it does not start with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a user or a password does not belong there: the body is signed"));
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if bare.is_empty() {
            return Err(wrong("it names no host"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self { tls, host: bare.to_owned(), port, path: path.to_owned() })
    }

    fn host_field(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }
}

pub(super) async fn post(
    url: &str,
    secret: &[u8],
    tls: Option<Arc<ClientConfig>>,
    told: &Told,
) -> Result<(), String> {
    let address = Address::parse(url).map_err(|error| error.to_string())?;
    let stream = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(|error| format!("no connection to {}: {error}", address.host_field()))?;
    if !address.tls {
        return exchange(stream, &address, secret, told).await;
    }
    let tls = tls.ok_or("this node trusts no authority: write `ca` in its [notify] table")?;
    let name = ServerName::try_from(address.host.clone())
        .map_err(|_| format!("`{}` cannot be the name in a certificate", address.host))?;
    let stream = TlsConnector::from(tls)
        .connect(name, stream)
        .await
        .map_err(|error| format!("TLS with {}: {error}", address.host_field()))?;
    exchange(stream, &address, secret, told).await
}

async fn exchange<S>(stream: S, address: &Address, secret: &[u8], told: &Told) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let request = Request::post(&address.path)
        .header(HOST, address.host_field())
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .header("Biplane-Notice", told.id.map(|id| id.to_string()).unwrap_or_default())
        .header("Biplane-Signature", sign::signature(secret, seconds, told.body.as_bytes()))
        .body(Full::new(Bytes::from(told.body.clone())))
        .map_err(|error| format!("cannot be asked: {error}"))?;
    let broke =
        |error: hyper::Error| format!("the connection to {} broke: {error}", address.host_field());
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(limits::HEAD_FIELDS)
        .max_buf_size(limits::HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broke)?;
    let answer = sender.send_request(request);
    tokio::pin!(answer, connection);
    let mut closed = false;
    let status = loop {
        tokio::select! {
            biased;
            answer = &mut answer => break answer.map_err(broke)?.status(),
            // What ended the connection reaches the exchange too, in its own words.
            _ = &mut connection, if !closed => closed = true,
        }
    };
    receipt(status, address)
}

fn receipt(status: StatusCode, address: &Address) -> Result<(), String> {
    if status.is_success() {
        return Ok(());
    }
    Err(format!("{} answers with status {}", address.host_field(), status.as_u16()))
}
