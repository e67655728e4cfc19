//! The recorder behind `GET /metrics`.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::names::{BUILD_INFO, describe_all};

/// Call [`Metrics::run_upkeep`] this often: it empties what histograms have gathered.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Upper bounds of every histogram of seconds: from 50 µs (an answer from memory) to 30 s (given up).
const BUCKETS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// There is a recorder already.
    #[error("the metrics are set up already: {0}")]
    Twice(String),
}

/// Reads what the process has recorded.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Installs the recorder of this process, once, and describes every metric.
    pub fn install() -> Result<Self, MetricsError> {
        let twice =
            |error: metrics_exporter_prometheus::BuildError| MetricsError::Twice(error.to_string());
        let handle = builder().map_err(twice)?.install_recorder().map_err(twice)?;
        describe_all();
        metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Ok(Self { handle })
    }

    /// The Prometheus text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Empties what histograms have gathered. Every [`UPKEEP_INTERVAL`].
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }
}

fn builder() -> Result<PrometheusBuilder, metrics_exporter_prometheus::BuildError> {
    PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
}

#[cfg(test)]
pub(super) fn local() -> (metrics_exporter_prometheus::PrometheusRecorder, Metrics) {
    let recorder = builder().unwrap().build_recorder();
    let handle = recorder.handle();
    (recorder, Metrics { handle })
}
