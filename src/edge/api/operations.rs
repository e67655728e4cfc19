//! What is said of each way to ask, beside its row in the table of roles: for the OpenAPI document.

use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};

use super::alarm::ReasonBody;
use super::command::{AcceptedBody, DrainBody, FreezeBody, HintBody, ReportBody, SwitchBody};
use super::config::{ConfigBody, ConfigWish, ConfiguredBody};
use super::events::EventsBody;
use super::read::ServiceInGroup;
use super::token::{NewToken, TokenShown};
use crate::kernel::controller::{
    AlarmStatus, AskStatus, ConfigPlan, Explanation, GatewayStatus, GroupStatus, MemberStatus,
    Plan, PlaneStatus, RouteTable, Status, SwitchoverRecord,
};
use crate::kernel::domain::PrincipalName;
use crate::kernel::ledger::{AuditHead, AuditPage};

/// Makes the schema of a body.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// The answers of `PUT /v1/config`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "a shape: it is told, never made")]
enum Configured {
    /// It is in force.
    Done(ConfiguredBody),
    /// A dry run.
    Plan(ConfigPlan),
}

/// What is said of one way to ask, beside its row in the table of roles.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    /// The body that it takes, and whether there must be one.
    pub(super) takes: Option<(Shape, bool)>,
    /// Good answers: the status, what it means, its body.
    pub(super) gives: &'static [(u16, &'static str, Option<Shape>)],
    /// Problems beside those that every request of its kind may have.
    pub(super) problems: &'static [u16],
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn get(
    path: &'static str,
    summary: &'static str,
    gives: &'static [(u16, &'static str, Option<Shape>)],
) -> Operation {
    Operation { method: "GET", path, summary, takes: None, gives, problems: &[] }
}

const fn put(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    takes: Option<(Shape, bool)>,
    gives: &'static [(u16, &'static str, Option<Shape>)],
    problems: &'static [u16],
) -> Operation {
    Operation { method, path, summary, takes, gives, problems }
}

const NOTHING: &[(u16, &str, Option<Shape>)] = &[(204, "It is done.", None)];
const TEXT: &[(u16, &str, Option<Shape>)] = &[(200, "Text.", None)];
/// A command may be refused by a guard, and its outcome may be unknown.
const COMMAND: &[u16] = &[409, 504];

type Tokens = std::collections::BTreeMap<PrincipalName, TokenShown>;

