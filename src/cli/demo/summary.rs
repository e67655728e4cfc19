//! What the demo found, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::log::Count;
use super::onlooker::Stages;

/// One step of the story, verified from outside or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    /// Its name.
    pub(super) name: &'static str,
    /// Whether everything that it demands was seen.
    pub(super) ok: bool,
    /// How long it took.
    pub(super) ms: u64,
    /// What was missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<String>,
}

/// An outage as users saw it, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Outage {
    /// From the first request through the gateway that failed to the lasting recovery.
    pub(super) gateway: Option<u64>,
    /// From the fault to the new address at the last living node.
    pub(super) dns: Option<u64>,
}

/// Where the time of one automatic switchover went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Timing {
    /// What users saw.
    pub(super) outage_ms: Outage,
    /// Requests through the gateway that this outage cost.
    pub(super) requests_lost: u64,
    /// What a client saw of the cluster meanwhile.
    #[serde(flatten)]
    pub(super) stages: Stages,
}

/// Everything, as `--json` prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    /// The story.
    pub(super) steps: Vec<Step>,
    /// The first outage: the active plane alone.
    #[serde(flatten)]
    pub(super) plane: Timing,
    /// The second: the active plane and the leader at once.
    pub(super) plane_and_leader: Timing,
    /// Requests through the gateway over the whole story.
    pub(super) requests: Requests,
    /// Where the client's own log is.
    pub(super) log: String,
}

/// Requests through the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Requests {
    sent: u64,
    failed: u64,
}

impl From<Count> for Requests {
    fn from(Count { sent, failed }: Count) -> Self {
        Self { sent, failed }
    }
}

impl Summary {
    /// Whether every step of the story was seen.
    pub(super) fn ok(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| step.ok)
    }

    /// For people.
    pub(super) fn render(&self) -> String {
        let mut text = String::from("\nOn loopback, as the client saw it:\n");
        outage(&mut text, "active plane out", &self.plane);
        outage(&mut text, "plane and leader out at once", &self.plane_and_leader);
        let Requests { sent, failed } = self.requests;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  requests through the gateway: {sent} sent, {failed} failed");
        let _ = writeln!(text, "  every question and answer: {}", self.log);
        text
    }
}

fn outage(text: &mut String, what: &str, timing: &Timing) {
    let said = |ms: Option<u64>| ms.map_or_else(|| "?".to_owned(), |ms| format!("{ms} ms"));
    let Timing { outage_ms, requests_lost, stages } = timing;
    let Stages { detection_ms, decision_ms, routing_ms, verification_ms } = stages;
    let _ = writeln!(
        text,
        "  {what}: requests lost: {requests_lost}; gateway out for {}, every DNS server moved after {}\n    \
         detection {}, decision {}, routing {}, verification {}",
        said(outage_ms.gateway),
        said(outage_ms.dns),
        said(*detection_ms),
        said(*decision_ms),
        said(*routing_ms),
        said(*verification_ms),
    );
}

/// Whole milliseconds.
pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_has_the_documented_fields() {
        let step = Step { name: "steady", ok: true, ms: 7, missing: None };
        let summary = Summary { steps: vec![step], ..Summary::default() };
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["steps"], serde_json::json!([{"name": "steady", "ok": true, "ms": 7}]));
        assert_eq!(json["requests"], serde_json::json!({"sent": 0, "failed": 0}));
        let times = ["outage_ms", "detection_ms", "decision_ms", "routing_ms", "verification_ms"];
        for field in times {
            assert!(json.get(field).is_some(), "{field}: {json}");
        }
        assert!(
            json["outage_ms"].get("gateway").is_some() && json["outage_ms"].get("dns").is_some()
        );
    }

    #[test]
    fn a_story_without_steps_or_with_a_failed_one_is_no_success() {
        assert!(!Summary::default().ok());
        let step = |ok| Step { name: "steady", ok, ms: 7, missing: None };
        let both = Summary { steps: vec![step(true), step(false)], ..Summary::default() };
        assert!(!both.ok());
    }
}
