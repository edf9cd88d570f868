//! What every part of the world works with.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use ecow::EcoString;
use events::Invariant;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Logs, Pace, Recorder, Rng, Timers};
use crate::store::{Resource, Store, Stored};
use crate::tree::Tree;

/// A name, a namespace or a UID.
pub(crate) type Name = Arc<str>;

/// Something by name or UID. It is looked up only, never walked: its order must not show.
pub(crate) type ByName<T> = FxHashMap<Name, T>;

/// Names or UIDs that are looked up only.
pub(crate) type Names = FxHashSet<Name>;

/// Namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: Name,
    pub(crate) name: Name,
}

impl Key {
    pub(crate) fn of(object: &Stored) -> Self {
        Self { namespace: (*object.meta.namespace).into(), name: (*object.meta.name).into() }
    }

    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// A process that means something to the model; all others only run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Agent,
    Operator,
    /// Runs, and is ready after its first probe.
    Other,
}

/// What one part tells another within the same moment.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// A pod wants addresses from its node's agent.
    WantsAddress { pod: Name, node: Name },
    /// It gets these.
    HasAddress { pod: Name, addresses: Vec<IpAddr> },
    /// It does not, and why: what containerd reports to the kubelet.
    NoAddress { pod: Name, why: String },
    /// A pod's sandbox is gone.
    SandboxGone { pod: Name, node: Name },
    /// The init container `config` of an agent's pod has run.
    Configured { pod: Name },
    /// A process has started.
    Started { pod: Name, node: Name, program: Program },
    /// It is told to end, or has ended, and does nothing any more.
    Stopped { pod: Name, node: Name, program: Program },
    /// Its probe answers well (or no longer).
    Ready { pod: Name, ready: bool },
    /// It has ended by itself.
    Exited { pod: Name, code: i32, message: String },
    /// A CNI configuration is on the node: its kubelet is ready for pods.
    NetworkInstalled { node: Name },
}

/// What every part of the world works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) rng: Rng,
    pub(crate) timers: Timers,
    pub(crate) pace: Pace,
    pub(crate) signals: VecDeque<Signal>,
    pub(crate) logs: Logs,
    pub(crate) events: Recorder,
    /// Flaws that operator and agents have on request, each named by the invariant that it breaks.
    pub(crate) flaws: BTreeSet<Invariant>,
}

impl Context {
    /// Does `task` after a while within `span`.
    pub(crate) fn later(&mut self, span: super::pace::Span, task: super::Task) {
        let delay = self.rng.between(span);
        self.timers.after(delay, task);
    }

    /// Changes an object as a controller does, status included. That it is gone by now is no error: whoever deleted it told everybody.
    pub(crate) fn change(&self, resource: Resource, key: &Key, change: impl FnOnce(&mut Tree)) -> Option<Stored> {
        self.store.mutate(resource, &key.namespace, &key.name, change).ok()
    }

    /// Whether operator and agents have the flaw that breaks this invariant.
    pub(crate) fn breaks(&self, invariant: Invariant) -> bool {
        self.flaws.contains(&invariant)
    }

    /// The server's time as objects bear it.
    pub(crate) fn stamp(&self) -> EcoString {
        self.store.timestamp()
    }
}