pub(super) const OPERATIONS: &[Operation] = &[
    get("/healthz", "The process lives", TEXT),
    get("/readyz", "The node has a leader and takes part in consensus", TEXT),
    get("/metrics", "Metrics in the Prometheus text format", TEXT),
    get("/v1/openapi.json", "This document", &[(200, "OpenAPI 3.1.", None)]),
    get("/v1/status", "The cluster as one page", &[(200, "The status.", Some(of::<Status>))]),
    get("/v1/groups", "All groups", &[(200, "The groups.", Some(of::<Vec<GroupStatus>>))]),
    get(
        "/v1/groups/{name}",
        "One group; its epoch is the ETag",
        &[(200, "The group.", Some(of::<GroupStatus>))],
    ),
    put(
        "POST",
        "/v1/groups/{name}/switch",
        "Move a group to the other plane, or say what would happen. The epoch that is moved from stands in If-Match or in the body",
        Some((of::<SwitchBody>, false)),
        &[
            (200, "A dry run: what would happen.", Some(of::<Plan>)),
            (
                202,
                "The switchover stands in the log; Location says where to follow it.",
                Some(of::<AcceptedBody>),
            ),
        ],
        &[409, 412, 428, 504],
    ),
    put(
        "POST",
        "/v1/groups/{name}/freeze",
        "Let nothing move a group by itself, or end that",
        Some((of::<FreezeBody>, true)),
        NOTHING,
        COMMAND,
    ),
    put(
        "POST",
        "/v1/freeze",
        "The same for all groups",
        Some((of::<FreezeBody>, true)),
        NOTHING,
        COMMAND,
    ),
    get("/v1/services", "All services", &[(200, "The services.", Some(of::<Vec<ServiceInGroup>>))]),
    get("/v1/services/{name}", "One service", &[(200, "The service.", Some(of::<ServiceInGroup>))]),
    get("/v1/planes", "Both planes", &[(200, "The planes.", Some(of::<Vec<PlaneStatus>>))]),
    put(
        "POST",
        "/v1/planes/{name}/drain",
        "Let no group move to a plane, or end that",
        Some((of::<DrainBody>, true)),
        NOTHING,
        COMMAND,
    ),
    get(
        "/v1/members",
        "The members of the control cluster",
        &[(200, "The members.", Some(of::<Vec<MemberStatus>>))],
    ),
    get(
        "/v1/gateways",
        "The gateways heard of",
        &[(200, "The gateways.", Some(of::<Vec<GatewayStatus>>))],
    ),
    put(
        "PUT",
        "/v1/gateways/{name}",
        "A gateway says what it follows",
        Some((of::<ReportBody>, true)),
        NOTHING,
        &[],
    ),
    put(
        "POST",
        "/v1/hints",
        "A gateway saw a plane fail",
        Some((of::<HintBody>, true)),
        NOTHING,
        &[],
    ),
    get(
        "/v1/switchovers",
        "The switchovers that are kept, newest first",
        &[(200, "The records.", Some(of::<Vec<SwitchoverRecord>>))],
    ),
    get(
        "/v1/switchovers/{id}",
        "One switchover; `last` is the newest",
        &[(200, "The record.", Some(of::<SwitchoverRecord>))],
    ),
    get(
        "/v1/asks",
        "What people are or were asked, newest first",
        &[(200, "The asks.", Some(of::<Vec<AskStatus>>))],
    ),
    get("/v1/asks/{id}", "One ask", &[(200, "The ask.", Some(of::<AskStatus>))]),
    put(
        "POST",
        "/v1/asks/{id}/approve",
        "Let the group be moved, if the observers, asked anew, still say so",
        Some((of::<ReasonBody>, false)),
        NOTHING,
        COMMAND,
    ),
    put(
        "POST",
        "/v1/asks/{id}/deny",
        "Leave the group where it is, and be asked no more until the ask's time is over",
        Some((of::<ReasonBody>, false)),
        NOTHING,
        COMMAND,
    ),
    get(
        "/v1/alarms",
        "The open alarms, oldest first",
        &[(200, "The alarms.", Some(of::<Vec<AlarmStatus>>))],
    ),
    put(
        "POST",
        "/v1/alarms/{id}/ack",
        "Say that somebody has seen an alarm; a used-up budget opens anew, an unstable plane counts as calm",
        Some((of::<ReasonBody>, false)),
        NOTHING,
        COMMAND,
    ),
    get(
        "/v1/explain/{group}",
        "Why a group is where it is; `last` is the group of the newest switchover",
        &[(200, "The explanation.", Some(of::<Explanation>))],
    ),
    get("/v1/routes", "The route table", &[(200, "The table.", Some(of::<RouteTable>))]),
    get(
        "/v1/watch",
        "The route table and its changes as server-sent events",
        &[(200, "Events `table` and `route`.", None)],
    ),
    get(
        "/v1/events",
        "What happened, the newest of it; `since` gives what came after an event",
        &[(200, "The events.", Some(of::<EventsBody>))],
    ),
    get(
        "/v1/events/watch",
        "The same as server-sent events; Last-Event-ID (or `since`) goes on after an event, at any node; one that has not happened yet is refused",
        &[(200, "Events named after their kinds, and `gap`.", None)],
    ),
    get(
        "/v1/audit",
        "The log as this node applied and kept it, from an entry on, chained",
        &[(200, "Lines of the trail.", Some(of::<AuditPage>))],
    ),
    get(
        "/v1/audit/head",
        "Where the chain of the audit trail stands",
        &[(200, "The head.", Some(of::<AuditHead>))],
    ),
    get(
        "/v1/config",
        "The configuration in force; its number is the ETag",
        &[(200, "The configuration.", Some(of::<ConfigBody>))],
    ),
    put(
        "PUT",
        "/v1/config",
        "Put another configuration in the place of the one that If-Match names, or say what would change",
        Some((of::<ConfigWish>, true)),
        &[(200, "It is in force, or, of a dry run, what would change.", Some(of::<Configured>))],
        &[409, 412, 428, 504],
    ),
    get(
        "/v1/config/{version}",
        "A configuration that is kept",
        &[(200, "The configuration.", Some(of::<ConfigBody>))],
    ),
    get(
        "/v1/tokens",
        "The tokens in the log, without the tokens",
        &[(200, "By name.", Some(of::<Tokens>))],
    ),
    put(
        "POST",
        "/v1/tokens",
        "Make a token; only its hash is sent",
        Some((of::<NewToken>, true)),
        NOTHING,
        &[404, 409, 504],
    ),
    put(
        "DELETE",
        "/v1/tokens/{name}",
        "End a token, and whatever else goes by its name",
        None,
        NOTHING,
        COMMAND,
    ),
];
