//! The Kubernetes API in front of the store: an axum router that serves in process as a tower service, or on a loopback port.
//!
//! Where this and a real kube-apiserver differ, this is wrong: `tests/contract` holds what the real one answers.

mod auth;
mod body;
mod create;
mod delete;
mod discovery;
mod dispatch;
mod events;
mod exec;
mod faults;
mod fields;
mod hooks;
mod list;
mod log;
mod openapi;
mod patch;
mod protobuf;
mod read;
mod request;
mod respond;
mod review;
mod schema;
mod serve;
mod ssa;
mod subresource;
mod table;
mod update;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use crate::store::{Resource, Store};

pub use faults::{ErrorFault, FaultPlan, Faults};
pub use hooks::{ExecResult, Hooks, LogOptions, NoHooks};
pub use schema::cilium_crds;
pub use serve::{ServeError, Served, serve};

/// The version that the server says it is. Cilium's releases in question all run on it.
pub const KUBERNETES: &str = "v1.34.4";

/// Everything that a request may need. Clones share all of it.
#[derive(Clone)]
pub struct Api {
    /// The objects.
    pub store: Store,
    /// The nodes.
    pub hooks: Arc<dyn Hooks>,
    /// What goes wrong.
    pub faults: Faults,
    /// The bearer token that is asked for; without one everybody is let in.
    pub token: Option<String>,
    /// How often a watch that wants bookmarks gets one without being sent anything else. `None` leaves them out, so that an idle
    /// watch keeps no virtual clock running.
    pub bookmarks: Option<Duration>,
}

impl Api {
    /// An API without nodes, faults and token.
    pub fn new(store: Store) -> Api {
        Api { store, hooks: Arc::new(NoHooks), faults: Faults::new(0), token: None, bookmarks: None }
    }

    /// Whether a resource is served now: a custom one is while it is defined.
    pub(crate) fn served(&self, resource: Resource) -> bool {
        let info = resource.info();
        !info.custom || self.definition(resource).is_some()
    }

    /// The definition of a custom resource.
    pub(crate) fn definition(&self, resource: Resource) -> Option<crate::store::Stored> {
        let info = resource.info();
        let name = format!("{}.{}", info.plural, info.group);
        self.store.find(Resource::CustomResourceDefinition, "", &name).filter(|_| info.custom)
    }
}

/// The whole API as a router: every path and method.
pub fn router(api: Api) -> axum::Router {
    axum::Router::new().fallback(dispatch::handle).with_state(api)
}
