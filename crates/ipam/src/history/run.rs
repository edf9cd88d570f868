//! Carries out a history.

use std::collections::BTreeMap;
use std::time::Duration;

use super::store::Store;
use super::types::{NodeOutcome, Outcome, Step};
use crate::operator::{
    ByName, Change, Event, Exchange, NodeSnapshot, Operator, OperatorConfig, Order, PoolConfig, StartError, Timing,
};
use crate::version::Release;

/// How long everything has after each step to come to rest.
pub const SETTLE: Duration = Duration::from_millis(2600);

/// Carries out a history, with every open order by name: one outcome for each step.
pub fn run(history: &[Step], release: Release) -> Vec<Outcome> {
    run_with(history, release, &mut ByName, &mut |_| {})
}

/// Carries out a history, with open orders decided by `order`, and shows every request and log line to `see`.
pub fn run_with(
    history: &[Step],
    release: Release,
    order: &mut dyn Order,
    see: &mut dyn FnMut(Exchange),
) -> Vec<Outcome> {
    let mut run = Run { release, store: Store::new(release), operator: None, now: Duration::ZERO, order, see };
    history.iter().map(|step| run.step(step)).collect()
}

/// What an operator with that configuration would make of CiliumNodes as they are, a few seconds after its start. Open orders
/// are decided by name.
///
/// # Errors
/// When it would not start; then no CiliumNode changes.
pub fn preview(
    config: &OperatorConfig,
    release: Release,
    nodes: BTreeMap<String, NodeOutcome>,
) -> Result<BTreeMap<String, NodeOutcome>, StartError> {
    let mut store = Store::new(release);
    nodes.into_iter().for_each(|(name, node)| store.insert(name, node));
    let mut run = Run { release, store, operator: None, now: Duration::ZERO, order: &mut ByName, see: &mut |_| {} };
    run.start(config)?;
    run.settle();
    Ok(run.nodes())
}

struct Run<'a> {
    release: Release,
    store: Store,
    operator: Option<Operator>,
    now: Duration,
    order: &'a mut dyn Order,
    see: &'a mut dyn FnMut(Exchange),
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Outcome {
        let mut start_error = None;
        match step {
            Step::Start { v4, mask4, v6, mask6 } => {
                let config = OperatorConfig {
                    ipv4: v4.is_some(),
                    ipv6: v6.is_some(),
                    v4: PoolConfig { cidrs: v4.clone().unwrap_or_default(), mask: *mask4 },
                    v6: PoolConfig { cidrs: v6.clone().unwrap_or_default(), mask: *mask6 },
                };
                start_error = self.start(&config).err().map(|error| match error {
                    // Histories record the words of the pool allocator, without those around them.
                    StartError::Pools { cause, .. } => cause.to_string(),
                    other => other.to_string(),
                });
            }
            Step::Stop => self.operator = None,
            Step::Node { name, cidrs } => self.store.create(name, cidrs),
            Step::Delete { name } => self.store.delete(name),
            Step::Set { name, cidrs } => self.store.set(name, cidrs),
        }
        self.settle();
        Outcome { start_error, nodes: self.nodes() }
    }

    fn nodes(&self) -> BTreeMap<String, NodeOutcome> {
        let outcome =
            |node: &NodeSnapshot| NodeOutcome { pod_cidrs: node.pod_cidrs.clone(), error: node.error.clone() };
        self.store.nodes().map(|node| (node.name.clone(), outcome(node))).collect()
    }

    fn start(&mut self, config: &OperatorConfig) -> Result<(), StartError> {
        self.operator = None;
        self.store.drop_events();
        self.operator = Some(Operator::start(config, self.release, Timing::default())?);
        let mut names: Vec<String> = self.store.nodes().map(|node| node.name.clone()).collect();
        Operator::arrange_list(self.release, &mut names, self.order);
        for name in &names {
            if let Some(node) = self.store.get(name).cloned() {
                self.give(Event::Upsert { node, change: Change::Content });
            }
        }
        self.give(Event::Synced);
        Ok(())
    }

    fn give(&mut self, event: Event) {
        if let Some(operator) = &mut self.operator {
            let exchanges = operator.handle_with(self.now, event, self.order, &mut self.store);
            exchanges.into_iter().for_each(&mut *self.see);
        }
    }

    fn settle(&mut self) {
        let until = self.now + SETTLE;
        loop {
            while let Some(event) = self.store.next_event() {
                self.give(event);
            }
            let Some(operator) = &mut self.operator else { break };
            let Some(at) = operator.next_timer().filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            let exchanges = operator.on_time_with(self.now, self.order, &mut self.store);
            exchanges.into_iter().for_each(&mut *self.see);
        }
        self.now = until;
    }
}
