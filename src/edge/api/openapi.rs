//! The API told to programs: OpenAPI 3.1, served at `/v1/openapi.json`, committed, and compared by a test.

use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::alarm::ReasonBody;
use super::command::{AcceptedBody, DrainBody, FreezeBody, HintBody, ReportBody, SwitchBody};
use super::config::{ConfigBody, ConfigWish, ConfiguredBody};
use super::events::EventsBody;
use super::problem::Problem;
use super::read::ServiceInGroup;
use super::roles::{ROUTES, RouteRow};
use super::token::{NewToken, TokenShown};
use crate::kernel::controller::{
    AlarmStatus, AskStatus, ConfigPlan, Explanation, GatewayStatus, GroupStatus, MemberStatus,
    Plan, PlaneStatus, RouteTable, Status, SwitchoverRecord,
};
use crate::kernel::domain::PrincipalName;

/// Makes the schema of a body.
type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What is said of one way to ask, beside its row in the table of roles.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// The body that it takes, and whether there must be one.
    takes: Option<(Shape, bool)>,
    /// Good answers: the status, what it means, its body.
    gives: &'static [(u16, &'static str, Option<Shape>)],
    /// Problems beside those that every request of its kind may have.
    problems: &'static [u16],
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

const OPERATIONS: &[Operation] = &[
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
        "The same as server-sent events; Last-Event-ID goes on after an event, at any node",
        &[(200, "Events named after their kinds, and `gap`.", None)],
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

/// The document.
pub(super) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for row in ROUTES {
        let told = OPERATIONS.iter().find(|o| (o.method, o.path) == (row.method, row.path));
        let told = told.expect("a test compares the two tables");
        let entry = paths.entry(row.path).or_insert_with(|| json!({}));
        entry[row.method.to_lowercase()] = operation(row, told, &mut generator);
    }
    let problem = generator.subschema_for::<Problem>();
    let answer = |status: u16| {
        let content = json!({ "application/problem+json": { "schema": problem } });
        json!({ "description": problem_word(status), "content": content })
    };
    let responses: Map<String, Value> =
        PROBLEMS.iter().map(|(status, _)| (format!("problem-{status}"), answer(*status))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Biplane admin API",
            "version": "1",
            "summary": "Failover between two service planes",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": responses,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "certificate": { "type": "mutualTLS" },
            },
        },
        "security": [{ "token": [] }, { "certificate": [] }],
    })
}

/// What each problem's status means.
const PROBLEMS: &[(u16, &str)] = &[
    (400, "The request is malformed."),
    (401, "Who asks is not known."),
    (403, "Who asks is known and may not."),
    (404, "There is no such thing."),
    (405, "Not with this method."),
    (408, "The body took too long to arrive."),
    (409, "A guard forbids it now."),
    (412, "The epoch or the configuration is no longer current."),
    (413, "The body is too large."),
    (415, "The body is not JSON."),
    (422, "The body makes no sense."),
    (428, "The request needs an If-Match header."),
    (429, "Too many failed logins."),
    (500, "The node has a fault."),
    (503, "This node cannot answer now; another may."),
    (504, "The outcome is unknown; `settle` names the URL that tells it."),
];

fn problem_word(status: u16) -> &'static str {
    PROBLEMS.iter().find(|(known, _)| *known == status).map_or("A problem.", |(_, word)| word)
}

fn operation(row: &RouteRow, told: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut answers = Map::new();
    for (status, meaning, body) in told.gives {
        let mut answer = json!({ "description": meaning });
        if let Some(body) = body {
            let schema = body(generator);
            answer["content"] = json!({ "application/json": { "schema": schema } });
        } else if let Some(kind) = plain_kind(row.path) {
            let shape = if kind == "application/json" { "object" } else { "string" };
            answer["content"] = json!({ kind: { "schema": { "type": shape } } });
        }
        answers.insert(status.to_string(), answer);
    }
    for status in problems(row, told) {
        let reference = json!({ "$ref": format!("#/components/responses/problem-{status}") });
        answers.insert(status.to_string(), reference);
    }
    let mut operation = json!({
        "summary": told.summary,
        "operationId": operation_id(row),
        "responses": answers,
    });
    let parameters = parameters(row, told);
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some((shape, required)) = told.takes {
        let schema = shape(generator);
        let content = json!({ "application/json": { "schema": schema } });
        operation["requestBody"] = json!({ "required": required, "content": content });
    }
    if row.roles.is_empty() {
        operation["security"] = json!([]);
    } else {
        let roles: Vec<&str> = row.roles.iter().map(|role| role.as_str()).collect();
        operation["x-roles"] = json!(roles);
    }
    operation
}

