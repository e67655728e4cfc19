//! One instant query of a Prometheus: each sample is held against the bounds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hyper::Response;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use super::fault::short;
use super::{http, limits};
use crate::kernel::domain::{Endpoint, ProbeFault, ProbeTimings, PrometheusProbe};

/// What it answers, as far as it is of use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: String,
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

/// One of a vector.
#[derive(Deserialize)]
struct Sample {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    /// When, and what as a text. One of a native histogram has none.
    value: Option<(Value, String)>,
}

/// Asks and judges the answer.
pub(super) async fn ask<S>(
    stream: S,
    endpoint: &Endpoint,
    probe: &PrometheusProbe,
    timings: &mut ProbeTimings,
) -> Result<(), ProbeFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let target = format!("{}?query={}", probe.path, escaped(&probe.query));
    let request = http::get(&target, &http::authority(endpoint, &probe.host, probe.tls))?;
    let mut status = 0;
    let head = |answer: &Response<Incoming>| {
        status = answer.status().as_u16();
        Ok(())
    };
    let body = http::fetch(stream, request, head, true, timings).await?;
    if body.is_cut() {
        let most = limits::BODY_BYTES >> 10;
        let what = format!("more than {most} KiB of samples: let the query sum them up");
        return Err(ProbeFault::WrongAnswer(what));
    }
    judge(probe, status, &body.text)
}

/// Every byte that is not a letter, a digit or one of `-._~` by its number (RFC 3986, section 2.1).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn wrong<T>(what: impl ToString) -> Result<T, ProbeFault> {
    Err(ProbeFault::WrongAnswer(short(what)))
}

fn judge(probe: &PrometheusProbe, status: u16, body: &[u8]) -> Result<(), ProbeFault> {
    let answer: Answer = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(_) if status != 200 => return wrong(format_args!("status {status}, not 200")),
        Err(error) => return wrong(format_args!("no answer of a Prometheus: {error}")),
    };
    if status == 400 && answer.error_type == "bad_data" {
        // The cluster file's mistake: it says nothing about the target.
        let why = format_args!("Prometheus cannot read the query: {}", answer.error);
        return Err(ProbeFault::NotProbed(short(why)));
    }
    let Some(data) = answer.data.filter(|_| status == 200 && answer.status == "success") else {
        let (kind, error) = (answer.error_type, answer.error);
        return wrong(format_args!("status {status}, {}: {kind}: {error}", answer.status));
    };
    judge_samples(probe, &samples(data)?)
}

/// Names of series with their values.
fn samples(data: Data) -> Result<Vec<(String, String)>, ProbeFault> {
    let unread = |error: serde_json::Error| {
        ProbeFault::WrongAnswer(short(format_args!("no answer of a Prometheus: {error}")))
    };
    match data.result_type.as_str() {
        "scalar" => {
            let (_, value): (Value, String) =
                serde_json::from_value(data.result).map_err(unread)?;
            Ok(vec![("the query".to_owned(), value)])
        }
        "vector" => {
            let samples: Vec<Sample> = serde_json::from_value(data.result).map_err(unread)?;
            let of = |sample: Sample| {
                let value = sample.value.map_or_else(|| "a histogram".to_owned(), |(_, text)| text);
                (name_of(&sample.metric), value)
            };
            Ok(samples.into_iter().map(of).collect())
        }
        other => {
            wrong(format_args!("the query gives a {other}, not a scalar or an instant vector"))
        }
    }
}

fn name_of(metric: &BTreeMap<String, String>) -> String {
    let name = metric.get("__name__").map_or("", String::as_str);
    let labels: Vec<String> = metric
        .iter()
        .filter(|(label, _)| *label != "__name__")
        .map(|(label, value)| format!("{label}=\"{value}\""))
        .collect();
    match (name, labels.is_empty()) {
        ("", true) => "the query".to_owned(),
        (name, true) => name.to_owned(),
        (name, false) => format!("{name}{{{}}}", labels.join(",")),
    }
}

fn judge_samples(probe: &PrometheusProbe, samples: &[(String, String)]) -> Result<(), ProbeFault> {
    if samples.is_empty() {
        return wrong("the query has no result: there is nothing to hold against its bound");
    }
    let bad: Vec<_> = samples.iter().filter(|(_, value)| !fits(probe, value)).collect();
    let Some((name, value)) = bad.first() else { return Ok(()) };
    let demanded = match (probe.above, probe.below) {
        (Some(above), Some(below)) => format!("above {above} and below {below}"),
        (Some(above), None) => format!("above {above}"),
        (None, Some(below)) => format!("below {below}"),
        (None, None) => "held against anything".to_owned(),
    };
    let (bad, all) = (bad.len(), samples.len());
    let of = if all > 1 { format!(" ({bad} of {all} samples)") } else { String::new() };
    wrong(format_args!("{name} is {value}, not {demanded}{of}"))
}

/// What is no number fits no bound.
fn fits(probe: &PrometheusProbe, value: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    let Some(value) = number(value) else { return false };
    let bound = |bound: Option<crate::kernel::domain::Decimal>| number(&bound?.to_string());
    let (above, below) = (bound(probe.above), bound(probe.below));
    (above.is_some() || below.is_some())
        && above.is_none_or(|above| value > above)
        && below.is_none_or(|below| value < below)
}
