//! Scenario files: text in, a typed and validated [`Scenario`] or every problem of the file out.
//!
//! ```text
//! bytes -> yaml (places) -> raw (shapes; the JSON schema) -> check (meaning) -> model
//! ```
//!
//! *Architecture invariant:* pure. No IO, no async, no Kubernetes client; it knows shapes and words, not clusters.

mod check;
pub mod codes;
mod diagnostic;
mod known;
mod located;
pub mod model;
mod parse;
mod problem;
mod raw;
mod reader;
pub mod schema;
mod tree;
mod yaml;

pub use codes::Severity;
pub use diagnostic::{Diagnostic, Excerpt, Related};
pub use known::unreached;
pub use model::Scenario;
pub use parse::{MAX_BYTES, parse, parse_all};
