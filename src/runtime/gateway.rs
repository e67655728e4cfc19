//! A gateway: follows the route table of whichever controller lives, and tells all of them what it sees.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::limits::{
    FAREWELL, GATEWAY_GRACE, HINT_ANSWER, HINTS, REPORT_ANSWER, REPORT_CONNECT, REPORT_EVERY,
    WATCH_SILENCE,
};
use crate::config;
use crate::edge::api::client::{ApiClient, ClientTimes, Watch, WatchEvent};
use crate::edge::gateway::{Gateway, GatewayError, GatewaySettings};
use crate::edge::identity::{IdentityError, api_client_tls};
use crate::edge::telemetry::{Metrics, UPKEEP_INTERVAL};
use crate::kernel::controller::{DataPlaneHint, RouteTable};
use crate::kernel::domain::Incarnation;

/// What a gateway is made of: its settings, with every file read.
#[derive(Clone)]
pub struct GatewayParts {
    /// Its own settings. Its incarnation is set when it runs.
    pub settings: GatewaySettings,
    /// The controllers' API addresses.
    pub controllers: Vec<SocketAddr>,
    /// Trusts the cluster's CA. `None` speaks plain HTTP: in tests only.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Lets it in.
    pub token: String,
    /// The process's metrics, if it has any.
    pub metrics: Option<Metrics>,
}

impl fmt::Debug for GatewayParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayParts")
            .field("settings", &self.settings)
            .field("controllers", &self.controllers)
            .finish_non_exhaustive()
    }
}

