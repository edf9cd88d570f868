//! What exists because of us, on disk before it exists: so that a later run finds what a killed one left.
//!
//! One JSON file per cluster. A second trace is on the clusters themselves (labels of kind's network, see [`crate::kind`]), so that a
//! lost ledger loses nothing.

mod clean;
mod entry;
mod owner;
mod store;

pub use clean::{CleanReport, Kept, Sweep, clean};

pub use entry::{Entry, Target, cluster_name};
pub use owner::{Life, Owner};
pub use store::{Ledger, LedgerError};
