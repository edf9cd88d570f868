//! An index of pods, kept up with every change: by owner and by node, with counts, so that no controller ever walks over all pods.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use rustc_hash::FxHashMap;

use crate::store::{Change, ChangeKind, Stored};
use crate::tree::Tree;
use crate::world::{Key, Name};

/// What controllers need to know of a pod.
#[derive(Debug, Clone)]
pub(crate) struct PodFacts {
    pub(crate) key: Key,
    pub(crate) uid: Name,
    /// UID of its controller.
    pub(crate) owner: Option<Name>,
    /// Where it is bound.
    pub(crate) node: Option<Name>,
    /// Where it is bound, or will be: a daemon pod is meant for one node from its beginning.
    pub(crate) seat: Option<Name>,
    pub(crate) host_network: bool,
    /// Its Ready condition, and since when.
    pub(crate) ready: Option<Timestamp>,
    pub(crate) running: bool,
    /// `Succeeded` or `Failed`.
    pub(crate) ended: bool,
    pub(crate) deleting: bool,
    pub(crate) created: Option<Timestamp>,
    pub(crate) object: Stored,
}

impl PodFacts {
    /// Counts as one of its owner's pods.
    pub(crate) fn active(&self) -> bool {
        !self.deleting && !self.ended
    }
}

/// Pods of one owner.
#[derive(Debug, Default, Clone)]
pub(crate) struct Family {
    members: BTreeSet<Name>,
    /// By seat.
    by_node: FxHashMap<Name, BTreeSet<Name>>,
    /// Active ones.
    pub(crate) active: usize,
    /// Active and Ready ones.
    pub(crate) ready: usize,
}

/// All pods.
#[derive(Debug, Default)]
pub(crate) struct Pods {
    // These maps are looked up only, never walked.
    by_uid: FxHashMap<Name, Arc<PodFacts>>,
    families: FxHashMap<Name, Family>,
    by_node: FxHashMap<Name, BTreeSet<Name>>,
}

impl Pods {
    /// Takes a change in. Returns the facts before and after it.
    pub(crate) fn apply(&mut self, change: &Change) -> (Option<Arc<PodFacts>>, Option<Arc<PodFacts>>) {
        let uid = &*change.object.meta.uid;
        if change.kind == ChangeKind::Deleted {
            let before = self.by_uid.remove(uid);
            if let Some(facts) = &before {
                self.count(facts, -1);
                self.unlink(facts);
            }
            return (before, None);
        }
        let before = self.by_uid.get(uid).cloned();
        let after = Arc::new(facts(&change.object, before.as_deref()));
        match &before {
            Some(before) => {
                self.count(before, -1);
                let moved = before.node != after.node || before.seat != after.seat || before.owner != after.owner;
                if moved {
                    self.unlink(before);
                    self.link(&after);
                }
            }
            None => self.link(&after),
        }
        self.count(&after, 1);
        self.by_uid.insert(after.uid.clone(), after.clone());
        (before, Some(after))
    }

    pub(crate) fn get(&self, uid: &str) -> Option<&PodFacts> {
        self.by_uid.get(uid).map(|facts| &**facts)
    }

    pub(crate) fn family(&self, owner: &str) -> Option<&Family> {
        self.families.get(owner)
    }

    /// Pods of an owner, by UID.
    pub(crate) fn of(&self, owner: &str) -> impl Iterator<Item = &PodFacts> {
        self.families.get(owner).into_iter().flat_map(|f| &f.members).filter_map(|uid| self.get(uid))
    }

    /// Pods of an owner on a node, or meant for it, by UID.
    pub(crate) fn of_on(&self, owner: &str, node: &str) -> impl Iterator<Item = &PodFacts> {
        let uids = self.families.get(owner).and_then(|f| f.by_node.get(node));
        uids.into_iter().flatten().filter_map(|uid| self.get(uid))
    }

    /// How many [`Pods::of_on`] has.
    pub(crate) fn count_of_on(&self, owner: &str, node: &str) -> usize {
        self.families.get(owner).and_then(|family| family.by_node.get(node)).map_or(0, BTreeSet::len)
    }

