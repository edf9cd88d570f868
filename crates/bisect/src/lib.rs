//! The search for the first version on which a scenario's verdict changes.
//!
//! A search is data: the candidates in order, and the runs so far. What is to be done next is a function of the two, so a search that
//! was killed goes on from what was written of it, and does what it would have done.
//!
//! *Architecture invariant:* pure. Who makes the runs, and where they are kept, is not known here.

mod candidate;
mod difference;
mod plan;
mod search;
mod verdict;

pub use candidate::{Candidate, CandidateError};
pub use difference::{Change, differences, flatten, missing};
pub use plan::{Ends, PlanError, plan};
pub use search::{Conclusion, Direction, FORMAT, Next, OnCluster, Refusal, Run, Search, Why};
pub use verdict::{Standing, Verdict};
