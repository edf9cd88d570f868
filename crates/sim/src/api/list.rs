//! Lists: selectors, pages, resource versions. Objects are streamed as they are stored.

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::stream;
use serde_json::{Map, Value, json};

use super::dispatch::Call;
use super::respond::{self, Form};
use super::table::partial;
use super::{events, fields};
use crate::store::{Cause, Resource, Selection, Status, Stored};

/// A page and what is said about it.
pub(super) struct Page {
    objects: Vec<Stored>,
    metadata: Map<String, Value>,
}

/// A list.
pub(super) fn list(call: &Call<'_>) -> Result<Response, Status> {
    let form = respond::form(call.headers)?;
    let page = page(call)?;
    let info = call.place.resource.info();
    match form {
        Form::Object if call.place.new_events => {
            let items: Vec<Value> = page.objects.iter().map(|o| events::to_new_item(o.value())).collect();
            let list = json!({
                "kind": "EventList", "apiVersion": "events.k8s.io/v1", "metadata": page.metadata, "items": items,
            });
            Ok(respond::json(200, &list))
        }
        Form::Object => Ok(stream_of(call.place.resource, page)),
        Form::Metadata => {
            let items: Vec<Value> = page.objects.iter().map(|o| partial(&o.value())).collect();
            // Go's empty list is none.
            let items = if items.is_empty() { Value::Null } else { items.into() };
            Ok(respond::json(
                200,
                &json!({
                    "kind": "PartialObjectMetadataList",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": page.metadata,
                    "items": items,
                }),
            ))
        }
        Form::Table => {
            let printer = fields::printer(call);
            let rows = page.objects.iter().map(|o| printer.row(o)).collect();
            let headers = !call.query.flag("noHeaders");
            let _ = info;
            Ok(respond::json(200, &printer.table(Value::Object(page.metadata), rows, headers)))
        }
    }
}

/// Refuses a version that does not exist yet.
pub(super) fn too_large(wanted: u64, current: u64) -> Result<(), Status> {
    if wanted <= current {
        return Ok(());
    }
    Err(Status {
        details: Some(json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        })),
        ..Status::new(504, "Timeout", format!("Timeout: Too large resource version: {wanted}, current: {current}"))
    })
}

/// The objects of a place that a query selects.
pub(super) fn selection(call: &Call<'_>) -> Result<Selection, Status> {
    let (labels, fields) = (call.query.text("labelSelector"), call.query.text("fieldSelector"));
    Selection::parse(call.place.resource, labels, fields)
}

fn page(call: &Call<'_>) -> Result<Page, Status> {
    check_options(call)?;
    let selection = selection(call)?;
    let limit = call.query.number("limit")?.filter(|l| *l > 0).and_then(|l| usize::try_from(l).ok());
    let store = &call.api.store;
    let resource = call.place.resource;
    let namespace = Some(call.place.namespace.as_str()).filter(|n| !n.is_empty());
    let version = version(call)?;
    let token = match call.query.text("continue") {
        "" => None,
        text => Some(Token::read(text)?),
    };
    let exact = match (&token, call.query.text("resourceVersionMatch"), version) {
        (Some(token), _, _) if token.version > 0 => Some(token.version),
        (None, "Exact", Some(version)) => Some(version),
        // A page of an exact version is exact, unless any will do.
        (None, "", Some(version)) if version > 0 && limit.is_some() => Some(version),
        _ => None,
    };
    if let Some(version) = version {
        too_large(version, store.revision())?;
    }
    // Pages are cut from everything: that nothing more is selected shows only on the next one.
    let listed = if limit.is_some() { &Selection::all() } else { &selection };
    let (mut objects, revision) = match exact {
        Some(version) => {
            let found = store.list_at(resource, namespace, listed, version);
            (found.map_err(|status| expired(status, &token))?, version)
        }
        None => store.list(resource, namespace, listed),
    };
    if let Some(token) = &token {
        objects.retain(|o| *key(o) >= *token.start.as_str());
    }
    let mut metadata = Map::new();
    let end = limit.and_then(|limit| {
        let selected = objects.iter().enumerate().filter(|(_, o)| selection.matches(&o.meta));
        selected.map(|(at, _)| at + 1).nth(limit - 1)
    });
    if let Some(end) = end
        && objects.len() > end
    {
        let left = objects.len() - end;
        let next = objects.split_off(end);
        let start = next.first().map(key).unwrap_or_default();
        metadata.insert("continue".into(), Token { version: revision, start }.write().into());
        if selection.is_all() {
            metadata.insert("remainingItemCount".into(), left.into());
        }
    }
    objects.retain(|o| selection.matches(&o.meta));
    metadata.insert("resourceVersion".into(), revision.to_string().into());
    Ok(Page { objects, metadata })
}

