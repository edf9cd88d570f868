//! `operatorStatus`.

use regex::Regex;
use scenario::model::{NodeRef, Quantity, StatusMatcher};

use super::{Context, Subject, Verdict, render};

const FIELD: &str = "status.ipam.operator-status.error";

pub(super) fn evaluate(
    context: &Context<'_>,
    on: &[NodeRef],
    quantity: Quantity,
    matcher: &StatusMatcher,
) -> Result<Verdict, NodeRef> {
    let nodes = context.nodes(on)?;
    let subjects: Vec<Subject> = nodes
        .iter()
        .map(|node| {
            let cilium_node = context.world.cilium_nodes.get(node);
            let error = cilium_node.and_then(|n| n.error.as_deref());
            let (expected, matches) = match matcher {
                StatusMatcher::Clear => ("clear".to_owned(), Some(error.is_none())),
                StatusMatcher::Error(template) => match render(context, template, node) {
                    Ok(text) => {
                        let matches = error == Some(text.as_str());
                        (text, Some(matches))
                    }
                    Err(why) => (format!("{} ({why})", template.text), None),
                },
                StatusMatcher::Matches(pattern) => {
                    // Validated when the scenario was read.
                    let matches = error.is_some_and(|e| Regex::new(pattern).is_ok_and(|r| r.is_match(e)));
                    (format!("an error that matches /{pattern}/"), Some(matches))
                }
            };
            let observed = match (cilium_node, error) {
                (None, _) => "no such CiliumNode".to_owned(),
                (Some(_), None) => "clear".to_owned(),
                (Some(_), Some(error)) => error.to_owned(),
            };
            Subject {
                object: format!("CiliumNode/{node}"),
                field: FIELD.to_owned(),
                expected,
                observed,
                matches: matches.filter(|_| cilium_node.is_some()),
            }
        })
        .collect();
    Ok(Verdict::quantify(quantity, "CiliumNodes", &subjects))
}
