//! Ranges by name: whose CIDR, and when.

use ipnet::IpNet;

/// When a value is taken: now, or as it was at the end of a named step (`@start`: before the first step).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    /// At the moment of the check.
    Now,
    /// As it was then.
    Label(String),
}

/// Whose range. The three can differ for one node (cilium-ipam facts: 1.20 keeps the old podCIDRs in the CiliumNode while
/// the agent already allocates from the Node's).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CidrSource {
    /// `CiliumNode.spec.ipam.podCIDRs`.
    CiliumNode,
    /// `Node.spec.podCIDRs`, or `Node.spec.podCIDR`.
    Node,
    /// What the running agent says that it allocates from.
    Agent,
}

/// A set of ranges for one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CidrRef {
    /// `ciliumNode.podCIDRs`, `node.podCIDR@start`, `agent.podCIDR`.
    Of(CidrSource, At),
    /// `pool`: the pools in `cilium-config` at the moment of the check.
    Pool,
    /// `10.0.0.0/8`, or a list.
    Literal(Vec<IpNet>),
}
