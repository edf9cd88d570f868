//! `agents`.

use scenario::model::{AgentMatcher, NodeRef, Quantity};

use super::{Context, Subject, Verdict, verdict::all_of};

pub(super) fn evaluate(
    context: &Context<'_>,
    on: &[NodeRef],
    quantity: Quantity,
    matcher: &AgentMatcher,
) -> Result<Verdict, NodeRef> {
    let nodes = context.nodes(on)?;
    let pods = context.world.agent_pods();
    let start = context.labels.get(crate::START);
    let subjects: Vec<Subject> = nodes
        .iter()
        .map(|node| {
            let pod = pods.get(node);
            let facts = pod.and_then(|pod| context.world.agents.get(&pod.incarnation()));
            let ipam = facts.map(|facts| facts.ipam.as_str());
            let ready = pod.is_some_and(|p| p.ready);
            // Between two restarts the container runs for a while: a pod that restarted since the start counts too.
            let restarts_then =
                pod.and_then(|p| start?.pods.get(&(p.namespace.clone(), p.name.clone()))).map_or(0, |p| p.restarts);
            let looping =
                pod.is_some_and(|p| p.waiting.as_deref() == Some("CrashLoopBackOff") || p.restarts > restarts_then);
            let mut expected = Vec::new();
            let mut matches = vec![pod.map(|_| true)];
            if let Some(mode) = matcher.ipam {
                expected.push(format!("ipam {}", mode.as_str()));
                matches.push(ipam.map(|ipam| ipam == mode.as_str()));
            }
            if let Some(wanted) = matcher.ready {
                expected.push(if wanted { "ready" } else { "not ready" }.to_owned());
                matches.push(pod.map(|_| ready == wanted));
            }
            if let Some(wanted) = matcher.crash_looping {
                expected.push(if wanted { "crash-looping" } else { "not crash-looping" }.to_owned());
                matches.push(pod.map(|_| looping == wanted));
            }
            let observed = match pod {
                None => "no agent pod".to_owned(),
                Some(pod) => format!(
                    "ipam {}, {}{}{}",
                    ipam.map_or_else(|| format!("unknown ({})", context.world.silence_of(node, pod)), str::to_owned),
                    if ready { "ready" } else { "not ready" },
                    if pod.restarts > 0 { format!(", {} restarts", pod.restarts) } else { String::new() },
                    pod.waiting.as_ref().map(|w| format!(", {w}")).unwrap_or_default(),
                ),
            };
            Subject {
                object: format!("Agent/{node}"),
                field: "running agent".to_owned(),
                expected: expected.join(", "),
                observed,
                matches: all_of(matches),
            }
        })
        .collect();
    Ok(Verdict::quantify(quantity, "nodes", &subjects))
}
