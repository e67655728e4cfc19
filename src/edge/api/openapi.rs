//! The API told to programs: OpenAPI 3.1, served at `/v1/openapi.json`, committed, and compared by a test.

use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::operations::{OPERATIONS, Operation};
use super::problem::Problem;
use super::roles::{ROUTES, RouteRow};

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
    if row.path == "/v1/audit" {
        let schema = json!({ "type": "integer", "minimum": 0, "default": 0 });
        let what = "The first entry that is wanted";
        parameters
            .push(json!({ "name": "from", "in": "query", "description": what, "schema": schema }));
    } else if reads && !matches!(row.path, "/v1/watch" | "/v1/events/watch" | "/v1/openapi.json") {
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
