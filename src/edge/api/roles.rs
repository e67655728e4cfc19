//! Who may ask what: a row for each route and method. What has no row is refused to everybody.

use axum::http::Method;

use crate::kernel::domain::AccessRole::{self, Admin, Gateway, Operator, Viewer};

/// One way to ask.
#[derive(Clone, Copy, Debug)]
pub struct RouteRow {
    /// The method; `GET` stands for `HEAD` too.
    pub method: &'static str,
    /// The path, as the router knows it.
    pub path: &'static str,
    /// Who may; nobody needs a token where this is empty.
    pub roles: &'static [AccessRole],
}

const OPEN: &[AccessRole] = &[];
const READ: &[AccessRole] = &[Viewer, Operator, Admin];
const FOLLOW: &[AccessRole] = &[Viewer, Gateway, Operator, Admin];
const TELL: &[AccessRole] = &[Gateway, Admin];
const OPERATE: &[AccessRole] = &[Operator, Admin];
const ADMIN: &[AccessRole] = &[Admin];

const fn row(method: &'static str, path: &'static str, roles: &'static [AccessRole]) -> RouteRow {
    RouteRow { method, path, roles }
}

/// The whole API. The page `docs/reference/roles.md` is made from it.
pub const ROUTES: &[RouteRow] = &[
    row("GET", "/healthz", OPEN),
    row("GET", "/readyz", OPEN),
    row("GET", "/metrics", OPEN),
    row("GET", "/v1/openapi.json", FOLLOW),
    row("GET", "/v1/status", READ),
    row("GET", "/v1/groups", READ),
    row("GET", "/v1/groups/{name}", READ),
    row("POST", "/v1/groups/{name}/switch", OPERATE),
    row("POST", "/v1/groups/{name}/freeze", OPERATE),
    row("POST", "/v1/freeze", OPERATE),
    row("GET", "/v1/services", READ),
    row("GET", "/v1/services/{name}", READ),
    row("GET", "/v1/planes", READ),
    row("POST", "/v1/planes/{name}/drain", OPERATE),
    row("GET", "/v1/members", READ),
    row("GET", "/v1/gateways", READ),
    row("PUT", "/v1/gateways/{name}", TELL),
    row("POST", "/v1/hints", TELL),
    row("GET", "/v1/switchovers", READ),
    row("GET", "/v1/switchovers/{id}", READ),
    row("GET", "/v1/asks", READ),
    row("GET", "/v1/asks/{id}", READ),
    row("POST", "/v1/asks/{id}/approve", OPERATE),
    row("POST", "/v1/asks/{id}/deny", OPERATE),
    row("GET", "/v1/alarms", READ),
    row("POST", "/v1/alarms/{id}/ack", OPERATE),
    row("GET", "/v1/explain/{group}", READ),
    row("GET", "/v1/routes", FOLLOW),
    row("GET", "/v1/watch", FOLLOW),
    row("GET", "/v1/events", READ),
    row("GET", "/v1/events/watch", READ),
    row("GET", "/v1/audit", READ),
    row("GET", "/v1/audit/head", READ),
    row("GET", "/v1/config", READ),
    row("PUT", "/v1/config", ADMIN),
    row("GET", "/v1/config/{version}", READ),
    row("GET", "/v1/tokens", ADMIN),
    row("POST", "/v1/tokens", ADMIN),
    row("DELETE", "/v1/tokens/{name}", ADMIN),
];

/// The row for a request that the router has matched.
pub(super) fn row_of(method: &Method, path: &str) -> Option<&'static RouteRow> {
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    ROUTES.iter().find(|row| row.path == path && row.method == method)
}

/// Whether the table has the path, by whatever method.
pub(super) fn knows(path: &str) -> bool {
    ROUTES.iter().any(|row| row.path == path)
}

/// Whether a path is open to everybody.
pub(super) fn is_open(path: &str) -> bool {
    ROUTES.iter().any(|row| row.path == path && row.roles.is_empty())
}

/// The table as a page.
pub fn page() -> String {
    let mut page = String::from(
        "# Who may ask what\n\nMade from the table of the API; a test compares them, and asks each route in each role. A token that is scoped to \
         groups acts on\nthese only: it switches and freezes them, and neither freezes all nor drains a plane. What it may read is not \
         scoped.\n\n| method | path |",
    );
    for role in AccessRole::ALL {
        page.push_str(&format!(" {role} |"));
    }
    page.push_str("\n|---|---|---|---|---|---|\n");
    for RouteRow { method, path, roles } in ROUTES {
        page.push_str(&format!("| {method} | `{path}` |"));
        for role in AccessRole::ALL {
            let may = if roles.is_empty() {
                "open"
            } else if roles.contains(&role) {
                "yes"
            } else {
                "no"
            };
            page.push_str(&format!(" {may} |"));
        }
        page.push('\n');
    }
    page
}
