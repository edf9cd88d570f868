//! How true a simulated cluster is: two runs of a scenario, reduced to what must be the same on both, and compared.
//!
//! A run tells the cluster's state after the installation and after each step ([`events::EventKind::State`]). [`reduce`] turns
//! each state into facts, which are lines of text; [`compare`] compares them line by line.
//!
//! What may differ between two runs of one scenario on clusters of one kind, and is therefore no fact:
//!
//! - names, UIDs, times;
//! - which of several waiting nodes gets which block: a block is named after its first owner (`worker's block`), so that sets, sizes
//!   and who has whose are compared, and the number in it is not. All numbers handed out so far are compared, as one set;
//! - which numbers kube-controller-manager gives to Nodes (it skips some when a write of its own fails); their count, sizes and
//!   range are facts;
//! - which address of a block a pod or a router gets: what counts is in which ranges it lies, and whether it was kept;
//! - on which node the scheduler puts a pod that may run on several. What became of the pods that were on a node, and what is true of
//!   kept and of new ones there, is compared where both runs have such pods; how many there are in all is always compared, and facts that found
//!   no counterpart are counted;
//! - in which order an operator serves several nodes, where that decides who gets what: the simulated side is tried in several orders, and
//!   how many it took is told;
//! - how often a part of Cilium that crash-loops has been restarted so far, and whether it runs at this moment. That it does so is a fact;
//! - how often a pod of Cilium's was restarted since it lost its network: its probes fail, so that is a matter of time. That it
//!   lost it is a fact;
//! - whether the probe of a part of the system falls into a short interruption.
//!
//! A state counts only if the cluster had settled: what is seen between two states depends on how fast a machine is. What came and
//! went until then (an error that was written and erased) is in each object's history, which is a fact.
//!
//! *Architecture invariant:* values in, values out: no IO, no clock, and no knowledge of Kubernetes beyond what the events say.

mod compare;
mod recording;
mod reduce;
mod render;

pub use compare::{Comparison, Difference, Tally, compare};
pub use recording::{FORMAT, Phase, Recording};
pub use reduce::{NotComparable, reduce};
pub use render::{differences, table};

#[cfg(test)]
mod tests;
