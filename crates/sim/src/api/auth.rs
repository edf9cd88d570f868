//! Who may ask: whoever has the token.

use http::{HeaderMap, header};

use crate::store::Status;

/// The path without the token that it may begin with, and whether it did: `kubectl` sends no header where there is no TLS.
pub(super) fn path<'a>(token: Option<&str>, path: &'a str) -> (&'a str, bool) {
    let rest = token.and_then(|token| path.strip_prefix('/')?.strip_prefix(token));
    match rest {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => (rest, true),
        _ => (path, false),
    }
}

/// 401 for a wrong or missing bearer token, where one is asked for.
pub(super) fn check(token: Option<&str>, headers: &HeaderMap) -> Result<(), Status> {
    let Some(token) = token else { return Ok(()) };
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    match given.and_then(|v| v.strip_prefix("Bearer ")) {
        Some(given) if given.trim() == token => Ok(()),
        _ => Err(Status::new(401, "Unauthorized", "Unauthorized")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Some("secret"), "/secret/api/v1", ("/api/v1", true))]
    #[case(Some("secret"), "/secret", ("", true))]
    #[case(Some("secret"), "/secrets/api", ("/secrets/api", false))]
    #[case(Some("secret"), "/api/secret", ("/api/secret", false))]
    #[case(None, "/api", ("/api", false))]
    fn a_path_may_begin_with_the_token(
        #[case] token: Option<&str>,
        #[case] given: &str,
        #[case] expected: (&str, bool),
    ) {
        assert_eq!(path(token, given), expected);
    }

    #[test]
    fn a_wrong_token_is_nobody() {
        let mut headers = HeaderMap::new();
        assert!(check(None, &headers).is_ok());
        assert_eq!(check(Some("secret"), &headers).unwrap_err().code, 401);
        headers.insert(header::AUTHORIZATION, "Bearer secret".parse().unwrap());
        assert!(check(Some("secret"), &headers).is_ok());
        assert_eq!(check(Some("other"), &headers).unwrap_err().code, 401);
    }
}
