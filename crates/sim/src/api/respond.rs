//! Answers, and the form in which the client wants them.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::store::Status;

/// The form of objects in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Object,
    /// `meta.k8s.io/v1` `Table`.
    Table,
    /// Only their metadata.
    Metadata,
}

/// The first form in `Accept` that can be given. Protobuf is not spoken: those who ask for it take JSON as well.
pub(crate) fn form(headers: &HeaderMap) -> Result<Form, Status> {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("*/*");
    let mut seen = false;
    for part in accept.split(',') {
        let mut words = part.split(';').map(str::trim);
        let media = words.next().unwrap_or_default();
        let parameter = |name: &str| {
            part.split(';').filter_map(|w| w.trim().split_once('=')).find(|(k, _)| *k == name).map(|(_, v)| v)
        };
        if media.is_empty() {
            continue;
        }
        seen = true;
        if !matches!(media, "application/json" | "application/*" | "*/*") {
            continue;
        }
        match (parameter("as"), parameter("g"), parameter("v")) {
            (None, _, _) => return Ok(Form::Object),
            (Some("Table"), Some("meta.k8s.io"), Some("v1")) => return Ok(Form::Table),
            (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("meta.k8s.io"), Some("v1")) => {
                return Ok(Form::Metadata);
            }
            _ => {}
        }
    }
    if !seen {
        return Ok(Form::Object);
    }
    Err(Status {
        details: Some(serde_json::json!({})),
        ..Status::new(
            406,
            "NotAcceptable",
            "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )
    })
}

/// JSON with a code.
pub(crate) fn json(code: u16, body: &Value) -> Response {
    bytes(code, "application/json", serde_json::to_vec(body).unwrap_or_default())
}

/// Anything with a code and a content type.
pub(crate) fn bytes(code: u16, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// An error.
pub(crate) fn error(status: &Status) -> Response {
    let mut response = json(status.code, &status.to_value());
    if let Some(seconds) = status.details.as_ref().and_then(|d| d["retryAfterSeconds"].as_u64()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    warn(&mut response, &status.warnings);
    response
}

/// `Warning: 299 - "..."` for each.
pub(crate) fn warn(response: &mut Response, warnings: &[String]) {
    for warning in warnings {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
}
