//! `pods`.

use std::sync::Arc;

use scenario::model::{NodeRef, PodSet, Quantity, Since};

use super::{Context, Subject, Verdict};
use crate::world::PodFacts;

/// What is asked of a set of pods.
pub(super) struct Wanted<'a> {
    pub(super) unchanged: Option<&'a Since>,
    pub(super) count: Option<usize>,
    pub(super) ready: Option<usize>,
    pub(super) endpoints: Option<usize>,
}

pub(super) fn evaluate(
    context: &Context<'_>,
    of: &PodSet,
    on: &[NodeRef],
    wanted: &Wanted<'_>,
) -> Result<Verdict, NodeRef> {
    let pods = context.pods(of, on)?;
    let names = |pods: &[&Arc<PodFacts>]| pods.iter().map(|p| p.name.clone()).collect::<Vec<_>>().join(" ");
    let mut subjects = Vec::new();
    let mut number = |field: &str, expected: Option<usize>, observed: Vec<&Arc<PodFacts>>| {
        if let Some(expected) = expected {
            let count = observed.len();
            let list = if observed.is_empty() { String::new() } else { format!(" ({})", names(&observed)) };
            subjects.push(Subject {
                object: format!("pods of {of}"),
                field: field.to_owned(),
                expected: expected.to_string(),
                observed: format!("{count}{list}"),
                matches: Some(count == expected),
            });
        }
    };
    let has_endpoint =
        |pod: &&Arc<PodFacts>| context.world.endpoints.contains_key(&(pod.namespace.clone(), pod.name.clone()));
    number("live pods", wanted.count, pods.iter().collect());
    number("ready pods", wanted.ready, pods.iter().filter(|p| p.ready).collect());
    number("pods with a CiliumEndpoint", wanted.endpoints, pods.iter().filter(has_endpoint).collect());
    if let Some(since) = wanted.unchanged {
        subjects.extend(unchanged(context, of, on, since, &pods)?);
    }
    // A count of zero is meant by whoever writes it; every other answer needs pods.
    let asks_for_none = wanted.count == Some(0) && wanted.unchanged.is_none();
    let what = format!("live pods of {of}");
    let mut verdict = Verdict::quantify(Quantity::Every, &what, &subjects);
    if pods.is_empty() && !asks_for_none {
        // Which pods are gone, or how many were wanted, says more than that there are none.
        return Ok(if verdict.held { Verdict::nothing(&what) } else { Verdict { subjects: 0, ..verdict } });
    }
    verdict.subjects = pods.len().max(usize::from(asks_for_none));
    Ok(verdict)
}

/// Every pod as it was then, none missing, none new.
fn unchanged(
    context: &Context<'_>,
    of: &PodSet,
    on: &[NodeRef],
    since: &Since,
    now: &[Arc<PodFacts>],
) -> Result<Vec<Subject>, NodeRef> {
    let then: Vec<Arc<PodFacts>> = match since {
        Since::Rollout => context.rollouts.get(of).map(|pods| pods.to_vec()).unwrap_or_default(),
        Since::Label(label) => {
            context.labels.get(label).map(|world| world.live(of, &context.scenario.workloads)).unwrap_or_default()
        }
    };
    let nodes = context.nodes(on)?;
    let then: Vec<_> = then
        .into_iter()
        .filter(|pod| on.is_empty() || pod.node.as_ref().is_some_and(|node| nodes.contains(node)))
        .collect();
    let mut subjects = Vec::new();
    for old in &then {
        let new = now.iter().find(|pod| pod.uid == old.uid);
        subjects.push(Subject {
            object: old.object(),
            field: "UID, address, restarts".to_owned(),
            expected: describe(old),
            observed: new.map_or_else(|| "gone".to_owned(), |pod| describe(pod)),
            matches: Some(new.is_some_and(|pod| pod.ips == old.ips && pod.restarts == old.restarts)),
        });
    }
    for new in now.iter().filter(|pod| !then.iter().any(|old| old.uid == pod.uid)) {
        subjects.push(Subject {
            object: new.object(),
            field: "UID".to_owned(),
            expected: "no new pod".to_owned(),
            observed: describe(new),
            matches: Some(false),
        });
    }
    Ok(subjects)
}

fn describe(pod: &PodFacts) -> String {
    let ips: Vec<String> = pod.ips.iter().map(ToString::to_string).collect();
    format!(
        "uid {} address {} restarts {}",
        pod.uid,
        if ips.is_empty() { "-".to_owned() } else { ips.join(" ") },
        pod.restarts
    )
}
