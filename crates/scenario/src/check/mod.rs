//! From the raw form to the model: what the file means, and every reason why it cannot mean it.

mod checks;
mod context;
mod expect;
mod invariants;
mod kinds;
mod object;
mod pools;
mod reference;
mod setup;
mod step;
mod xfail;

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;
use events::ClusterKind;

use crate::codes;
use crate::located::{Entries, Field, Located};
use crate::model::{Scenario, Source};
use crate::problem::{Problem, Sink};
use crate::raw::{RawClusterKind, RawScenario, RawStep};
use crate::tree::{Node, Span};
use context::{Context, Flow};

pub(crate) use expect::CHECKS;
pub(crate) use step::ACTIONS;

/// Builds the scenario. None only where a problem was noted.
pub(crate) fn scenario(
    path: &Utf8Path,
    text: &str,
    document: &Node,
    raw: RawScenario,
    sink: &Sink,
) -> Option<Scenario> {
    let top = document.span;
    let workers = match raw.cluster.value() {
        Some(cluster) if cluster.workers.is_broken() => None,
        Some(cluster) => Some(cluster.workers.value().copied().unwrap_or(2)),
        None if raw.cluster.is_broken() => None,
        None => Some(2),
    };
    let workload_names = raw
        .workloads
        .value()
        .into_iter()
        .flat_map(|workloads| workloads.keys().map(|(name, span)| (name.to_owned(), span)).collect::<Vec<_>>());
    let mut context = Context { text, sink, workers, workloads: workload_names.collect(), flow: Flow::default() };

    let name = name(&context, path, &raw.name, top);
    let summary = context
        .required(&raw.summary, "summary", top, "what the scenario shows, in one sentence")
        .and_then(|(span, text)| context.filled(span, text, "summary", "what the scenario shows, in one sentence"))
        .map(|text| text.trim().to_owned());
    let references = words(&context, &raw.references, "references");
    let tags = words(&context, &raw.tags, "tags");
    let (clusters, clusters_reason) = clusters(&context, &raw);
    let allow = raw.allow.value().map(allowed).unwrap_or_default();
    let invariants_off = invariants::off(&context, &raw.invariants);
    let cluster = setup::cluster(&context, raw.cluster.value());
    let cilium = setup::cilium(&mut context, raw.cilium.value());
    let workloads = setup::workloads(&context, raw.workloads.value());
    let xfail = xfail::xfail(&context, raw.xfail);
    let steps = steps(&mut context, raw.steps, top);
    for (name, span) in &context.workloads {
        if !context.flow.deployed.contains(name) {
            context.push(
                Problem::new(&codes::UNUSED_WORKLOAD, *span, format!("no step deploys workload `{name}`"))
                    .help(format!("add `- deploy: {name}`, or remove the workload")),
            );
        }
    }
    Some(Scenario {
        name: name?,
        summary: summary?,
        references,
        tags,
        clusters,
        clusters_reason,
        cluster,
        cilium,
        workloads,
        steps: steps?,
        allow,
        xfail,
        invariants_off,
        source: Source { path: path.to_owned(), text: Arc::from(text) },
    })
}

fn name(context: &Context<'_>, path: &Utf8Path, field: &Field<String>, top: Span) -> Option<String> {
    let stem = path.file_stem().unwrap_or("my-scenario");
    let (span, name) = context.required(field, "name", top, stem)?;
    if setup::dns_label(context, span, name, "scenario name") && name != stem {
        context.push(
            Problem::new(
                &codes::NAME_NOT_STEM,
                span,
                format!("the scenario is called `{name}`, and its file `{stem}`"),
            )
            .help(format!("write `name: {stem}`, or rename the file to {name}.yaml")),
        );
    }
    Some(name.clone())
}

/// Words of a list, each once and none empty.
fn words(context: &Context<'_>, field: &Field<Vec<Located<String>>>, name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for item in field.value().into_iter().flatten() {
        let Some(text) = item.value.as_deref() else { continue };
        if text.trim().is_empty() {
            context.push(
                Problem::new(&codes::EMPTY_VALUE, item.span, format!("an item of `{name}` is empty")).help("remove it"),
            );
        } else if words.iter().any(|word| word == text) {
            context.push(
                Problem::new(&codes::DUPLICATE_ITEM, item.span, format!("`{name}` names `{text}` twice"))
                    .help("name it once"),
            );
        } else {
            words.push(text.to_owned());
        }
    }
    words
}

fn clusters(context: &Context<'_>, raw: &RawScenario) -> (Vec<ClusterKind>, Option<String>) {
    let all = vec![ClusterKind::Kind, ClusterKind::Existing, ClusterKind::Sim];
    let reason = raw.clusters_reason.get().and_then(|(span, text)| context.filled(span, text, "clustersReason", "why"));
    let Some((span, list)) = raw.clusters.get() else {
        if let Some((span, _)) = raw.clusters_reason.get()
            && !raw.clusters.is_there()
        {
            context.push(
                Problem::new(
                    &codes::CLUSTERS_REASON,
                    span,
                    "a reason without `clusters`: the scenario runs on all kinds",
                )
                .help("add `clusters: [...]`, or remove `clustersReason`"),
            );
        }
        return (all, None);
    };
    if list.is_empty() {
        context.push(
            Problem::new(&codes::EMPTY_VALUE, span, "`clusters` is an empty list: the scenario could run nowhere")
                .help("write `clusters: [kind, sim]`, or leave `clusters` out"),
        );
    }
    if !raw.clusters_reason.is_there() {
        context.push(
            Problem::new(&codes::CLUSTERS_REASON, span, "`clusters` is limited without a reason")
                .help("add `clustersReason: why it cannot run on the others`"),
        );
    }
    let mut kinds = Vec::new();
    for item in list {
        let Some(kind) = item.value else { continue };
        let kind = match kind {
            RawClusterKind::Kind => ClusterKind::Kind,
            RawClusterKind::Existing => ClusterKind::Existing,
            RawClusterKind::Sim => ClusterKind::Sim,
        };
        if kinds.contains(&kind) {
            context.push(
                Problem::new(&codes::DUPLICATE_ITEM, item.span, format!("`clusters` names `{kind}` twice"))
                    .help("name it once"),
            );
        } else {
            kinds.push(kind);
        }
    }
    (kinds, reason.map(str::to_owned))
}

fn allowed(entries: &Entries<String>) -> BTreeMap<String, String> {
    entries.iter().map(|(code, _, _, reason)| (code.to_owned(), reason.clone())).collect()
}

fn steps(context: &mut Context<'_>, field: Field<Vec<Located<RawStep>>>, top: Span) -> Option<Vec<crate::model::Step>> {
    context.required(&field, "steps", top, "[...]");
    let Located { span, value, .. } = field.0?;
    let list = value?;
    if list.is_empty() {
        context.push(
            Problem::new(&codes::EMPTY_STEPS, span, "the scenario has no steps, so it would show nothing")
                .help("write at least one step that changes something and one `- expect: {...}`"),
        );
        return None;
    }
    context.flow.all_labels = list.iter().filter_map(|step| step.value.as_ref()?.name.value().cloned()).collect();
    let count = list.len();
    // Every step is read before the first that is missing decides.
    let steps: Vec<_> = list.into_iter().filter_map(|raw| step::step(context, raw)).collect();
    (steps.len() == count).then_some(steps)
}
