//! The model goes through what happened.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{Difference, Happened, SeenNodes, compare};
use crate::World;

/// With more nodes than this not every place is tried at which an operator may have begun.
const MANY: usize = 12;

/// The way through what happened that ends nearest to what is there, and what differs at its end.
///
/// Ways differ in the order in which several nodes are served: a pod that runs does not tell when its agent writes its CiliumNode, nor when
/// the operator looks at it. An operator gives ranges in ascending order, so the order of the ranges that the nodes have now is that in
/// which they were served; where it began in the middle of its pool, the highest were first.
pub(super) fn best(world: &World, pending: &[Happened], seen: &SeenNodes) -> Result<(World, Vec<Difference>), String> {
    let mut best: Option<(World, Vec<Difference>)> = None;
    for way in ways(pending) {
        for order in orders(seen) {
            let mut world = world.clone();
            go_through(&mut world, &way, &order)?;
            let differences = compare::differences(&world, seen);
            let fits = differences.is_empty();
            if best.as_ref().is_none_or(|(_, least)| differences.len() < least.len()) {
                best = Some((world, differences));
            }
            if fits {
                return best.ok_or_else(String::new);
            }
        }
    }
    best.ok_or_else(|| "there is no order in which the nodes could have been served".to_owned())
}

/// What happened, in the orders that come to the same for whoever looked on: as it was told; with the agents' starts, which take their time
/// to show, before everything else or after it.
fn ways(pending: &[Happened]) -> Vec<Vec<&Happened>> {
    let told: Vec<&Happened> = pending.iter().collect();
    let parts = |first: fn(&Happened) -> bool| -> (Vec<&Happened>, Vec<&Happened>) {
        pending.iter().partition(|one| first(one))
    };
    let (nodes, rest) = parts(is_node);
    let (starts, others): (Vec<&Happened>, Vec<&Happened>) =
        rest.into_iter().partition(|one| agent_start(one).is_some());
    let early = [nodes.clone(), starts.clone(), others.clone()].concat();
    let late = [nodes, others, starts].concat();
    vec![told, early, late]
}

/// A Node that joins, or gets its ranges.
fn is_node(happened: &Happened) -> bool {
    matches!(happened, Happened::NodeJoined { .. } | Happened::NodeRanges { .. })
}

/// The orders in which nodes may have been served: by name, by range, and by range from each place where it may have begun.
fn orders(seen: &SeenNodes) -> Vec<Vec<String>> {
    let mut by_range: Vec<(Option<IpNet>, &String)> =
        seen.iter().map(|(name, node)| (node.pod_cidrs.iter().find_map(|text| text.parse().ok()), name)).collect();
    // Those without a range came last: there was none left.
    by_range.sort_by_key(|(range, _)| (range.is_none(), *range));
    let names: Vec<String> = by_range.iter().map(|(_, name)| (*name).clone()).collect();
    let with_range = by_range.iter().take_while(|(range, _)| range.is_some()).count();
    // So many nodes are served from the start of a pool.
    let begins = if with_range > MANY { 0..0 } else { 1..with_range };
    let rotated = begins.map(|first| {
        let mut order = names.clone();
        order[..with_range].rotate_left(first);
        order
    });
    let mut orders = vec![names.clone()];
    orders.extend(rotated);
    orders.push(seen.keys().cloned().collect());
    orders
}

fn go_through(world: &mut World, way: &[&Happened], order: &[String]) -> Result<(), String> {
    world.prefer(order);
    let place: BTreeMap<&str, usize> = order.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let mut rest = way;
    while let Some(&first) = rest.first() {
        // Agents that start one after another do so at the same time: in which order they write their objects is open.
        let starts = rest.iter().take_while(|one| agent_start(one).is_some()).count();
        if starts == 0 {
            happen(world, first)?;
            world.settle()?;
            rest = &rest[1..];
            continue;
        }
        let mut together: Vec<&Happened> = rest[..starts].to_vec();
        together.sort_by_key(|one| agent_start(one).and_then(|node| place.get(node)).copied().unwrap_or(usize::MAX));
        for one in together {
            happen(world, one)?;
        }
        world.settle()?;
        rest = &rest[starts..];
    }
    Ok(())
}

/// The node of an agent's first start.
fn agent_start(happened: &Happened) -> Option<&str> {
    match happened {
        Happened::AgentStarted { node, .. } => Some(node),
        _ => None,
    }
}

fn happen(world: &mut World, happened: &Happened) -> Result<(), String> {
    match happened {
        Happened::NodeJoined { node, pod_cidrs } => world.join_node(node, pod_cidrs.clone()),
        Happened::NodeRanges { node, pod_cidrs } => world.set_node_pod_cidrs(node, pod_cidrs.clone()),
        Happened::NodeLeft { node } => world.remove_node(node),
        Happened::OperatorLeads { config } => {
            world.configure(config.clone());
            world.start_operator()?;
        }
        Happened::OperatorGone => world.stop_operator(),
        Happened::AgentStarted { node, config } => {
            world.configure(config.clone());
            world.start_agent(node);
        }
        Happened::AgentRestarted { node } => world.crash_agent(node),
        Happened::CiliumNodeDeleted { node } => world.delete_cilium_node(node),
        Happened::PodCidrsSet { node, pod_cidrs } => {
            world.set_pod_cidrs(node, pod_cidrs);
        }
        Happened::ErrorSet { node, error } => world.set_error(node, error),
        Happened::NotKnown(why) => return Err(why.clone()),
    }
    Ok(())
}
