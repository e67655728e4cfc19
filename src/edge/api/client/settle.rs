//! What tells later whether a request was carried out whose answer did not come, or was none.

use std::net::SocketAddr;

use axum::http::Method;

use super::Order;
use super::error::ApiError;

/// The path that tells it, by the path that was asked.
pub(super) fn settled_by(path: &str) -> String {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["v1", "groups", group, "switch"] => format!("/v1/groups/{group}"),
        ["v1", "asks", ask, _] => format!("/v1/asks/{ask}"),
        ["v1", list @ ("config" | "tokens" | "alarms"), ..] => format!("/v1/{list}"),
        _ => "/v1/status".to_owned(),
    }
}

/// Of a request whose answer cannot be used: a reading has no answer, a writing may have been done.
pub(super) fn unusable(order: &Order, controller: SocketAddr, why: String) -> ApiError {
    if order.method == Method::GET {
        return ApiError::BadAnswer { controller, why };
    }
    let why = format!("{controller} gave an answer that cannot be used: {why}");
    ApiError::UnknownOutcome { why, settle: settled_by(order.path.path()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_has_something_that_tells_what_became_of_it() {
        for (asked, told) in [
            ("/v1/groups/shop/switch", "/v1/groups/shop"),
            ("/v1/groups/shop/freeze", "/v1/status"),
            ("/v1/freeze", "/v1/status"),
            ("/v1/planes/east/drain", "/v1/status"),
            ("/v1/asks/q7-0/approve", "/v1/asks/q7-0"),
            ("/v1/alarms/a1-0/ack", "/v1/alarms"),
            ("/v1/tokens", "/v1/tokens"),
            ("/v1/tokens/night", "/v1/tokens"),
            ("/v1/config", "/v1/config"),
        ] {
            assert_eq!(settled_by(asked), told);
        }
    }
}