fn plain_kind(path: &str) -> Option<&'static str> {
    match path {
        "/healthz" | "/readyz" | "/metrics" => Some("text/plain"),
        "/v1/watch" | "/v1/events/watch" => Some("text/event-stream"),
        "/v1/openapi.json" => Some("application/json"),
        _ => None,
    }
}

/// `getGroupsName` for `GET /v1/groups/{name}`.
fn operation_id(row: &RouteRow) -> String {
    let words =
        row.path.split(['/', '{', '}', '.', '-']).filter(|word| !word.is_empty() && *word != "v1");
    let mut id = row.method.to_lowercase();
    for word in words {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_uppercase());
        id.push_str(rest);
    }
    id
}

/// The problems that a request of this kind may have, in order.
fn problems(row: &RouteRow, told: &Operation) -> Vec<u16> {
    let mut problems = told.problems.to_vec();
    if row.path == "/readyz" {
        problems.push(503);
    }
    if !row.roles.is_empty() {
        problems.extend([400, 401, 403, 429, 500, 503]);
    }
    if row.path.contains('{') {
        problems.push(404);
    }
    if row.path.ends_with("{id}") || row.path.ends_with("{group}") {
        problems.push(404);
    }
    if told.takes.is_some() {
        problems.extend([408, 413, 415, 422]);
    }
    problems.sort_unstable();
    problems.dedup();
    problems
}

fn parameters(row: &RouteRow, told: &Operation) -> Vec<Value> {
    let mut parameters = Vec::new();
    for part in row.path.split('/') {
        if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            let schema = json!({ "type": "string", "minLength": 1 });
            parameters
                .push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
    }
    let mut header = |name: &str, what: &str, pattern: &str| {
        let schema = json!({ "type": "string", "pattern": pattern });
        let header = json!({ "name": name, "in": "header", "description": what, "schema": schema });
        parameters.push(header);
    };
    let switches = row.path.ends_with("/switch");
    if told.problems.contains(&412) {
        let epoch = r#"^("[0-9]{1,9}\.[0-9]{1,18}"|\*)$"#;
        let pattern = if switches { epoch } else { r#"^"[0-9]{1,18}"$"# };
        header("If-Match", "The ETag of what is to be changed, in quotes", pattern);
    }
    if switches {
        let what = "1 to 128 visible ASCII characters: the same key is the same request";
        header("Idempotency-Key", what, "^[!-~]{1,128}$");
    }
    let reads = row.method == "GET" && !row.roles.is_empty();
    if reads && !matches!(row.path, "/v1/watch" | "/v1/events/watch" | "/v1/openapi.json") {
        let schema = json!({ "type": "boolean", "default": false });
        let what = "Let this node answer from what it knows, without asking the others";
        parameters
            .push(json!({ "name": "stale", "in": "query", "description": what, "schema": schema }));
    }
    if row.path.starts_with("/v1/events") {
        let schema = json!({ "type": "string", "pattern": "^e[0-9]{1,18}-[0-9]{1,9}$" });
        let what = "Only events after this one";
        parameters
            .push(json!({ "name": "since", "in": "query", "description": what, "schema": schema }));
    }
    parameters
}

/// The document as it is served and committed.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).expect("a JSON value renders");
    text.push('\n');
    text
}

/// `GET /v1/openapi.json`.
pub(super) async fn serve() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(text);
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_told_once() {
        let told: Vec<_> = OPERATIONS.iter().map(|o| (o.method, o.path)).collect();
        let routes: Vec<_> = ROUTES.iter().map(|row| (row.method, row.path)).collect();
        assert_eq!(told, routes);
    }

    #[test]
    fn the_document_is_the_committed_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/openapi.json");
        if std::env::var_os("REWRITE").is_some() {
            std::fs::write(path, text()).expect("docs/reference can be written");
        }
        assert_eq!(std::fs::read_to_string(path).expect("the document"), text());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    map.values().for_each(|value| references(value, found));
                }
                Value::Array(list) => list.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 100, "{}", found.len());
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}
