//! The operator as a whole: events and time in, requests and log lines out.

use std::collections::VecDeque;
use std::time::Duration;

use super::OperatorConfig;
use super::allocator::{Allocator, Write};
use super::api::{ApiAnswer, Change, Event, LogLine, NodeSnapshot, Output};
use super::family::Family;
use super::order::{Choice, Order};
use super::pool::PoolView;
use super::start::{self, StartError};
use super::writes::{Ended, Next, Writes};
use crate::version::{Behaviour, Release};

/// How the operator paces its writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Between two batches of writes at least (`podcidr.go`: the trigger's MinInterval).
    pub min_interval: Duration,
    /// From the moment when something is to be written to the first request: the two goroutines that have to wake up. What
    /// comes in meanwhile goes into the same batch. Zero: at once, in the same call.
    pub write_delay: Duration,
    /// After the n-th failed batch in a row, n times this passes before the next try (`controller.go`).
    pub retry_base: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            min_interval: Duration::from_secs(1),
            write_delay: Duration::from_millis(1),
            retry_base: Duration::from_secs(1),
        }
    }
}

/// A running operator in `ipam: cluster-pool`. A restart is a new one.
///
/// All times are since a moment that the caller chose and never go back. The controller's RunInterval of 15 s is left out: it
/// repeats a batch in which nothing waits, so it changes nothing and would only keep a virtual clock busy.
#[derive(Debug, Clone)]
pub struct Operator {
    release: Release,
    timing: Timing,
    allocator: Allocator,
    writes: Writes,
    /// Events that came while a batch holds the lock.
    inbox: VecDeque<Event>,
    /// When the trigger fired last.
    last_trigger: Option<Duration>,
    /// The trigger sleeps until then.
    trigger_at: Option<Duration>,
    /// It was pulled again while it slept, and will sleep once more.
    pulled_again: bool,
    /// The next batch that the trigger asked for.
    batch_at: Option<Duration>,
    /// The next batch because the last one failed.
    retry_at: Option<Duration>,
    /// Failed batches in a row, plus one.
    attempts: u32,
    /// A batch was asked for while one ran.
    batch_again: bool,
}

impl Operator {
    /// Starts with a configuration. The CiliumNodes that exist come next, each as an [`Event::Upsert`] (see
    /// [`arrange_list`](Self::arrange_list)), then [`Event::Synced`].
    ///
    /// # Errors
    /// What makes the real operator exit.
    pub fn start(config: &OperatorConfig, release: Release, timing: Timing) -> Result<Self, StartError> {
        let pools = start::pools(config, release.generation())?;
        Ok(Self {
            release,
            timing,
            allocator: Allocator::new(pools, release.generation()),
            writes: Writes::default(),
            inbox: VecDeque::new(),
            last_trigger: None,
            trigger_at: None,
            pulled_again: false,
            batch_at: None,
            retry_at: None,
            attempts: 1,
            batch_again: false,
        })
    }

    /// Brings the first list of CiliumNodes into the order in which this release handles it: by name up to 1.18, from then
    /// on as `order` says.
    pub fn arrange_list(release: Release, names: &mut [String], order: &mut dyn Order) {
        names.sort();
        if release.has(Behaviour::ListsInAnyOrder) {
            order.arrange(Choice::InitialList, names);
        }
    }

    /// Takes an event at the time `now`.
    pub fn handle(&mut self, now: Duration, event: Event, order: &mut dyn Order) -> Vec<Output> {
        let mut out = Vec::new();
        match event {
            Event::Answer(answer) => self.answered(now, answer, order, &mut out),
            event if self.writes.is_running() => self.inbox.push_back(event),
            event => self.process(now, event, order, &mut out),
        }
        self.advance(now, order, &mut out);
        out
    }

    /// The time at which [`on_time`](Self::on_time) has something to do.
    pub fn next_timer(&self) -> Option<Duration> {
        // While a batch runs, its end decides about the next one; the trigger goes on.
        let batch = if self.writes.is_running() { None } else { earlier(self.batch_at, self.retry_at) };
        earlier(self.trigger_at, batch)
    }

    /// Does what is due at the time `now`.
    pub fn on_time(&mut self, now: Duration, order: &mut dyn Order) -> Vec<Output> {
        let mut out = Vec::new();
        self.advance(now, order, &mut out);
        out
    }

    /// Which release it is.
    pub fn release(&self) -> Release {
        self.release
    }

    /// Whether the first list is through, so that nodes without podCIDRs are served.
    pub fn is_synced(&self) -> bool {
        self.allocator.is_ready()
    }

    /// Whether nothing waits to be written and nothing is being written.
    pub fn is_idle(&self) -> bool {
        !self.writes.is_running() && self.writes.pending() == 0 && self.inbox.is_empty()
    }

    /// What the operator remembers of a node, IPv4 before IPv6; `None` for one that it has given nothing. An empty list is
    /// what 1.20 remembers after a duplicate: such a node gets nothing more from this operator.
    pub fn record(&self, name: &str) -> Option<Vec<String>> {
        self.allocator.record(name)
    }

