//! The operator's pending writes and the run that sends them: `syncToK8s`, one request at a time.

use std::collections::{BTreeMap, VecDeque};

use super::allocator::Write;
use super::api::{ApiAnswer, ApiRequest};
use super::order::{Choice, Order};

/// A write that waits, at most one for each node: the last one wins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pending {
    resource_version: u64,
    /// `None` for a deleted node: nothing is sent, but an older write of that node is dropped.
    write: Option<Write>,
}

/// Where the run is with the node at the head of its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Update,
    Status,
    /// Reads the node after a conflict, to try again at the next run.
    ReRead,
}

/// A run in progress.
#[derive(Debug, Clone)]
struct Run {
    queue: VecDeque<String>,
    stage: Stage,
    failed: bool,
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything was written.
    Clean,
    /// Something has to be tried again.
    Failed,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send this and wait for the answer.
    Send(ApiRequest),
    /// The run is over.
    Done(Ended),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Writes {
    pending: BTreeMap<String, Pending>,
    run: Option<Run>,
}

impl Writes {
    /// Notes a write, in the place of an older one for the same node.
    pub(crate) fn set(&mut self, name: &str, resource_version: u64, write: Option<Write>) {
        self.pending.insert(name.to_owned(), Pending { resource_version, write });
    }

    pub(crate) fn is_running(&self) -> bool {
        self.run.is_some()
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Starts a run over everything that waits.
    pub(crate) fn start(&mut self, order: &mut dyn Order) -> Next {
        let mut names: Vec<String> = self.pending.keys().cloned().collect();
        order.arrange(Choice::Writes, &mut names);
        self.run = Some(Run { queue: names.into(), stage: Stage::Update, failed: false });
        self.open_next()
    }

    /// Sends the first request about the node at the head of the queue.
    fn open_next(&mut self) -> Next {
        loop {
            let Some(run) = &mut self.run else { return Next::Done(Ended::Clean) };
            let Some(name) = run.queue.front() else {
                let failed = run.failed;
                self.run = None;
                return Next::Done(if failed { Ended::Failed } else { Ended::Clean });
            };
            match self.pending.get(name).map(|pending| &pending.write) {
                Some(Some(Write::Spec { .. })) => run.stage = Stage::Update,
                Some(Some(Write::Status { .. })) => run.stage = Stage::Status,
                _ => {
                    // A deleted node: the operator only looks whether it is really gone.
                    self.pending.remove(name);
                    run.queue.pop_front();
                    continue;
                }
            }
            if let Some(request) = self.request() {
                return Next::Send(request);
            }
        }
    }

    /// The request of the present stage.
    fn request(&self) -> Option<ApiRequest> {
        let run = self.run.as_ref()?;
        let name = run.queue.front()?.clone();
        let pending = self.pending.get(&name)?;
        let resource_version = pending.resource_version;
        Some(match (run.stage, pending.write.as_ref()?) {
            (Stage::ReRead, _) => ApiRequest::Get { name },
            (Stage::Update, Write::Spec { pod_cidrs, .. }) => {
                ApiRequest::Update { name, resource_version, pod_cidrs: pod_cidrs.clone() }
            }
            (_, Write::Spec { error, .. } | Write::Status { error }) => {
                ApiRequest::UpdateStatus { name, resource_version, error: error.clone() }
            }
        })
    }

    /// Takes the answer to the last request.
    pub(crate) fn answer(&mut self, answer: ApiAnswer) -> Next {
        let Some(run) = &mut self.run else { return Next::Done(Ended::Clean) };
        let Some(name) = run.queue.front().cloned() else { return self.open_next() };
        let mut settled = true;
        match (run.stage, answer) {
            (Stage::Update, ApiAnswer::Ok(node)) => {
                // The status goes on top of the version that the update made.
                if let Some(pending) = self.pending.get_mut(&name) {
                    pending.resource_version = node.resource_version;
                }
                run.stage = Stage::Status;
                settled = false;
            }
            (Stage::Status, ApiAnswer::Ok(_)) | (Stage::Update | Stage::Status, ApiAnswer::NotFound) => {
                self.pending.remove(&name);
            }
            (Stage::Update | Stage::Status, ApiAnswer::Conflict) => {
                run.failed = true;
                run.stage = Stage::ReRead;
                settled = false;
            }
            (Stage::Update | Stage::Status, ApiAnswer::Failed) => run.failed = true,
            (Stage::ReRead, ApiAnswer::Ok(node)) => {
                // The same podCIDRs and error, on top of what is there now.
                if let Some(pending) = self.pending.get_mut(&name) {
                    pending.resource_version = node.resource_version;
                }
            }
            (Stage::ReRead, _) => {}
        }
        if settled {
            run.queue.pop_front();
            return self.open_next();
        }
        match self.request() {
            Some(request) => Next::Send(request),
            None => self.open_next(),
        }
    }
}
