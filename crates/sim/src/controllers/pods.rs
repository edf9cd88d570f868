//! An index of pods, kept up with every change: by owner and by node, with counts, so that no controller ever walks over all pods.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::Deserialize;

use crate::store::{Change, ChangeKind, Stored};
use crate::world::{Key, Name, or_default};

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
    pub(crate) members: BTreeSet<Name>,
    /// By seat.
    pub(crate) by_node: BTreeMap<Name, BTreeSet<Name>>,
    /// Active ones.
    pub(crate) active: usize,
    /// Active and Ready ones.
    pub(crate) ready: usize,
}

/// All pods.
#[derive(Debug, Default)]
pub(crate) struct Pods {
    // Looked up only, never walked.
    by_uid: HashMap<Name, PodFacts>,
    families: BTreeMap<Name, Family>,
    by_node: BTreeMap<Name, BTreeSet<Name>>,
}

#[derive(Deserialize)]
struct View {
    metadata: MetadataView,
    #[serde(default, deserialize_with = "or_default")]
    spec: SpecView,
    #[serde(default, deserialize_with = "or_default")]
    status: StatusView,
}

#[derive(Default, Deserialize)]
struct SpecView {
    #[serde(default, deserialize_with = "or_default")]
    affinity: AffinityView,
}

#[derive(Default, Deserialize)]
struct AffinityView {
    #[serde(default, rename = "nodeAffinity", deserialize_with = "or_default")]
    node: NodeAffinityView,
}

#[derive(Default, Deserialize)]
struct NodeAffinityView {
    #[serde(default, rename = "requiredDuringSchedulingIgnoredDuringExecution", deserialize_with = "or_default")]
    required: RequiredView,
}

#[derive(Default, Deserialize)]
struct RequiredView {
    #[serde(default, rename = "nodeSelectorTerms", deserialize_with = "or_default")]
    terms: Vec<TermView>,
}

#[derive(Deserialize)]
struct TermView {
    #[serde(default, rename = "matchFields", deserialize_with = "or_default")]
    fields: Vec<FieldView>,
}

#[derive(Deserialize)]
struct FieldView {
    #[serde(default, deserialize_with = "or_default")]
    values: Vec<String>,
}

#[derive(Deserialize)]
struct MetadataView {
    #[serde(rename = "creationTimestamp")]
    created: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
struct StatusView {
    #[serde(default, deserialize_with = "or_default")]
    conditions: Vec<ConditionView>,
}

#[derive(Deserialize)]
struct ConditionView {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    #[serde(rename = "lastTransitionTime")]
    since: Option<Timestamp>,
}

impl Pods {
    /// Takes a change in. Returns the facts before and after it.
    pub(crate) fn apply(&mut self, change: &Change) -> (Option<PodFacts>, Option<PodFacts>) {
        let uid: Name = (*change.object.meta.uid).into();
        let before = self.by_uid.remove(&uid);
        if let Some(facts) = &before {
            self.unlink(facts);
        }
        if change.kind == ChangeKind::Deleted {
            return (before, None);
        }
        let after = facts(&change.object);
        self.link(&after);
        self.by_uid.insert(uid, after.clone());
        (before, Some(after))
    }

    pub(crate) fn get(&self, uid: &str) -> Option<&PodFacts> {
        self.by_uid.get(uid)
    }

    pub(crate) fn family(&self, owner: &str) -> Option<&Family> {
        self.families.get(owner)
    }

    /// Pods of an owner, by UID.
    pub(crate) fn of(&self, owner: &str) -> impl Iterator<Item = &PodFacts> {
        self.families.get(owner).into_iter().flat_map(|f| &f.members).filter_map(|uid| self.by_uid.get(uid))
    }

    /// Pods of an owner on a node, or meant for it, by UID.
    pub(crate) fn of_on(&self, owner: &str, node: &str) -> impl Iterator<Item = &PodFacts> {
        let uids = self.families.get(owner).and_then(|f| f.by_node.get(node));
        uids.into_iter().flatten().filter_map(|uid| self.by_uid.get(uid))
    }

    /// Pods on a node, by UID.
    pub(crate) fn on(&self, node: &str) -> impl Iterator<Item = &PodFacts> {
        self.by_node.get(node).into_iter().flatten().filter_map(|uid| self.by_uid.get(uid))
    }

    /// How many pods a node has.
    pub(crate) fn count_on(&self, node: &str) -> usize {
        self.by_node.get(node).map_or(0, BTreeSet::len)
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
        family.active += usize::from(facts.active());
        family.ready += usize::from(facts.active() && facts.ready.is_some());
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
        family.active -= usize::from(facts.active());
        family.ready -= usize::from(facts.active() && facts.ready.is_some());
        if family.members.is_empty() {
            self.families.remove(owner);
        }
    }
}

fn remove(map: &mut BTreeMap<Name, BTreeSet<Name>>, key: &Name, uid: &Name) {
    if let Some(set) = map.get_mut(key) {
        set.remove(uid);
        if set.is_empty() {
            map.remove(key);
        }
    }
}

fn facts(pod: &Stored) -> PodFacts {
    let view: Option<View> = pod.read().ok();
    let ready = view.as_ref().and_then(|view| {
        let ready = view.status.conditions.iter().find(|c| c.kind == "Ready" && c.status == "True")?;
        Some(ready.since.unwrap_or(Timestamp::UNIX_EPOCH))
    });
    // The only field that a term can match is the node's name.
    let meant = view.as_ref().and_then(|view| {
        view.spec
            .affinity
            .node
            .required
            .terms
            .first()?
            .fields
            .first()?
            .values
            .first()
            .map(|name| Name::from(name.as_str()))
    });
    let field = |label: &str| pod.meta.field(label).filter(|text| !text.is_empty());
    PodFacts {
        key: Key::of(pod),
        uid: (*pod.meta.uid).into(),
        owner: pod.meta.controller().map(Into::into),
        node: field("spec.nodeName").map(Into::into),
        seat: field("spec.nodeName").map(Into::into).or(meant),
        host_network: field("spec.hostNetwork") == Some("true"),
        ready,
        running: field("status.phase") == Some("Running"),
        ended: matches!(field("status.phase"), Some("Succeeded" | "Failed")),
        deleting: pod.meta.deleting,
        created: view.and_then(|view| view.metadata.created),
        object: pod.clone(),
    }
}
