//! What must be so in every scenario, on every cluster, from the first event to the last.
//!
//! A rule says which subjects an observation touches, and what is wrong with a subject now: pure functions of the world and its
//! history. [`Invariants`] keeps what is wrong until it is certain. Two watches are not in step, kubelets and operators take their
//! time: what may be wrong for a while by rights is a violation once it has lasted for longer than that, also when it ended since.
//!
//! *Architecture invariant:* nothing is judged by what was last seen before a watch went down, and nothing by a history with a gap.

mod crash_loop;
mod disjoint;
mod emptied;
mod foreign;
mod past;
mod pod_ip;
mod router;
mod unique;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use events::Invariant;
use serde_json::Value;
use tokio::time::Instant;

use crate::observe::{History, KindName};
use crate::world::World;

pub(crate) use past::config_at_start;
pub(crate) use watch::{Broken, Invariants};

/// What is judged.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) world: &'a World,
    pub(crate) history: &'a History,
}

/// What an observation has changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Touch<'a> {
    /// An object is new, or another, or gone.
    Object { kind: &'a str, before: Option<&'a Value>, after: &'a Value, deleted: bool },
    /// An agent has said what it runs.
    Agent { node: &'a str },
}

/// An object that shows what is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// `CiliumNode/worker2`.
    pub(crate) object: String,
    /// Its resourceVersion; empty where there is no such object.
    pub(crate) version: String,
    /// When that version was seen.
    pub(crate) at: Instant,
    /// What of it matters.
    pub(crate) what: String,
    /// As it was then.
    pub(crate) value: Arc<Value>,
}

/// What is wrong with a subject.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// The objects in question, the one that it is about first.
    pub(crate) seen: Vec<Seen>,
    /// The field of the first one.
    pub(crate) field: &'static str,
    /// What would be right there.
    pub(crate) expected: String,
    /// What is there.
    pub(crate) observed: String,
    /// For how long it may be so by rights.
    pub(crate) grace: Duration,
    /// Under which circumstances: when they change, the time begins anew.
    pub(crate) under: String,
}

/// How one invariant is judged.
pub(crate) struct Rule {
    pub(crate) invariant: Invariant,
    /// The kinds that it depends on.
    pub(crate) kinds: fn() -> Vec<KindName>,
    /// The subjects that have to be looked at again.
    pub(crate) touched: fn(Touch<'_>, View<'_>) -> Vec<String>,
    /// What is wrong with a subject.
    pub(crate) judge: fn(&str, View<'_>) -> Option<Finding>,
}

/// The rule of an invariant.
pub(crate) fn rule(invariant: Invariant) -> Rule {
    match invariant {
        Invariant::PodCidrsDisjoint => disjoint::RULE,
        Invariant::PodIpInPodCidr => pod_ip::RULE,
        Invariant::PodIpsUnique => unique::RULE,
        Invariant::PodCidrsNeverEmptied => emptied::RULE,
        Invariant::ForeignPodCidrReported => foreign::RULE,
        Invariant::CrashLoopExplained => crash_loop::RULE,
        Invariant::RouterInPodCidr => router::RULE,
    }
}

/// `10.0.1.0/24, 10.0.2.0/24`, or `none`.
fn list<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