fn key(object: &Stored) -> String {
    format!("{}/{}", object.meta.namespace, object.meta.name)
}

fn version(call: &Call<'_>) -> Result<Option<u64>, Status> {
    match call.query.text("resourceVersion") {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            Status::bad_request(format!(
                "invalid resource version: resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
            ))
        }),
    }
}

fn check_options(call: &Call<'_>) -> Result<(), Status> {
    let query = call.query;
    let mut causes = Vec::new();
    let (rule, version) = (query.text("resourceVersionMatch"), query.text("resourceVersion"));
    if query.has("sendInitialEvents") {
        causes.push(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    if !rule.is_empty() {
        if version.is_empty() {
            let detail = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            causes.push(Cause::forbidden("resourceVersionMatch", detail));
        }
        if !query.text("continue").is_empty() {
            let detail = "resourceVersionMatch is forbidden when continue is provided";
            causes.push(Cause::forbidden("resourceVersionMatch", detail));
        }
        if !matches!(rule, "Exact" | "NotOlderThan") {
            causes.push(Cause::unsupported("resourceVersionMatch", &rule.into(), &["Exact", "NotOlderThan", ""]));
        }
        if rule == "Exact" && version == "0" {
            let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            causes.push(Cause::forbidden("resourceVersionMatch", detail));
        }
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid_kind("meta.k8s.io", "ListOptions", "", &causes)) }
}

/// A continue token: where to go on, in which version.
struct Token {
    version: u64,
    start: String,
}

impl Token {
    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": self.version, "start": self.start}).to_string())
    }

    fn read(text: &str) -> Result<Token, Status> {
        let bad = |why: &str| Status::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|why| bad(&why.to_string()))?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| {
            bad(&format!(
                "invalid character {:?} looking for beginning of value",
                bytes.first().copied().map(char::from).unwrap_or(' ')
            )
            .replace('"', "'"))
        })?;
        match (value["rv"].as_u64(), value["start"].as_str()) {
            (Some(version), Some(start)) => Ok(Token { version, start: start.to_owned() }),
            _ => Err(bad("incorrect encoded start resourceVersion (version meta.k8s.io/v1)")),
        }
    }
}

/// A page whose version is forgotten can go on in the present, if the client says so.
fn expired(status: Status, token: &Option<Token>) -> Status {
    let Some(token) = token else { return status };
    let next = Token { version: 0, start: token.start.clone() }.write();
    let mut status = Status::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    status.list_continue = Some(next);
    status
}

/// The list as a stream of chunks: nothing is parsed, and nothing is held twice.
fn stream_of(resource: Resource, mut page: Page) -> Response {
    const CHUNK: usize = 64 * 1024;
    let info = resource.info();
    if info.custom {
        // Custom resources' lists say so when there is no more.
        page.metadata.entry("continue").or_insert_with(|| "".into());
    }
    let head = format!(
        "{{\"kind\":\"{}\",\"apiVersion\":\"{}\",\"metadata\":{},\"items\":[",
        info.list_kind(),
        info.api_version(),
        Value::Object(page.metadata)
    );
    let custom = info.custom;
    let state = (page.objects.into_iter(), Some(head), true);
    let chunks = stream::unfold(Some(state), move |state| async move {
        let (mut objects, head, mut first) = state?;
        let mut out = head.map(String::into_bytes).unwrap_or_default();
        while out.len() < CHUNK {
            let Some(object) = objects.next() else {
                out.extend_from_slice(b"]}\n");
                return Some((Ok::<Bytes, std::convert::Infallible>(out.into()), None));
            };
            if !first {
                out.push(b',');
            }
            first = false;
            // Built-in kinds do not say what they are inside a list.
            if custom { object.write_to(&mut out) } else { object.write_item_to(&mut out) }
        }
        Some((Ok(out.into()), Some((objects, None, first))))
    });
    respond::bytes(200, "application/json", Body::from_stream(chunks))
}
