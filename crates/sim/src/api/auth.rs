//! Who may ask: whoever has the token.

use http::{HeaderMap, header};

use crate::store::Status;

/// 401 for a wrong or missing bearer token, where one is asked for.
pub(super) fn check(token: Option<&str>, headers: &HeaderMap) -> Result<(), Status> {
    let Some(token) = token else { return Ok(()) };
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    match given.and_then(|v| v.strip_prefix("Bearer ")) {
        Some(given) if given.trim() == token => Ok(()),
        _ => Err(Status::new(401, "Unauthorized", "Unauthorized")),
    }
}
