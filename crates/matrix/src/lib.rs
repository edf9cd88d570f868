//! Scenarios × versions: what is to be run, in which order and on which shard, and what it came to.
//!
//! ```text
//! Cells ──> MatrixPlan ──shard, order──> run elsewhere ──> Attempts ──fold──> CellResult ──> MatrixResult ──> table, JUnit, JSON, Markdown
//!                                                                                               │
//!                                                                      merge of shards, comparison with an earlier one, issue texts
//! ```
//!
//! *Architecture invariant:* pure. No IO, no clock, no threads: who runs a cell, and how, is the caller's business. What a cell came to
//! is a function of its attempts alone, and every report is a function of the result.

mod baseline;
mod cause;
mod cell;
mod estimate;
mod fold;
pub mod github;
mod merge;
mod plan;
pub mod render;
mod result;
mod shard;

pub use baseline::{Change, Changes, changes};
pub use cause::{Cause, fingerprint};
pub use cell::{Cell, Column};
pub use estimate::{Shape, Times, order, until_done};
pub use fold::{Attempt, fold, may_retry};
pub use merge::{CannotMerge, merge};
pub use plan::MatrixPlan;
pub use result::{CellResult, Counts, FORMAT, MatrixResult, Status};
pub use shard::{NoShard, Shard};
