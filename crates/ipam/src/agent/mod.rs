//! An agent's start, in the modes that take CIDRs from an object: `cluster-pool` and `kubernetes`.
//!
//! In order: [`gate`] (which CIDR, or what it waits for), [`Agent::start`] (endpoints, router and health addresses), and what
//! it writes to its CiliumNode ([`PodCidrWrite`]). A running agent hands out addresses with [`Agent::allocate`].

mod gate;
mod host_scope;
mod infra;
mod mode;
mod running;

pub use gate::{AgentConfig, AllocCidrs, CiliumNodeView, Gate, NodeView, PodCidrSource, PodCidrWrite, gate};
pub use host_scope::{ClaimRefused, HostScope, RangeFull};
pub use infra::{Draw, Infra, InfraAddresses};
pub use mode::{IpamMode, UNKNOWN_BACKEND, UnknownMode};
pub use running::{Address, Agent, AgentError, Endpoint, EndpointFate, Previous, Started};
