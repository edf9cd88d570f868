//! What happened in a run, as values that can be written, read back and reported.
//!
//! The engine is the only producer; every report (console, JUnit, JSON, summary) is a function of these events alone, so a
//! report can be made again from `events.ndjson`, also after a run that was killed.
//!
//! *Architecture invariant:* this crate knows nothing of Kubernetes, clusters or scenarios' types, and does no IO.

mod event;
pub mod exit;
mod failure;
mod fault;
mod invariant;
mod model;
mod run;
mod state;

pub use event::{Event, EventKind, FORMAT, StepPlan};
pub use failure::{Change, Failure, FailureClass, Mismatch};
pub use fault::{FAULTS, Fault, NoFault};
pub use invariant::{Invariant, NoInvariant, Violation, Witness};
pub use model::{ModelDifference, ModelReport};
pub use run::{ClusterKind, Kept, Outcome, Phase, StepOutcome, Tally};
pub use state::{AgentState, CiliumNodeSeen, CiliumNodeState, KubeNode, NodeState, Owner, PodSeen, PodState, State};
