//! Checks as pure functions of the world: no request, no clock.

mod agents;
mod cel;
mod cidrs;
mod config;
mod operator_status;
mod pod_cidrs;
mod pod_ips;
mod pods;
mod reach;
mod verdict;

pub(crate) use cel::Programs;
pub(crate) use cidrs::render;
pub(crate) use reach::{Pair, Ping, pairs};
pub(crate) use verdict::{Looked, Subject, Verdict};

use std::collections::BTreeMap;
use std::sync::Arc;

use scenario::Scenario;
use scenario::model::{Check, NodeRef, PodSet};

use crate::observe::KindName;
use crate::world::{PodFacts, World};

/// What a check may look at.
pub(crate) struct Context<'a> {
    /// Now.
    pub(crate) world: &'a World,
    /// As it was at the end of named steps, and at `start`.
    pub(crate) labels: &'a BTreeMap<String, Arc<World>>,
    /// Live pods of each workload after the last step that rolled it out.
    pub(crate) rollouts: &'a BTreeMap<PodSet, Arc<Vec<Arc<PodFacts>>>>,
    /// Its workloads and its pools.
    pub(crate) scenario: &'a Scenario,
    /// Compiled CEL expressions.
    pub(crate) programs: &'a Programs,
    /// Answers of the last round of pings.
    pub(crate) pings: &'a BTreeMap<Pair, Ping>,
    /// Which node has which role, as it was at the start. A node that was taken out keeps its role.
    pub(crate) roles: &'a [(NodeRef, String)],
}

impl Context<'_> {
    /// Real names of the nodes that `on` names; all nodes if it is empty. The error names a role that no node has.
    pub(crate) fn nodes(&self, on: &[NodeRef]) -> Result<Vec<String>, NodeRef> {
        if on.is_empty() {
            return Ok(self.world.nodes.keys().cloned().collect());
        }
        on.iter()
            .map(|role| self.roles.iter().find(|(r, _)| r == role).map(|(_, name)| name.clone()).ok_or(*role))
            .collect()
    }

    /// Live pods of a set on the nodes that `on` names.
    pub(crate) fn pods(&self, set: &PodSet, on: &[NodeRef]) -> Result<Vec<Arc<PodFacts>>, NodeRef> {
        let mut pods = self.world.live(set, &self.scenario.workloads);
        if !on.is_empty() {
            let nodes = self.nodes(on)?;
            pods.retain(|pod| pod.node.as_ref().is_some_and(|node| nodes.contains(node)));
        }
        Ok(pods)
    }
}

/// Evaluates one check.
pub(crate) fn evaluate(check: &Check, context: &Context<'_>) -> Verdict {
    let verdict = match check {
        Check::PodIps { of, on, quantity, matcher } => pod_ips::evaluate(context, of, on, *quantity, matcher),
        Check::OperatorStatus { on, quantity, matcher } => operator_status::evaluate(context, on, *quantity, matcher),
        Check::PodCidrs { of, on, quantity, matcher } => pod_cidrs::evaluate(context, *of, on, *quantity, matcher),
        Check::Pods { of, on, unchanged, count, ready, endpoints } => pods::evaluate(
            context,
            of,
            on,
            &pods::Wanted { unchanged: unchanged.as_ref(), count: *count, ready: *ready, endpoints: *endpoints },
        ),
        Check::Config(keys) => Ok(config::evaluate(context, keys)),
        Check::Agents { on, quantity, matcher } => agents::evaluate(context, on, *quantity, matcher),
        Check::Cel { api_version, kind, namespace, name, quantity, expression } => {
            let kind = KindName::new(api_version, kind);
            let filter = cel::Filter { kind: &kind, namespace: namespace.as_deref(), name: name.as_ref() };
            cel::evaluate(context, &filter, *quantity, expression)
        }
        Check::Reachability { from, to, quantity, matcher } => {
            Ok(reach::evaluate(context, from, to, *quantity, *matcher))
        }
    };
    verdict.unwrap_or_else(|role| Verdict::no_node(role, context.roles.len()))
}

/// Evaluates all checks of an `expect`: it holds when each does.
pub(crate) fn evaluate_all(checks: &[Check], context: &Context<'_>) -> Verdict {
    Verdict::all(checks.iter().map(|check| evaluate(check, context)))
}

/// The same, and counts for each check what it looked at.
pub(crate) fn evaluate_counting(checks: &[Check], context: &Context<'_>, looked: &mut Looked) -> Verdict {
    let verdicts: Vec<Verdict> = checks.iter().map(|check| evaluate(check, context)).collect();
    looked.add(&verdicts);
    Verdict::all(verdicts)
}

/// The kinds whose watches a check depends on: while one of them is down, its answer is stale.
pub(crate) fn kinds(check: &Check) -> Vec<KindName> {
    let node = KindName::new("v1", "Node");
    let cilium_node = KindName::new("cilium.io/v2", "CiliumNode");
    let pod = KindName::new("v1", "Pod");
    let config = KindName::new("v1", "ConfigMap");
    match check {
        // What agents say is asked when their pods change; the pools are in `cilium-config`.
        Check::PodIps { .. } | Check::PodCidrs { .. } => vec![pod, node, cilium_node, config],
        Check::OperatorStatus { .. } => vec![cilium_node, node, pod],
        Check::Pods { endpoints: Some(_), .. } => vec![pod, node, KindName::new("cilium.io/v2", "CiliumEndpoint")],
        Check::Pods { .. } | Check::Agents { .. } | Check::Reachability { .. } => vec![pod, node],
        Check::Config(_) => vec![config],
        Check::Cel { api_version, kind, .. } => vec![KindName::new(api_version, kind), node],
    }
}

#[cfg(test)]
pub(crate) mod tests;
