//! The model of Cilium's IPAM: what the operator's cluster-pool allocator and an agent's start do, version by version.
//!
//! - [`version`]: the Cilium releases that are known and, as data, where they differ.
//! - [`cidr`]: arithmetic on CIDRs and on blocks of a pool, without walking over addresses.
//! - [`operator`]: the allocator of `ipam: cluster-pool` as a state machine: CiliumNode events and time in, API requests out.
//! - [`agent`]: an agent's start: which CIDR it takes, what it waits for, which addresses it keeps.
//! - [`history`] and [`model`]: the operator alone, driven by a history in JSON.
//!
//! The texts of errors and log lines are Cilium's own, to the letter: people search for them.
//!
//! *Architecture invariant*: no IO, no async, no clock and no randomness of its own. Time comes in as a [`std::time::Duration`]
//! since a moment that the caller chose, and where real life leaves an order open (Go's map iteration, the first list) the
//! caller decides through [`operator::Order`]. The crate knows nothing of Kubernetes objects beyond the few fields that the
//! allocator reads, nothing of scenarios, and depends on no other crate of this workspace.

pub mod agent;
pub mod cidr;
pub(crate) mod golang;
pub mod history;
pub mod model;
pub mod operator;
pub mod version;

pub use agent::IpamMode;
pub use version::{Behaviour, Generation, Release, UnknownRelease};
