//! GET of one object.

use axum::response::Response;

use super::dispatch::Call;
use super::fields;
use super::list::too_large;
use crate::store::Status;

/// One object.
pub(super) fn get(call: &Call<'_>) -> Result<Response, Status> {
    let store = &call.api.store;
    let version = call.query.text("resourceVersion");
    if !version.is_empty() {
        let wanted: u64 = version.parse().map_err(|_| {
            Status::bad_request(format!(
                "invalid resource version: resourceVersion: Invalid value: {version:?}: strconv.ParseUint: parsing {version:?}: invalid syntax"
            ))
        })?;
        too_large(wanted, store.revision())?;
    }
    let name = call.place.name.as_deref().unwrap_or_default();
    let stored = store.get(call.place.resource, &call.place.namespace, name)?;
    fields::respond(call, 200, &stored, &[])
}
