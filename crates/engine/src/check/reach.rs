//! `reachability`: judged from the answers of pings, which the step sends.

use std::net::IpAddr;
use std::sync::Arc;

use scenario::model::{PodSet, Quantity, Reach};

use super::{Context, Subject, Verdict};
use crate::world::PodFacts;

/// One ping: from a pod, by namespace and name, to an address.
pub(crate) type Pair = (String, String, IpAddr);

/// Every ordered pair of distinct live pods that can be tried: the first has to run, the second needs an address.
pub(crate) fn pairs(context: &Context<'_>, from: &PodSet, to: &PodSet) -> Vec<(Arc<PodFacts>, Arc<PodFacts>, Pair)> {
    let workloads = &context.scenario.workloads;
    let to = context.world.live(to, workloads);
    let mut pairs = Vec::new();
    for start in context.world.live(from, workloads) {
        for end in to.iter().filter(|end| end.uid != start.uid) {
            if let Some(ip) = end.ips.first() {
                let pair = (start.namespace.clone(), start.name.clone(), *ip);
                pairs.push((start.clone(), end.clone(), pair));
            }
        }
    }
    pairs
}

pub(super) fn evaluate(context: &Context<'_>, from: &PodSet, to: &PodSet, quantity: Quantity, wanted: Reach) -> Verdict {
    let subjects: Vec<Subject> = pairs(context, from, to)
        .iter()
        .map(|(start, end, pair)| {
            let answer = context.pings.get(pair).copied();
            let matches = match wanted {
                Reach::Reachable => answer == Some(true),
                Reach::Unreachable => answer == Some(false),
            };
            let observed = match answer {
                Some(true) => "answered",
                Some(false) => "no answer",
                None => "not tried yet",
            };
            Subject {
                object: start.object(),
                field: format!("ping {} ({} on {})", pair.2, end.name, end.node.as_deref().unwrap_or("no node")),
                expected: match wanted {
                    Reach::Reachable => "answered".to_owned(),
                    Reach::Unreachable => "no answer".to_owned(),
                },
                observed: format!("{observed}, from {}", start.node.as_deref().unwrap_or("no node")),
                matches,
            }
        })
        .collect();
    Verdict::quantify(quantity, &format!("pairs of pods from {from} to {to}"), &subjects)
}
