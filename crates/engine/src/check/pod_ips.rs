//! `podIPs`.

use scenario::model::{IpMatcher, NodeRef, PodSet, Quantity};

use super::{Context, Subject, Verdict, cidrs};

pub(super) fn evaluate(
    context: &Context<'_>,
    of: &PodSet,
    on: &[NodeRef],
    quantity: Quantity,
    matcher: &IpMatcher,
) -> Result<Verdict, NodeRef> {
    let IpMatcher::Within(reference) = matcher;
    let pods = context.pods(of, on)?;
    // A pod without an address does not match; where no pod has one, there is nothing to say that none does.
    let any_address = pods.iter().any(|pod| !pod.ips.is_empty());
    let subjects: Vec<Subject> = pods
        .iter()
        .map(|pod| {
            let ranges = match &pod.node {
                Some(node) => cidrs::resolve(context, reference, node),
                None => Err("the pod is not scheduled".to_owned()),
            };
            let ips: Vec<String> = pod.ips.iter().map(ToString::to_string).collect();
            let observed = match (ips.is_empty(), &pod.node) {
                (true, None) => "no address, not scheduled".to_owned(),
                (true, Some(node)) => format!("no address, on {node}"),
                (false, node) => format!("{} on {}", ips.join(" "), node.as_deref().unwrap_or("no node")),
            };
            let (expected, matches) = match ranges {
                Ok(ranges) => {
                    let inside = !pod.ips.is_empty() && pod.ips.iter().all(|ip| ranges.iter().any(|r| r.contains(ip)));
                    let matches = any_address.then_some(inside);
                    (format!("within {} {}", cidrs::name(reference), cidrs::go_list(&ranges)), matches)
                }
                Err(why) => (format!("within {} ({why})", cidrs::name(reference)), None),
            };
            Subject { object: pod.object(), field: "status.podIPs".to_owned(), expected, observed, matches }
        })
        .collect();
    Ok(Verdict::quantify(quantity, &format!("live pods of {of}"), &subjects))
}
