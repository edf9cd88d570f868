//! The objects of the cluster: a synchronous, versioned store with Kubernetes' write semantics.
//!
//! Every call is complete when it returns: garbage collection and the end of namespaces happen within the call that causes them,
//! as changes of their own. Nothing here waits, so controllers and requests see one order of events.

mod clock;
mod gc;
mod names;
mod object;
mod ops;
mod remove;
mod resource;
mod selectors;
mod state;
mod status;
mod strategy;
mod table;
mod watch;

#[cfg(test)]
mod tests;

pub use clock::{Clock, Ids, micros, seconds};
pub use object::{Meta, Object, Owner, Stored};
pub use ops::{Part, Store, StoreConfig, WriteOptions};
pub use remove::{DeleteOptions, Deleted, Propagation};
pub use resource::{Resource, ResourceInfo};
pub use selectors::{FieldTerm, Operator, Requirement, Selection, parse_fields, parse_labels};
pub use status::{Cause, Status};
pub(crate) use strategy::{defaults, keep};
pub use watch::{Change, ChangeKind, Subscription};
