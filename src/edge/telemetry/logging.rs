//! The log: one line an event, on standard error.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, fields at the top.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter cannot be read.
    #[error(
        "`{filter}` is not a log filter: {why}; write a level, for example `info`, or `info,raft=debug`"
    )]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong.
        why: String,
    },
    /// There is one already.
    #[error("the log is set up already: {0}")]
    Twice(String),
}

/// Installs the log of this process, once. `filter` is a level (`error`, `warn`, `info`, `debug`, `trace`),
/// or levels by target: `info,raft=debug`.
pub fn init_logging(format: LogFormat, filter: &str) -> Result<(), LoggingError> {
    let filter = parse(filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let installed = match format {
        LogFormat::Text => registry.with(text_layer(std::io::stderr)).try_init(),
        LogFormat::Json => registry.with(json_layer(std::io::stderr)).try_init(),
    };
    installed.map_err(|error| LoggingError::Twice(error.to_string()))
}

fn parse(filter: &str) -> Result<EnvFilter, LoggingError> {
    let wrong = |why: String| LoggingError::Filter { filter: filter.to_owned(), why };
    let known = |level: &str| {
        ["off", "error", "warn", "info", "debug", "trace"]
            .iter()
            .any(|known| level.eq_ignore_ascii_case(known))
    };
    // A lone word would be read as a target with everything on: a mistyped level must not do that.
    for part in filter.split(',') {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level).trim();
        if !known(level) {
            return Err(wrong(format!("`{level}` is not a level")));
        }
    }
    EnvFilter::builder().parse(filter).map_err(|error| wrong(error.to_string()))
}

type Registry<F> = tracing_subscriber::layer::Layered<F, tracing_subscriber::Registry>;

fn text_layer<W>(writer: W) -> impl tracing_subscriber::Layer<Registry<EnvFilter>> + Send + Sync
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(writer)
}

fn json_layer<W>(writer: W) -> impl tracing_subscriber::Layer<Registry<EnvFilter>> + Send + Sync
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(writer)
}

#[cfg(test)]
pub(super) mod capture {
    //! A log that tests can read.

    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was logged so far.
    #[derive(Clone, Default)]
    pub(in super::super) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut log = self.0.lock().map_err(|_| io::ErrorKind::Other)?;
            log.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Captured {
        /// Each line, as JSON.
        pub(in super::super) fn lines(&self) -> Vec<serde_json::Value> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    /// Runs with a JSON log of its own and gives what it said.
    pub(in super::super) fn logged(filter: &str, run: impl FnOnce()) -> Vec<serde_json::Value> {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::registry()
            .with(parse(filter).unwrap())
            .with(json_layer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, run);
        captured.lines()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_has_its_fields_at_the_top() {
        let lines = capture::logged("info", || {
            tracing::info!(group = "shop", epoch = %"1.7", "routed");
            tracing::debug!("not shown");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["message"], "routed");
        assert_eq!(lines[0]["group"], "shop");
        assert_eq!(lines[0]["epoch"], "1.7");
        assert_eq!(lines[0]["level"], "INFO");
    }

    #[test]
    fn a_mistyped_level_is_refused_with_what_to_write() {
        for bad in ["inf", "info,raft=loud", "", "info,,raft=debug", "raft[{=debug"] {
            let error = parse(bad).expect_err(bad).to_string();
            assert!(error.contains("for example `info`"), "{bad}: {error}");
        }
        for good in ["info", "WARN", "off", "info,raft=debug", "biplane::edge=trace, warn"] {
            parse(good).expect(good);
        }
    }
}
