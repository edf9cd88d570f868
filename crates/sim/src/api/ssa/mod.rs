//! Field ownership: `metadata.managedFields` and server-side apply.
//!
//! The rules are those of sigs.k8s.io/structured-merge-diff, over flat sets of field paths.

mod blank;
mod fields;
mod managers;
mod typed;

pub(crate) use blank::blank;
pub(crate) use managers::{Manager, Ownership, Takes};
