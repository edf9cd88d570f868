//! Request bodies: read up to a limit, parsed with the real server's complaints.

use axum::body::Body;
use http::{HeaderMap, header};
use serde_json::Value;

use super::patch::PatchType;
use super::protobuf;
use crate::store::Status;

/// 3 MiB, as the real server has it.
const LIMIT: usize = 3 * 1024 * 1024;

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Bytes of a broken body that the complaint quotes.
const SHOWN: usize = 30;

/// The whole body.
pub(super) async fn read(body: Body) -> Result<bytes::Bytes, Status> {
    axum::body::to_bytes(body, LIMIT)
        .await
        .map_err(|_| Status::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {LIMIT}")))
}

/// An object of a kind, from JSON or YAML.
pub(super) fn object(headers: &HeaderMap, bytes: &[u8], kind: &str) -> Result<Value, Status> {
    let content_type = content_type(headers);
    match content_type.as_str() {
        "" | "application/json" | "*/*" => {}
        "application/yaml" => return yaml(bytes, kind),
        PROTOBUF => {
            return protobuf::decode(bytes).map_err(|why| {
                Status::bad_request(format!("the object provided is unrecognized (must be of type {kind}): {why}"))
            });
        }
        _ => {
            return Err(Status::new(
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
            ));
        }
    }
    parse(bytes).map_err(|why| unrecognized(kind, &why, bytes))
}

/// `DeleteOptions`: what cannot be read is the server's own error here, as it is in the real one.
pub(super) fn delete_options(headers: &HeaderMap, bytes: &[u8]) -> Result<Value, Status> {
    match content_type(headers).as_str() {
        "application/yaml" => return yaml(bytes, "DeleteOptions"),
        PROTOBUF => return protobuf::decode(bytes).map_err(|why| Status::new(500, "", why)),
        _ => {}
    }
    let given = parse(bytes)
        .map_err(|why| Status::new(500, "", format!("couldn't get version/kind; json parse error: {why}")))?;
    if let Some(found) = Some(&given["gracePeriodSeconds"]).filter(|v| !v.is_null() && !v.is_i64()) {
        return Err(Status::new(
            500,
            "",
            format!(
                "json: cannot unmarshal {} into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
                kind_of(found)
            ),
        ));
    }
    Ok(given)
}

fn parse(bytes: &[u8]) -> Result<Value, String> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(other) => Err(not_an_object(&other)),
        Err(why) => Err(go_text(&why, bytes)),
    }
}

/// The body of a patch.
pub(super) fn patch(bytes: &[u8], kind: PatchType) -> Result<Value, Status> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(_) if kind == PatchType::Apply => {
            serde_yaml::from_slice(bytes).map_err(|why| Status::bad_request(format!("error decoding YAML: {why}")))
        }
        Err(why) if kind == PatchType::Strategic => Err(Status::bad_request(go_text(&why, bytes))),
        Err(why) => Err(Status::bad_request(format!("error decoding patch: {}", go_text(&why, bytes)))),
    }
}

/// The media type without parameters.
pub(super) fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn yaml(bytes: &[u8], kind: &str) -> Result<Value, Status> {
    match serde_yaml::from_slice::<Value>(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(other) => Err(unrecognized(kind, &not_an_object(&other), bytes)),
        Err(why) => Err(unrecognized(kind, &why.to_string(), bytes)),
    }
}

fn unrecognized(kind: &str, why: &str, bytes: &[u8]) -> Status {
    let text = match bytes {
        [] => "<empty>".to_owned(),
        // What is no JSON object is shown in hexadecimal, as Go does with bytes that it cannot name.
        [b'{', ..] => String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned(),
        _ => bytes.iter().take(SHOWN).map(|b| format!("{b:02x}")).collect::<String>(),
    };
    let more = if bytes.len() > SHOWN { " ..." } else { "" };
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why} ({text}{more})"
    ))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        _ => "number",
    }
}

fn not_an_object(value: &Value) -> String {
    let found = kind_of(value);
    format!(
        "json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
    )
}

/// A parser's complaint in the words of Go's.
fn go_text(why: &serde_json::Error, bytes: &[u8]) -> String {
    if why.is_eof() {
        return "unexpected end of JSON input".into();
    }
    let before: usize = bytes.split(|b| *b == b'\n').take(why.line().saturating_sub(1)).map(|l| l.len() + 1).sum();
    let at = (before + why.column()).saturating_sub(1);
    let found = bytes.get(at).copied().map(char::from).unwrap_or(' ');
    let text = why.to_string();
    let place = if text.contains("key must be a string") {
        "looking for beginning of object key string"
    } else if text.contains("expected `:`") {
        "after object key"
    } else if text.contains("expected `,` or `}`") {
        "after object key:value pair"
    } else if text.contains("expected `,` or `]`") {
        "after array element"
    } else if text.contains("trailing characters") {
        "after top-level value"
    } else {
        "looking for beginning of value"
    };
    format!("invalid character '{found}' {place}")
}
