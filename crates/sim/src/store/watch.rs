//! Who is told of changes, and how far back they can be asked for.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::{Status, Stored};

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new (or, at the start of a subscription, was there).
    Added,
    /// It has another version.
    Modified,
    /// It is gone; the object is its last content under the deletion's resource version.
    Deleted,
}

impl ChangeKind {
    /// `ADDED`, `MODIFIED`, `DELETED`.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Added => "ADDED",
            ChangeKind::Modified => "MODIFIED",
            ChangeKind::Deleted => "DELETED",
        }
    }
}

/// One change of one object.
#[derive(Debug, Clone)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The object after it, or its last content.
    pub object: Stored,
    /// The version before a `Modified` or `Deleted`.
    pub previous: Option<Stored>,
}

impl Change {
    /// The revision of the change.
    pub fn resource_version(&self) -> u64 {
        self.object.meta.resource_version
    }
}

/// Changes of one resource in order, without gaps: what is not read yet is kept.
#[derive(Debug)]
pub struct Subscription {
    queue: mpsc::UnboundedReceiver<Change>,
}

impl Subscription {
    /// The next change; waits for it. Ends only when the store is dropped.
    pub async fn next(&mut self) -> Option<Change> {
        self.queue.recv().await
    }

    /// The next change if there is one now.
    pub fn try_next(&mut self) -> Option<Change> {
        self.queue.try_recv().ok()
    }

    /// As [`Subscription::next`], for hand-written streams.
    pub fn poll_next(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Change>> {
        self.queue.poll_recv(cx)
    }
}

/// The changes of one resource that can still be asked for, and those who hear of new ones.
#[derive(Debug)]
pub(super) struct History {
    ring: VecDeque<Change>,
    keep: usize,
    /// Changes at or below this revision are forgotten.
    floor: u64,
    subscribers: Vec<mpsc::UnboundedSender<Change>>,
}

impl History {
    pub(super) fn new(keep: usize) -> History {
        History { ring: VecDeque::new(), keep, floor: 0, subscribers: Vec::new() }
    }

    pub(super) fn push(&mut self, change: Change) {
        self.subscribers.retain(|s| s.send(change.clone()).is_ok());
        if self.ring.len() == self.keep
            && let Some(old) = self.ring.pop_front()
        {
            self.floor = old.resource_version();
        }
        if self.keep > 0 {
            self.ring.push_back(change);
        } else {
            self.floor = change.resource_version();
        }
    }

    /// Forgets everything up to `revision`.
    pub(super) fn compact(&mut self, revision: u64) {
        while self.ring.front().is_some_and(|c| c.resource_version() <= revision) {
            self.ring.pop_front();
        }
        self.floor = self.floor.max(revision);
    }

    pub(super) fn since(&self, revision: u64) -> Result<impl Iterator<Item = &Change>, Status> {
        if revision < self.floor {
            return Err(Status::expired(format!("too old resource version: {revision} ({})", self.floor + 1)));
        }
        let from = self.ring.partition_point(|c| c.resource_version() <= revision);
        Ok(self.ring.range(from..))
    }

    pub(super) fn subscribe(&mut self, first: impl Iterator<Item = Change>) -> Subscription {
        let (sender, queue) = mpsc::unbounded_channel();
        for change in first {
            // The receiver is at hand.
            let _ = sender.send(change);
        }
        self.subscribers.push(sender);
        Subscription { queue }
    }

    pub(super) fn changes_since(&self, revision: u64) -> Result<Vec<Change>, Status> {
        Ok(self.since(revision)?.cloned().collect())
    }
}
