//! Checks and when they must hold.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{At, CidrRef, CidrSource, IpamMode, NodeRef, PodSet, Template};

/// `expect`: all checks must hold at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// At least one.
    pub checks: Vec<Check>,
    /// When.
    pub timing: Timing,
}

/// When the checks of an `expect` must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// At some moment before the deadline (the step's).
    Eventually,
    /// They hold now, or within the step's deadline if one is written, and from then on without a gap for the span.
    Holds(Span),
    /// They hold at no moment of the span that begins now. A set of objects that stays empty for the whole span fails.
    Never(Span),
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// `5s`. The step lasts that long.
    For(Duration),
    /// `{steps: 2}`: until the next two steps have ended. The step itself ends at once.
    Steps(u32),
    /// `{steps: rest}`: until the scenario's end.
    Rest,
}

/// How many of the subjects. Zero subjects fail each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// All.
    Every,
    /// At least one.
    Some,
    /// Not one.
    None,
    /// So many, no more and no fewer.
    Exactly(usize),
}

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// Addresses of live pods. A pod without an address does not match.
    PodIps {
        /// Whose.
        of: PodSet,
        /// Only on these nodes; empty means all.
        on: Vec<NodeRef>,
        /// How many.
        quantity: Quantity,
        /// What they must be.
        matcher: IpMatcher,
    },
    /// `CiliumNode.status.ipam.operator-status`.
    OperatorStatus {
        /// Only of these nodes; empty means all.
        on: Vec<NodeRef>,
        /// How many.
        quantity: Quantity,
        /// What it must be.
        matcher: StatusMatcher,
    },
    /// podCIDRs of nodes.
    PodCidrs {
        /// Whose word.
        of: CidrSource,
        /// Only of these nodes; empty means all.
        on: Vec<NodeRef>,
        /// How many.
        quantity: Quantity,
        /// What they must be; all of it.
        matcher: Vec<CidrMatcher>,
    },
    /// Live pods.
    Pods {
        /// Whose.
        of: PodSet,
        /// Only on these nodes; empty means all.
        on: Vec<NodeRef>,
        /// Every pod has the UID, the address and the restart count that it had then, and none is missing or new.
        unchanged: Option<Since>,
        /// So many live ones.
        count: Option<usize>,
        /// So many ready ones.
        ready: Option<usize>,
        /// So many of them have a CiliumEndpoint: the sign that the agent still knows them.
        endpoints: Option<usize>,
    },
    /// Keys of `cilium-config`.
    Config(BTreeMap<String, ValueMatcher>),
    /// Running agents.
    Agents {
        /// Only on these nodes; empty means all.
        on: Vec<NodeRef>,
        /// How many.
        quantity: Quantity,
        /// What they must be.
        matcher: AgentMatcher,
    },
    /// A CEL expression over objects of one kind.
    Cel {
        /// `v1`, `cilium.io/v2`.
        api_version: String,
        /// `CiliumNode`.
        kind: String,
        /// Only in this namespace.
        namespace: Option<String>,
        /// Only this one.
        name: Option<super::step::ObjectName>,
        /// How many.
        quantity: Quantity,
        /// `self` is the object. True means a match.
        expression: String,
    },
    /// Whether pods reach each other, by ping from inside: every ordered pair of two distinct pods.
    Reachability {
        /// Where the ping starts.
        from: PodSet,
        /// Whom it seeks.
        to: PodSet,
        /// How many of the pairs.
        quantity: Quantity,
        /// What is looked for.
        matcher: Reach,
    },
}

/// Since when pods must be unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// The last step that deployed, scaled or restarted that workload.
    Rollout,
    /// The end of a named step.
    Label(String),
}

/// What an address must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IpMatcher {
    /// In one of these ranges, taken for the pod's own node.
    Within(CidrRef),
}

/// What operator-status must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusMatcher {
    /// No error.
    Clear,
    /// Exactly this error.
    Error(Template),
    /// An error that this regular expression matches somewhere.
    Matches(String),
}

/// What podCIDRs must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CidrMatcher {
    /// The same ranges in the same order.
    Equal(CidrRef),
    /// Each inside one of these.
    Within(CidrRef),
    /// None overlaps any of these.
    Disjoint(CidrRef),
    /// As they were.
    Unchanged(At),
    /// Each has this prefix length.
    Mask(u8),
    /// There are none (`true`), or at least one (`false`).
    Empty(bool),
}

/// What a running agent must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentMatcher {
    /// The IPAM mode that it runs.
    pub ipam: Option<IpamMode>,
    /// Its pod's Ready condition.
    pub ready: Option<bool>,
    /// Its container restarts again and again (waiting in CrashLoopBackOff, or restarted since the scenario began).
    pub crash_looping: Option<bool>,
}

/// What a ConfigMap key must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueMatcher {
    /// Exactly this.
    Equal(String),
    /// Not there.
    Absent,
}

/// What a pair of pods must be to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The ping is answered.
    Reachable,
    /// It is not.
    Unreachable,
}
