//! The model beside a real cluster: fed with what was seen to happen, compared with what is there.
//!
//! What real life leaves open is left open: in which order an operator gives ranges to several new nodes is taken from what it gave. The
//! ranges themselves, and every text in operator-status, are the model's. What the model does not cover is said, never guessed.

mod compare;
mod follow;

use std::collections::BTreeMap;
use std::fmt;

use ipam::Release;
use serde::Serialize;

use crate::{KubeRanges, NotCovered, World};

/// Something that was seen to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A Node joined.
    NodeJoined {
        /// Its name.
        node: String,
        /// Its `spec.podCIDRs`.
        pod_cidrs: Vec<String>,
    },
    /// A Node's `spec.podCIDRs` changed.
    NodeRanges {
        /// Its name.
        node: String,
        /// What they are now.
        pod_cidrs: Vec<String>,
    },
    /// A Node left.
    NodeLeft {
        /// Its name.
        node: String,
    },
    /// An operator began to lead.
    OperatorLeads {
        /// The data of `cilium-config` that its process has read.
        config: BTreeMap<String, String>,
    },
    /// No operator leads any more.
    OperatorGone,
    /// An agent's pod was made, and its process started.
    AgentStarted {
        /// Its node.
        node: String,
        /// The data of `cilium-config` that it has read.
        config: BTreeMap<String, String>,
    },
    /// An agent's container was started again.
    AgentRestarted {
        /// Its node.
        node: String,
    },
    /// A CiliumNode was deleted.
    CiliumNodeDeleted {
        /// Its name.
        node: String,
    },
    /// Somebody else than operator and agent overwrote a CiliumNode's podCIDRs.
    PodCidrsSet {
        /// Its name.
        node: String,
        /// With these.
        pod_cidrs: Vec<String>,
    },
    /// Somebody else than operator and agent overwrote a CiliumNode's operator-status.
    ErrorSet {
        /// Its name.
        node: String,
        /// With this; empty for none.
        error: String,
    },
    /// Something that cannot be followed: which configuration a process has read is not known.
    NotKnown(String),
}

/// A CiliumNode as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenNode {
    /// `spec.ipam.podCIDRs`.
    pub pod_cidrs: Vec<String>,
    /// `status.ipam.operator-status.error`; empty for none.
    pub error: String,
}

/// All CiliumNodes as they are, by name.
pub type SeenNodes = BTreeMap<String, SeenNode>;

/// Something that the model says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The node.
    pub node: String,
    /// `spec.ipam.podCIDRs`, `status.ipam.operator-status.error`, or `CiliumNode` for whether there is one.
    pub field: &'static str,
    /// What the model says.
    pub predicted: String,
    /// What is there.
    pub observed: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, field, predicted, observed } = self;
        write!(f, "{node}: {field} is {observed}, the model says {predicted}")
    }
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is as the model says.
    Agrees {
        /// How many CiliumNodes were compared.
        nodes: usize,
    },
    /// Something is not.
    Differs(Vec<Difference>),
    /// The model says nothing, and why.
    NotCovered(String),
}

/// The model, beside a cluster.
#[derive(Debug, Clone)]
pub struct Oracle {
    world: Result<World, String>,
    /// What happened since the last comparison that counted.
    pending: Vec<Happened>,
}

impl Oracle {
    /// For a cluster of which nothing is known yet.
    pub fn new(version: &str) -> Self {
        let world =
            version.parse::<Release>().map_err(|error| format!("the model does not know this version: {error}"));
        let world = world.map(|release| World::new(release, BTreeMap::new(), KubeRanges::default()));
        Self { world, pending: Vec::new() }
    }

    /// Something happened.
    pub fn happened(&mut self, what: Happened) {
        self.pending.push(what);
    }

    /// Lets the model go through what happened, and compares it with what is there. It goes on from here where the two agree, or where
    /// the cluster has come to rest: before that, what is there may be a state in between, which is compared again.
    pub fn compare(&mut self, seen: &SeenNodes, at_rest: bool) -> Verdict {
        let world = match &self.world {
            Ok(world) => world,
            Err(why) => return Verdict::NotCovered(why.clone()),
        };
        match follow::best(world, &self.pending, seen) {
            Err(why) => {
                self.world = Err(why.clone());
                Verdict::NotCovered(why)
            }
            Ok((world, differences)) => {
                if differences.is_empty() || at_rest {
                    self.world = Ok(world);
                    self.pending.clear();
                }
                if differences.is_empty() {
                    Verdict::Agrees { nodes: seen.len() }
                } else {
                    Verdict::Differs(differences)
                }
            }
        }
    }
}

impl From<NotCovered> for String {
    fn from(error: NotCovered) -> Self {
        error.to_string()
    }
}
