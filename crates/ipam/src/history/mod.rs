//! Histories of the cluster-pool operator: what was done, step by step, and what every CiliumNode looked like after each.

mod run;
mod store;
mod types;

pub use run::{SETTLE, preview, run, run_with};
pub use types::{History, NodeOutcome, Outcome, Step};
