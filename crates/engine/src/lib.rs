//! Plan, run, watch, check, collect, clean up: what happens between a scenario and its outcome.
//!
//! Decisions are pure (`plan`, `check`, `world` take values and return values); IO is in `observe`, `action`, `evidence`. All time is
//! tokio's, so that a simulated cluster can run on a virtual clock.
//!
//! *Architecture invariant:* one task owns a scenario's state; watches and probes only send it messages. Checks see the world after
//! each single observation, in order, so nothing that was written and then erased can slip between two looks.

mod action;
mod api;
mod check;
mod emit;
mod evidence;
mod failure;
mod invariant;
mod known;
mod model;
mod monitor;
mod observe;
mod plan;
mod probe;
pub mod recipe;
pub mod recording;
mod replay;
mod run;
mod session;
mod state;
mod stop;
mod world;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

pub use emit::Emitter;
pub use plan::{Plan, PlanError, PlannedStep, plan};
pub use replay::{Judgement, Replay, ReplayError, ReplayedStep, replay};
pub use run::{Keep, RunOptions, run};
pub use stop::{Stop, StopLevel};

/// Label on the pods of a scenario's workloads; its value is the workload's name.
pub(crate) const WORKLOAD_LABEL: &str = "ipam-e2e.cilium.io/workload";
/// Label on everything that a run makes in a cluster; its value is the run's id.
pub(crate) const RUN_LABEL: &str = "ipam-e2e.cilium.io/run";
/// The label of the state before the first step.
pub(crate) const START: &str = "start";
