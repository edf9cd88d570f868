//! A run's events, as people and machines want to read them.
//!
//! The engine hands events to a [`Reporter`], which passes each one to its sinks as it happens: the [`Console`], the recording
//! ([`ndjson::Recorder`]) and the files made at the end ([`AtEnd`]: JUnit, `summary.json`, `summary.md`). A recording read back
//! with [`ndjson::read`] gives the same reports again, also of a run that was killed.
//!
//! ```text
//! Event ──> Reporter ──> Console    Narrator (lines), LiveView (progress) ──> terminal or plain text
//!                   ├──> Recorder   events.ndjson
//!                   └──> AtEnd      Fold ──> RunSummary ──> junit.xml, summary.json, summary.md
//! ```
//!
//! *Architecture invariant:* every report is a function of events alone. What a run came to is computed once, in
//! [`RunSummary`]; no report counts, times or judges by itself. Rendering is pure; only [`Console`], [`ndjson`] and [`AtEnd`]
//! do IO. This crate knows nothing of Kubernetes, clusters or scenario files, and reads no clock.

mod at_end;
mod console;
mod files;
mod json;
mod junit;
mod markdown;
pub mod ndjson;
pub mod render;
mod reporter;
pub mod summary;
pub mod text;

pub use at_end::{AtEnd, Format};
pub use console::{Console, Look, Surroundings};
pub use events::exit;
pub use json::FORMAT as SUMMARY_FORMAT;
pub use render::counts;
pub use reporter::{Reporter, Sink, SinkError};
pub use summary::{Fold, RunSummary};

#[cfg(test)]
mod tests;
