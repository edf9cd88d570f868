//! Predictions: what a scenario's steps, or a values file, make of each node, before a cluster exists.
//!
//! ```text
//! Scenario ──plan──> Plan (a setup, and steps made of Happenings) ──predict──> Prediction (a State after each step) ──draw──> text
//! ```
//!
//! [`World`] is the core: a cluster's IPAM, moved on by one [`Happening`] at a time. Whoever knows what happened in another way than by a
//! scenario's steps, such as from the objects of a real run, feeds it directly.
//!
//! [`oracle`] does so: it follows a cluster and compares.
//!
//! Operator and agents are those of `ipam`. What real life leaves open (which of several new nodes gets which range) is decided by name.
//! A mode that they do not cover is an error, never a guess: [`NotCovered`].
//!
//! *Architecture invariant:* pure. No IO, no async, no clock, no randomness; a prediction is a function of its plan.

mod agents;
mod draw;
mod nodes;
pub mod oracle;
mod plan;
mod run;
mod state;
mod store;
mod world;

pub use draw::{picture, table, timeline};
pub use nodes::{KubeRangeError, KubeRanges};
pub use plan::{Happening, Plan, PlanError, PlannedStep, Word, installation, of_values, plan};
pub use run::{Predicted, Prediction, predict};
pub use state::{AgentState, CiliumNodeState, NodeState, OperatorState, Passing, PoolState, State};
pub use world::{NotCovered, World};
