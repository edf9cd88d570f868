//! From a request to who answers it.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, Request};
use serde_json::json;

use super::request::{Place, Query, Target};
use super::{Api, KUBERNETES, auth, body, create, delete, discovery, exec, list, log, openapi, read, respond, review};
use super::{subresource, update, watch};
use crate::store::{Resource, Status};

/// A request for objects, with what its answer depends on.
pub(super) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) place: &'a Place,
    pub(super) query: &'a Query,
    pub(super) headers: &'a HeaderMap,
}

/// Answers any request.
pub(super) async fn handle(State(api): State<Api>, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let (path, known) = auth::path(api.token.as_deref(), parts.uri.path());
    if !known && let Err(status) = auth::check(api.token.as_deref(), &parts.headers) {
        return respond::error(&status);
    }
    let target = Target::of(path, |r| api.served(r));
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    if matches!(target, Target::Objects(_)) {
        let (delay, fault) = api.faults.next(!matches!(parts.method, Method::GET | Method::HEAD));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if let Some(status) = fault {
            return respond::error(&status);
        }
    }
    let get = parts.method == Method::GET || parts.method == Method::HEAD;
    let answer = match target {
        Target::Objects(place) => {
            if place.subresource.as_deref() == Some("exec") {
                exec::handle(&api, &place, &query, &mut parts).await
            } else {
                let call = Call { api: &api, place: &place, query: &query, headers: &parts.headers };
                let mut answer = objects(&call, &parts.method, body).await.unwrap_or_else(|s| respond::error(&s));
                if place.resource == Resource::Endpoints {
                    let old = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
                    respond::warn(&mut answer, &[old.to_owned()]);
                }
                Ok(answer)
            }
        }
        Target::Review { group, plural } if parts.method == Method::POST => {
            review::create(&parts.headers, &group, &plural, body).await
        }
        Target::NoResource => Err(Status::no_such_path()),
        Target::Nowhere => return nowhere(),
        _ if !get => Err(Status::method_not_allowed()),
        Target::Root => Ok(discovery::root(&api)),
        // Written for people, too.
        Target::Version => Ok(respond::bytes(200, "application/json", format!("{:#}", version()))),
        Target::Health => Ok(respond::bytes(200, "text/plain; charset=utf-8", "ok")),
        Target::CoreVersions => Ok(discovery::core(&api, &parts.headers)),
        Target::Groups => Ok(discovery::groups(&api, &parts.headers)),
        Target::Group(group) => Ok(discovery::group(&api, &group)),
        Target::GroupVersion { group, version } => Ok(discovery::resources(&api, &group, &version)),
        Target::OpenApiV2 => openapi::v2(&api, &parts.headers),
        Target::OpenApiV3(path) => openapi::v3(&api, &path),
        Target::Review { .. } => Err(Status::method_not_allowed()),
    };
    answer.unwrap_or_else(|status| respond::error(&status))
}

async fn objects(call: &Call<'_>, method: &Method, body: Body) -> Result<Response, Status> {
    let place = call.place;
    if let Some(part) = place.subresource.as_deref()
        && part != "status"
    {
        if place.resource.info().custom {
            // The server of custom resources speaks of the object.
            return Err(Status::not_found(place.resource.info(), place.name.as_deref().unwrap_or_default()));
        }
        return match part {
            "log" if *method == Method::GET => log::get(call).await,
            _ => subresource::handle(call, part, method, body).await,
        };
    }
    let named = place.name.is_some();
    let status = place.subresource.is_some();
    if status && !place.resource.info().status {
        let info = place.resource.info();
        let name = place.name.as_deref().unwrap_or_default();
        return Err(if info.custom { Status::not_found(info, name) } else { Status::no_such_path() });
    }
    match (method.as_str(), named) {
        ("GET", true) => read::get(call),
        ("GET", false) if call.query.flag("watch") => watch::watch(call),
        ("GET", false) => list::list(call),
        ("POST", false) => create::create(call, body).await,
        ("PUT", true) => update::put(call, body).await,
        ("PATCH", true) => update::patch(call, body).await,
        ("DELETE", true) if !status => delete::one(call, body).await,
        ("DELETE", false) => delete::collection(call, body).await,
        _ => Err(Status::method_not_allowed()),
    }
}

fn nowhere() -> Response {
    let mut response = respond::bytes(404, "text/plain; charset=utf-8", "404 page not found\n");
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn version() -> serde_json::Value {
    json!({
        "major": "1",
        "minor": "34",
        "emulationMajor": "1",
        "emulationMinor": "34",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "33",
        "gitVersion": KUBERNETES,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "simulated",
    })
}

/// Reads the body and parses it as an object of a kind.
pub(super) async fn object(call: &Call<'_>, body: Body, kind: &str) -> Result<serde_json::Value, Status> {
    let bytes = body::read(body).await?;
    body::object(call.headers, &bytes, kind)
}