    /// The nodes that have a [`record`](Self::record), by name.
    pub fn recorded(&self) -> impl Iterator<Item = &str> {
        self.allocator.record_names()
    }

    /// The pools of a family, in their order.
    pub fn pools(&self, family: Family) -> impl Iterator<Item = PoolView> + '_ {
        self.allocator.pools().get(family).iter().map(super::pool::Pool::view)
    }

    fn process(&mut self, now: Duration, event: Event, order: &mut dyn Order, out: &mut Vec<Output>) {
        match event {
            Event::Upsert { node, change } => self.upserted(now, &node, change),
            Event::Deleted { name } => self.deleted(now, &name),
            Event::Synced => {
                for (node, write) in self.allocator.resync(order) {
                    self.note(now, &node, write);
                }
                self.pull(now);
            }
            Event::Answer(answer) => self.answered(now, answer, order, out),
        }
        out.extend(self.allocator.take_log().into_iter().map(|line| Output::Log { at: now, line }));
    }

    /// What stands between the watch and the allocator: `operator/cmd/cilium_node.go`, `operator/pkg/ipam/nodewatcher.go`.
    fn upserted(&mut self, now: Duration, node: &NodeSnapshot, change: Change) {
        if change == Change::Metadata && !self.release.has(Behaviour::SeesMetadataUpdates) {
            return;
        }
        if node.deleting && !self.release.has(Behaviour::KeepsDeletingNodes) {
            return self.deleted(now, &node.name);
        }
        let ignored = node.ignore.as_ref().is_some_and(|value| value.to_lowercase() == "true");
        if ignored && self.release.has(Behaviour::HonoursIgnoreAnnotation) {
            return;
        }
        if let Some(write) = self.allocator.upsert(node) {
            self.note(now, node, write);
        }
    }

    fn deleted(&mut self, now: Duration, name: &str) {
        if self.allocator.delete(name) {
            self.writes.set(name, 0, None);
            self.pull(now);
        }
    }

    fn note(&mut self, now: Duration, node: &NodeSnapshot, write: Write) {
        self.writes.set(&node.name, node.resource_version, Some(write));
        self.pull(now);
    }

    /// `Trigger.Trigger`: fires at once, or when the last time is an interval ago.
    fn pull(&mut self, now: Duration) {
        if self.trigger_at.is_some() {
            self.pulled_again = true;
            return;
        }
        match self.last_trigger.map(|last| last + self.timing.min_interval) {
            Some(due) if due > now => self.trigger_at = Some(due),
            _ => self.fire(now),
        }
    }

    fn fire(&mut self, at: Duration) {
        self.last_trigger = Some(at);
        self.batch_at = earlier(self.batch_at, Some(at + self.timing.write_delay));
        if std::mem::take(&mut self.pulled_again) {
            self.trigger_at = Some(at + self.timing.min_interval);
        }
    }

    /// Everything that is due.
    fn advance(&mut self, now: Duration, order: &mut dyn Order, out: &mut Vec<Output>) {
        loop {
            if let Some(at) = self.trigger_at.filter(|at| *at <= now) {
                self.trigger_at = None;
                self.fire(at.max(now));
                continue;
            }
            let due = earlier(self.batch_at, self.retry_at).is_some_and(|at| at <= now);
            if !due {
                return;
            }
            if self.writes.is_running() {
                // The controller's update channel holds one wish.
                if self.batch_at.take_if(|at| *at <= now).is_some() {
                    self.batch_again = true;
                }
                return;
            }
            self.batch_at = None;
            self.retry_at = None;
            let next = self.writes.start(order);
            self.go_on(now, next, order, out);
        }
    }

    fn answered(&mut self, now: Duration, answer: ApiAnswer, order: &mut dyn Order, out: &mut Vec<Output>) {
        if self.writes.is_running() {
            let next = self.writes.answer(answer);
            self.go_on(now, next, order, out);
        }
    }

    fn go_on(&mut self, now: Duration, next: Next, order: &mut dyn Order, out: &mut Vec<Output>) {
        match next {
            Next::Send(request) => out.push(Output::Request { at: now, request }),
            Next::Done(ended) => {
                match ended {
                    Ended::Clean => self.attempts = 1,
                    Ended::Failed => {
                        self.retry_at = Some(now + self.timing.retry_base * self.attempts);
                        self.attempts += 1;
                    }
                }
                if std::mem::take(&mut self.batch_again) {
                    self.batch_at = Some(now);
                }
                // The lock is free: what came in meanwhile.
                while let Some(event) = self.inbox.pop_front() {
                    self.process(now, event, order, out);
                }
            }
        }
    }
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl Output {
    /// The log line, if it is one.
    pub fn log(&self) -> Option<&LogLine> {
        match self {
            Self::Log { line, .. } => Some(line),
            Self::Request { .. } => None,
        }
    }
}
