//! Events: what controllers and kubelets have to say about an object.

use std::collections::BTreeMap;

use super::{ByName, Key, Name};
use crate::store::{Resource, Store, Stored, WriteOptions};
use crate::tree::tree;

/// `Normal` or `Warning`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tone {
    Normal,
    Warning,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Note {
    pub(crate) tone: Tone,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// The container that it is about, where it is about one.
    pub(crate) container: Option<String>,
}

impl Note {
    pub(crate) fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self { tone: Tone::Normal, reason, message: message.into(), container: None }
    }

    pub(crate) fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self { tone: Tone::Warning, reason, message: message.into(), container: None }
    }
}

impl Note {
    /// The same about a container.
    pub(crate) fn about(self, container: &str) -> Self {
        Self { container: Some(container.to_owned()), ..self }
    }
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source<'a> {
    pub(crate) component: &'a str,
    pub(crate) host: &'a str,
}

/// Writes events. The same note about the same object is counted, not repeated, as client-go does.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// Whether everyday events (scheduled, pulled, created, started) are written. In large clusters they are not: they would be most
    /// of what the store holds.
    pub(crate) everyday: bool,
    written: ByName<BTreeMap<Note, Key>>,
    /// Keeps names apart where time stands still.
    sequence: u64,
}

impl Recorder {
    pub(crate) fn new(everyday: bool) -> Self {
        Self { everyday, written: ByName::default(), sequence: 0 }
    }

    pub(crate) fn write(&mut self, store: &Store, about: &Stored, source: Source<'_>, note: Note) {
        if note.tone == Tone::Normal && !self.everyday {
            return;
        }
        let now = store.timestamp();
        let uid: Name = (*about.meta.uid).into();
        let notes = self.written.entry(uid).or_default();
        if let Some(key) = notes.get(&note) {
            let again = store.mutate(Resource::Event, &key.namespace, &key.name, |event| {
                let count = event["count"].as_i64().unwrap_or(1) + 1;
                event["count"] = count.into();
                event["lastTimestamp"] = now.clone().into();
            });
            if again.is_ok() {
                return;
            }
        }
        let info = about.meta.resource.info();
        let namespace = if about.meta.namespace.is_empty() { "default" } else { &about.meta.namespace };
        // As client-go: the object's name and the time in hexadecimal nanoseconds.
        self.sequence += 1;
        let nanoseconds = u64::try_from(store.now().as_nanosecond()).unwrap_or_default() + self.sequence;
        let name = format!("{}.{nanoseconds:016x}", about.meta.name);
        // The scheduler writes events of the newer kind, which have no such field.
        let newer = source.component == "default-scheduler";
        let mut source_value = if newer { tree!({}) } else { tree!({"component": source.component}) };
        if !source.host.is_empty() {
            source_value["host"] = source.host.into();
        }
        let mut event = tree!({
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "kind": info.kind,
                "apiVersion": info.api_version(),
                "namespace": about.meta.namespace,
                "name": about.meta.name,
                // Kubelets speak of Nodes by name.
                "uid": if info.kind == "Node" { &about.meta.name } else { &about.meta.uid },
                "resourceVersion": about.meta.resource_version.to_string(),
            },
            "reason": note.reason,
            "message": note.message,
            "type": if note.tone == Tone::Normal { "Normal" } else { "Warning" },
            "source": source_value,
            "reportingComponent": source.component,
            "reportingInstance": source.host,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        });
        if let Some(container) = &note.container {
            event["involvedObject"]["fieldPath"] = format!("spec.containers{{{container}}}").into();
        }
        // An event in a namespace that is going is refused, and lost, as in real life.
        if let Ok(stored) = store.create(Resource::Event, namespace, event, &WriteOptions::default()) {
            notes.insert(note, Key::of(&stored));
        }
    }

    /// Nothing more will be said about an object.
    pub(crate) fn forget(&mut self, uid: &str) {
        self.written.remove(uid);
    }
}
