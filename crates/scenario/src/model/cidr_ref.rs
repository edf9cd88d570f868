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

impl CidrSource {
    /// The word in scenarios.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CiliumNode => "ciliumNode",
            Self::Node => "node",
            Self::Agent => "agent",
        }
    }
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

impl std::fmt::Display for At {
    /// Nothing, or `@LABEL`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Now => Ok(()),
            Self::Label(label) => write!(f, "@{label}"),
        }
    }
}

impl std::fmt::Display for CidrRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Of(source, at) => write!(f, "{}.podCIDRs{at}", source.as_str()),
            Self::Pool => f.write_str("pool"),
            Self::Literal(nets) => {
                let nets: Vec<String> = nets.iter().map(ToString::to_string).collect();
                f.write_str(&nets.join(", "))
            }
        }
    }
}
