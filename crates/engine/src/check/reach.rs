//! `reachability`: judged from the answers of pings, which the step sends.

use std::net::IpAddr;
use std::sync::Arc;

use scenario::model::{PodSet, Quantity, Reach};

use super::{Context, Subject, Verdict};
use crate::world::PodFacts;

/// One ping: from a pod, by namespace and name, to an address.
pub(crate) type Pair = (String, String, IpAddr);

/// What became of a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ping {
    /// The other side answered.
    Answered,
    /// It did not.
    Unanswered,
    /// It could not be sent, and why: that says nothing about the network.
    Untried(String),
}

/// Two distinct live pods and the ping between them, or why there can be none.
pub(crate) type Candidate = (Arc<PodFacts>, Arc<PodFacts>, Result<Pair, String>);

/// Every ordered pair of distinct live pods. For a ping the first has to run, and the second needs an address.
pub(crate) fn pairs(context: &Context<'_>, from: &PodSet, to: &PodSet) -> Vec<Candidate> {
    let workloads = &context.scenario.workloads;
    let to = context.world.live(to, workloads);
    let mut pairs = Vec::new();
    for start in context.world.live(from, workloads) {
        for end in to.iter().filter(|end| end.uid != start.uid) {
            let pair = match end.ips.first() {
                _ if start.phase != "Running" => Err(format!("{} is {}, not Running", start.name, start.phase)),
                None => Err(format!("{} has no address", end.name)),
                Some(ip) => Ok((start.namespace.clone(), start.name.clone(), *ip)),
            };
            pairs.push((start.clone(), end.clone(), pair));
        }
    }
    pairs
}

pub(super) fn evaluate(
    context: &Context<'_>,
    from: &PodSet,
    to: &PodSet,
    quantity: Quantity,
    wanted: Reach,
) -> Verdict {
    let subjects: Vec<Subject> = pairs(context, from, to)
        .iter()
        .map(|(start, end, pair)| {
            let answer = pair.as_ref().map(|pair| context.pings.get(pair));
            let (observed, reached) = match answer {
                Ok(Some(Ping::Answered)) => ("answered".to_owned(), Some(true)),
                Ok(Some(Ping::Unanswered)) => ("no answer".to_owned(), Some(false)),
                Ok(Some(Ping::Untried(cause))) => (format!("could not be tried: {cause}"), None),
                Ok(None) => ("not tried yet".to_owned(), None),
                Err(why) => (format!("cannot be tried: {why}"), None),
            };
            let target = end.ips.first().map_or_else(|| end.name.clone(), |ip| format!("{ip} ({})", end.name));
            Subject {
                object: start.object(),
                field: format!("ping {target} on {}", end.node.as_deref().unwrap_or("no node")),
                expected: match wanted {
                    Reach::Reachable => "answered".to_owned(),
                    Reach::Unreachable => "no answer".to_owned(),
                },
                observed: format!("{observed}, from {}", start.node.as_deref().unwrap_or("no node")),
                matches: reached.map(|reached| reached == (wanted == Reach::Reachable)),
            }
        })
        .collect();
    Verdict::quantify(quantity, &format!("pairs of pods from {from} to {to}"), &subjects)
}
