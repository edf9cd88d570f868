//! Scenario files: text in, a typed and validated [`Scenario`] or every problem of the file out.
//!
//! *Architecture invariant:* pure. No IO, no async, no Kubernetes client; it knows shapes and words, not clusters.

pub mod model;

pub use model::Scenario;