    /// Pods on a node, by UID.
    pub(crate) fn on(&self, node: &str) -> impl Iterator<Item = &PodFacts> {
        self.by_node.get(node).into_iter().flatten().filter_map(|uid| self.get(uid))
    }

    /// How many pods a node has.
    pub(crate) fn count_on(&self, node: &str) -> usize {
        self.by_node.get(node).map_or(0, BTreeSet::len)
    }

    /// Brings its owner's counts up to date.
    fn count(&mut self, facts: &PodFacts, sign: isize) {
        let Some(family) = facts.owner.as_ref().and_then(|owner| self.families.get_mut(owner)) else { return };
        if facts.active() {
            family.active = family.active.saturating_add_signed(sign);
            if facts.ready.is_some() {
                family.ready = family.ready.saturating_add_signed(sign);
            }
        }
    }

    fn link(&mut self, facts: &PodFacts) {
        if let Some(node) = &facts.node {
            self.by_node.entry(node.clone()).or_default().insert(facts.uid.clone());
        }
        let Some(owner) = &facts.owner else { return };
        let family = self.families.entry(owner.clone()).or_default();
        family.members.insert(facts.uid.clone());
        if let Some(node) = &facts.seat {
            family.by_node.entry(node.clone()).or_default().insert(facts.uid.clone());
        }
    }

    fn unlink(&mut self, facts: &PodFacts) {
        if let Some(node) = &facts.node {
            remove(&mut self.by_node, node, &facts.uid);
        }
        let Some(owner) = &facts.owner else { return };
        let Some(family) = self.families.get_mut(owner) else { return };
        family.members.remove(&facts.uid);
        if let Some(node) = &facts.seat {
            remove(&mut family.by_node, node, &facts.uid);
        }
        if family.members.is_empty() {
            self.families.remove(owner);
        }
    }
}

fn remove(map: &mut FxHashMap<Name, BTreeSet<Name>>, key: &Name, uid: &Name) {
    if let Some(set) = map.get_mut(key) {
        set.remove(uid);
        if set.is_empty() {
            map.remove(key);
        }
    }
}

/// Reads a version of a pod. What never changes, and texts that have not, are those of the version before.
fn facts(pod: &Stored, before: Option<&PodFacts>) -> PodFacts {
    let field = |label: &str| pod.meta.field(label).filter(|text| !text.is_empty());
    let node = match field("spec.nodeName") {
        Some(node) => {
            let known = before.and_then(|before| before.seat.clone()).filter(|seat| **seat == *node);
            Some(known.unwrap_or_else(|| node.into()))
        }
        None => None,
    };
    let tree = pod.tree();
    let time = |value: &Tree| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let mut conditions = tree["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions
        .find(|one| one["type"] == "Ready" && one["status"] == "True")
        .map(|one| time(&one["lastTransitionTime"]).unwrap_or(Timestamp::UNIX_EPOCH));
    PodFacts {
        key: before.map_or_else(|| Key::of(pod), |before| before.key.clone()),
        uid: before.map_or_else(|| (*pod.meta.uid).into(), |before| before.uid.clone()),
        owner: match (pod.meta.controller(), before.and_then(|before| before.owner.as_ref())) {
            (Some(owner), Some(known)) if **known == *owner => Some(known.clone()),
            (owner, _) => owner.map(Into::into),
        },
        seat: node.clone().or_else(|| match before {
            Some(before) => before.seat.clone(),
            None => meant(tree),
        }),
        node,
        host_network: field("spec.hostNetwork") == Some("true"),
        ready,
        running: field("status.phase") == Some("Running"),
        ended: matches!(field("status.phase"), Some("Succeeded" | "Failed")),
        deleting: pod.meta.deleting,
        created: match before {
            Some(before) => before.created,
            None => time(&tree["metadata"]["creationTimestamp"]),
        },
        object: pod.clone(),
    }
}

/// The node that a pod's affinity names: the only field that a term can match is the node's name.
fn meant(pod: &Tree) -> Option<Name> {
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let name = &required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0];
    name.as_str().map(Into::into)
}
