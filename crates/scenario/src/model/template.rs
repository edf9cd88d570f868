//! Text with values of the node in question.

use super::{At, CidrSource, NodeRef};

/// `node has CIDRs allocated (${ciliumNode.podCIDRs@start}) that conflict with requested CIDRs ${node.podCIDRs}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// As written.
    pub text: String,
    /// In order.
    pub parts: Vec<TemplatePart>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// As is.
    Text(String),
    /// Filled in per node.
    Variable(Variable),
}

/// A variable in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `${node.name}`.
    NodeName,
    /// The plural, `${ciliumNode.podCIDRs}`: as Cilium prints a list, `[10.0.0.0/24 fd00::/120]`.
    List(CidrSource, At),
    /// The singular, `${node.podCIDR}`: the first of them, bare.
    First(CidrSource, At),
}

/// A text of a patch, in which each variable names its node: `${worker2.ciliumNode.podCIDR}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTemplate {
    /// In order.
    pub parts: Vec<NodePart>,
}

/// A piece of a [`NodeTemplate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodePart {
    /// As is.
    Text(String),
    /// Filled in for that node.
    Variable {
        /// Whose value.
        node: NodeRef,
        /// Which.
        variable: Variable,
    },
}
