//! One HTTP/1.1 connection to a controller.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

/// Bytes of an answer's status line and headers together; more are refused.
pub(super) const HEADER_BYTES: usize = 32 * 1024;

/// An open connection. Its task ends with it.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Carries the connection until it ends, and gives why it broke.
    task: Option<AbortOnDropHandle<Option<String>>>,
}

/// How long a request that was cut off waits to hear why.
const WHY: Duration = Duration::from_millis(200);

/// Why a request got no answer.
#[derive(Debug)]
pub(super) enum SendFault {
    /// The controller cannot have seen it.
    NotSent(String),
    /// It may have: the connection broke.
    Sent(String),
    /// It may have: there was no answer in time.
    Silent(String),
}

/// What a failed handshake most often means.
fn tls_fault(error: &std::io::Error) -> String {
    use rustls::{CertificateError as Certificate, Error};
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    let means = match cause {
        Some(Error::InvalidCertificate(why)) => match why {
            Certificate::UnknownIssuer | Certificate::BadSignature => {
                "its certificate is not signed by the CA in ca.crt: another cluster answers there, or ca.crt is of \
                 another `biplane init`"
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "its certificate is not for this address: connect to the `api` address in the cluster file"
            }
            Certificate::Expired
            | Certificate::ExpiredContext { .. }
            | Certificate::NotValidYet
            | Certificate::NotValidYetContext { .. } => {
                "its certificate is not valid today: look at the clocks and at the certificate's dates"
            }
            _ => "its certificate cannot be trusted",
        },
        Some(Error::InvalidMessage(_)) => {
            "what answers there does not speak TLS: is it the `api` address in the cluster file?"
        }
        Some(Error::AlertReceived(_)) => {
            "what answers there wants another kind of TLS: is it the `api` address in the cluster file, not the \
             `member` one?"
        }
        _ => return format!("TLS: {error}"),
    };
    format!("TLS: {error}: {means}")
}

/// What to do when the server says that it does not take this client's certificate, if that is why a connection broke.
fn refused_certificate(error: &hyper::Error) -> Option<String> {
    use rustls::AlertDescription as Alert;
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = tls {
            let about_it = matches!(
                alert,
                Alert::UnknownCA
                    | Alert::BadCertificate
                    | Alert::UnsupportedCertificate
                    | Alert::CertificateRevoked
                    | Alert::CertificateExpired
                    | Alert::CertificateUnknown
                    | Alert::DecryptError
                    | Alert::AccessDenied
            );
            return about_it.then(|| {
                format!(
                    "it does not take this client's certificate ({alert:?}): see that `certificate` in client.toml is of \
                     this cluster's CA and has not ended; `biplane certificate` makes another"
                )
            });
        }
        cause = error.source();
    }
    None
}

impl Connection {
    /// Connects, with TLS if there is a configuration; the certificate must name the address.
    pub(super) async fn open(
        address: SocketAddr,
        tls: Option<&Arc<rustls::ClientConfig>>,
        within: Duration,
    ) -> Result<Self, String> {
        let opened = async {
            let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            // Comfort, not need.
            let _ = stream.set_nodelay(true);
            let Some(tls) = tls else { return Self::handshake(stream).await };
            let name = ServerName::IpAddress(address.ip().into());
            let stream = TlsConnector::from(Arc::clone(tls))
                .connect(name, stream)
                .await
                .map_err(|error| tls_fault(&error))?;
            Self::handshake(stream).await
        };
        tokio::time::timeout(within, opened)
            .await
            .unwrap_or_else(|_| Err(format!("no connection within {} s", within.as_secs_f32())))
    }

    async fn handshake<S>(stream: S) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HEADER_BYTES)
            // A buffer may grow beyond what is asked of it.
            .max_header_size(HEADER_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let task = tokio::spawn(async move {
            let error = connection.await.err()?;
            tracing::debug!(%error, "a connection to a controller broke");
            refused_certificate(&error)
        });
        Ok(Self { sender, task: Some(AbortOnDropHandle::new(task)) })
    }

    /// Whether it looks fit for another request.
    pub(super) fn usable(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        within: Duration,
    ) -> Result<Response<Incoming>, SendFault> {
        let sent = async {
            if let Err(error) = self.sender.ready().await {
                return Err(SendFault::NotSent(error.to_string()));
            }
            self.sender.try_send_request(request).await.map_err(|mut error| {
                let unsent = error.take_message().is_some();
                let why = error.into_error().to_string();
                if unsent { SendFault::NotSent(why) } else { SendFault::Sent(why) }
            })
        };
        let sent = tokio::time::timeout(within, sent).await.unwrap_or_else(|_| {
            Err(SendFault::Silent(format!("no answer within {} s", within.as_secs_f32())))
        });
        // With TLS 1.3 a server looks at the client's certificate when the client believes to be connected already: what
        // it thinks of it breaks the connection, and nothing of the request was looked at.
        if matches!(&sent, Err(SendFault::NotSent(_) | SendFault::Sent(_)))
            && let Some(task) = self.task.take()
            && let Ok(Ok(Some(why))) = tokio::time::timeout(WHY, task).await
        {
            return Err(SendFault::NotSent(why));
        }
        sent
    }
}