impl GatewayParts {
    /// Reads the authority's certificate and the token.
    pub fn read(
        settings: &config::GatewaySettings,
        metrics: Option<Metrics>,
    ) -> Result<Self, GatewayStartError> {
        let listen = settings.listen.iter();
        let carried = GatewaySettings {
            listeners: listen.map(|entry| (entry.address, entry.route.clone())).collect(),
            admin: Some(settings.admin),
            connect_timeout: settings.connect_timeout,
            ..GatewaySettings::new(settings.name.clone(), Incarnation::default())
        };
        let file = settings.token.display().to_string();
        let token = std::fs::read_to_string(&settings.token)
            .map_err(|error| IdentityError::File { file, why: error.to_string() })?;
        Ok(Self {
            settings: carried,
            controllers: settings.controllers.clone(),
            tls: Some(api_client_tls(&settings.ca)?),
            token: token.trim().to_owned(),
            metrics,
        })
    }
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayStartError {
    /// The authority's certificate, or the token.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its ports.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// Runs a gateway until `stop` is cancelled; then connections get [`GATEWAY_GRACE`] to end.
pub async fn run(
    settings: &config::GatewaySettings,
    metrics: Option<Metrics>,
    stop: CancellationToken,
) -> Result<(), GatewayStartError> {
    let running = RunningGateway::start(GatewayParts::read(settings, metrics)?)?;
    stop.cancelled().await;
    running.leave().await;
    Ok(())
}

/// A gateway with its ties to the controllers.
#[derive(Debug)]
pub struct RunningGateway {
    gateway: Arc<Gateway>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Where to say farewell, and by whom.
    farewell: (Arc<ApiClient>, String),
}

impl RunningGateway {
    /// Takes its ports and starts to follow. Needs a tokio runtime. It starts without any controller too, and
    /// carries nothing until one answers.
    pub fn start(parts: GatewayParts) -> Result<Self, GatewayError> {
        let client = |times: ClientTimes| {
            let GatewayParts { controllers, tls, token, .. } = parts.clone();
            Arc::new(ApiClient::new(controllers, tls, token).with_times(times))
        };
        let patience = |answer| ClientTimes {
            connect: REPORT_CONNECT,
            answer,
            silence: WATCH_SILENCE,
            ..ClientTimes::default()
        };
        let watch = client(patience(REPORT_ANSWER)).watch();
        let (reports, hints) = (client(patience(REPORT_ANSWER)), client(patience(HINT_ANSWER)));

        let mut settings = parts.settings.clone();
        // Greater at every start, as far as its wall clock goes forward: reports are only shown, never counted.
        settings.incarnation = Incarnation(Clock.wall().0);
        let (table, followed) = watch::channel(Arc::new(RouteTable::default()));
        let (hint_sender, hint_queue) = mpsc::channel(HINTS);
        let (metrics, name) = (parts.metrics.clone(), settings.name.clone());
        let render = move || metrics.as_ref().map(Metrics::render).unwrap_or_default();
        let gateway = Arc::new(Gateway::start(settings, followed, hint_sender, render)?);
        for (address, route) in gateway.listening() {
            tracing::info!(%route, %address, "gateway listens");
        }

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let path = format!("/v1/gateways/{name}");
        tasks.spawn(stop.clone().run_until_cancelled_owned(follow(watch, table)));
        let farewell = (Arc::clone(&reports), path.clone());
        let report = report(Arc::clone(&gateway), reports, path);
        tasks.spawn(stop.clone().run_until_cancelled_owned(report));
        tasks.spawn(stop.clone().run_until_cancelled_owned(pass_on(hint_queue, hints)));
        tasks.spawn(stop.clone().run_until_cancelled_owned(upkeep(parts.metrics)));
        tasks.close();
        Ok(Self { gateway, stop, tasks, farewell })
    }

    /// The gateway itself.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Accepts nothing more, lets connections end, and goes.
    pub async fn leave(self) {
        let Self { gateway, stop, tasks, farewell: (client, path) } = self;
        stop.cancel();
        tasks.wait().await;
        // Nobody shall wait for it at the next switch. If nobody hears, they find out by its silence.
        let last = gateway.farewell();
        let _ = timeout(FAREWELL, client.put_json(&path, &last)).await;
        if let Some(gateway) = Arc::into_inner(gateway) {
            gateway.shut_down(GATEWAY_GRACE).await;
        }
        tracing::info!("gateway stopped");
    }
}

/// Keeps the table as the controllers tell it. The gateway itself never goes back to an older epoch.
async fn follow(mut watch: Watch, table: watch::Sender<Arc<RouteTable>>) {
    let mut lost = false;
    while let Some(event) = watch.next().await {
        match event {
            WatchEvent::Table(whole) => {
                if std::mem::take(&mut lost) {
                    tracing::info!(revision = whole.revision, "a controller is followed again");
                }
                table.send_replace(Arc::new(whole));
            }
            WatchEvent::Route { name, entry, revision } => table.send_modify(|table| {
                let table = Arc::make_mut(table);
                table.revision = revision;
                table.routes.insert(name, entry);
            }),
            WatchEvent::Lost { controller, why } => {
                // Once for each time that nobody is followed, not for each attempt.
                if !std::mem::replace(&mut lost, true) {
                    tracing::warn!(%controller, "lost a controller: {why}; the last route holds, others are tried");
                }
            }
        }
    }
}

/// Says which routes are followed: at once when that changes, and every so often.
async fn report(gateway: Arc<Gateway>, client: Arc<ApiClient>, path: String) {
    let mut changes = gateway.changes();
    let mut reached = true;
    loop {
        changes.mark_unchanged();
        let sent = client.put_json(&path, &gateway.report()).await;
        if sent.is_ok() != reached {
            reached = sent.is_ok();
            match sent {
                Ok(()) => tracing::info!("reports reach a controller again"),
                Err(error) => tracing::warn!("reports reach no controller: {error}"),
            }
        }
        // Either a change or its time; its sender lives as long as the gateway.
        let _ = timeout(REPORT_EVERY, changes.changed()).await;
    }
}

/// Hands hints to a controller, which tells the others. One that is not taken is not repeated: the gateway has
/// more of them if the trouble lasts.
async fn pass_on(mut hints: mpsc::Receiver<DataPlaneHint>, client: Arc<ApiClient>) {
    while let Some(hint) = hints.recv().await {
        let sent = client.post_json::<_, Option<serde_json::Value>>("/v1/hints", &hint, None).await;
        if let Err(error) = sent {
            tracing::debug!("a hint was lost: {error}");
        }
    }
}

async fn upkeep(metrics: Option<Metrics>) {
    let Some(metrics) = metrics else { return };
    let mut turn = interval(UPKEEP_INTERVAL);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        metrics.run_upkeep();
    }
}
