//! POST of objects.

use super::dispatch::{Call, object};
use super::ssa::{Ownership, blank};
use super::{events, fields};
use crate::store::{Status, Stored, WriteOptions, defaults};
use axum::body::Body;
use axum::response::Response;

/// Creates an object.
pub(super) async fn create(call: &Call<'_>, body: Body) -> Result<Response, Status> {
    let resource = call.place.resource;
    let info = resource.info();
    if info.namespaced && call.place.namespace.is_empty() {
        return Err(Status::method_not_allowed());
    }
    let (options, strictness) = fields::options(call, "CreateOptions")?;
    let mut object = object(call, body, info.kind).await?;
    if call.place.new_events {
        events::to_core(&mut object);
    }
    fields::check_kind(resource, &mut object)?;
    let warnings = fields::decode(resource, &mut object, strictness)?;
    fields::check_place(call, &mut object)?;
    let stored = store(call, object, options)?;
    fields::respond(call, 201, &stored, &warnings)
}

/// Stores a decoded object, owned by who sent it.
fn store(call: &Call<'_>, mut object: serde_json::Value, options: WriteOptions) -> Result<Stored, Status> {
    let resource = call.place.resource;
    defaults(resource, &mut object);
    fields::validate(resource, &object)?;
    if let Some(metadata) = object.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    let mut ownership = Ownership::default();
    let manager = fields::manager(call, false);
    ownership.update(resource, &blank(resource), &object, &manager, &call.api.store.timestamp());
    ownership.write(&mut object);
    call.api.store.create(resource, &call.place.namespace, object, &options)
}
