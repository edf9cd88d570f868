//! `podCIDRs`.

use ipnet::IpNet;
use scenario::model::{CidrMatcher, CidrSource, NodeRef, Quantity};

use super::{Context, Subject, Verdict, cidrs, verdict::all_of};

pub(super) fn evaluate(
    context: &Context<'_>,
    of: CidrSource,
    on: &[NodeRef],
    quantity: Quantity,
    matchers: &[CidrMatcher],
) -> Result<Verdict, NodeRef> {
    let nodes = context.nodes(on)?;
    let (object, field) = match of {
        CidrSource::CiliumNode => ("CiliumNode", "spec.ipam.podCIDRs"),
        CidrSource::Node => ("Node", "spec.podCIDRs"),
        CidrSource::Agent => ("Agent", "podCIDRs it allocates from"),
    };
    let subjects: Vec<Subject> = nodes
        .iter()
        .map(|node| {
            let now = cidrs::of(context, of, &scenario::model::At::Now, node);
            let judged: Vec<(String, Option<bool>)> =
                matchers.iter().map(|m| judge(context, of, node, m, now.as_deref().ok())).collect();
            Subject {
                object: format!("{object}/{node}"),
                field: field.to_owned(),
                expected: judged.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" and "),
                observed: now.map_or_else(|why| why, |ranges| cidrs::go_list(&ranges)),
                matches: all_of(judged.iter().map(|(_, matches)| *matches)),
            }
        })
        .collect();
    Ok(Verdict::quantify(quantity, &format!("{object}s"), &subjects))
}

/// What a matcher asks for on this node, and whether it is so, where that can be told. An empty list is equal to, inside and disjoint
/// from nothing: only `empty` and `unchanged` speak about it.
fn judge(
    context: &Context<'_>,
    of: CidrSource,
    node: &str,
    matcher: &CidrMatcher,
    now: Option<&[IpNet]>,
) -> (String, Option<bool>) {
    let against = |verb: &str, reference, test: &dyn Fn(&[IpNet], &[IpNet]) -> bool| {
        let name = cidrs::name(reference);
        match cidrs::resolve(context, reference, node) {
            Ok(ranges) => (
                format!("{verb} {name} {}", cidrs::go_list(&ranges)),
                now.map(|now| !now.is_empty() && test(now, &ranges)),
            ),
            Err(why) => (format!("{verb} {name} ({why})"), None),
        }
    };
    match matcher {
        CidrMatcher::Equal(reference) => against("equal to", reference, &|now, then| now == then),
        CidrMatcher::Within(reference) => against("within", reference, &|now, ranges| {
            now.iter().all(|one| ranges.iter().any(|range| range.contains(one)))
        }),
        CidrMatcher::Disjoint(reference) => against("disjoint from", reference, &|now, ranges| {
            !now.iter().any(|one| ranges.iter().any(|range| ipam::cidr::overlaps(one, range)))
        }),
        CidrMatcher::Unchanged(at) => {
            let then = cidrs::of(context, of, at, node);
            match then {
                Ok(then) => (format!("unchanged from {}", cidrs::go_list(&then)), now.map(|now| now == then)),
                Err(why) => (format!("unchanged ({why} then)"), None),
            }
        }
        CidrMatcher::Mask(mask) => (
            format!("prefix length {mask}"),
            now.map(|now| !now.is_empty() && now.iter().all(|range| range.prefix_len() == *mask)),
        ),
        CidrMatcher::Empty(empty) => {
            let text = if *empty { "empty" } else { "not empty" };
            (text.to_owned(), now.map(|now| now.is_empty() == *empty))
        }
    }
}
