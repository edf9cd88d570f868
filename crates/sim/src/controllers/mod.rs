//! Kubernetes' own controllers, its scheduler and its kubelets, as far as scenarios need them.
//!
//! All of them live in the world's one loop: changes of objects come in, tasks are asked for, and tasks change objects. None of
//! them ever walks over all pods or all nodes because of one change.

mod daemon_set;
mod deployment;
pub(crate) mod endpoints;
pub(crate) mod kubelet;
pub(crate) mod node_ipam;
mod node_lifecycle;
pub(crate) mod nodes;
pub(crate) mod pods;
mod replica_set;
pub(crate) mod scheduler;
mod taints;
mod template;

pub(crate) use daemon_set::DaemonSets;
pub(crate) use deployment::Deployments;
pub(crate) use endpoints::EndpointsOfServices;
pub(crate) use kubelet::Kubelets;
pub(crate) use node_ipam::{NodeIpam, NodeIpamError};
pub(crate) use node_lifecycle::NodeLifecycle;
pub(crate) use nodes::Nodes;
pub(crate) use pods::Pods;
pub(crate) use replica_set::ReplicaSets;
pub(crate) use scheduler::Scheduler;
