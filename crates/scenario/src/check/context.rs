//! What the checks of one file share: the words that it defines, and what its steps have done so far.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pools::Pools;
use crate::codes;
use crate::located::{Field, Located};
use crate::model::{Component, NodeRef, PodSet, RestartTarget, VersionRange};
use crate::problem::{Problem, Sink, nearest, quoted, suggest};
use crate::tree::Span;

/// Names of Cilium's parts, and what they are.
pub(crate) const COMPONENTS: [Component; 4] =
    [Component::Agent, Component::Operator, Component::HubbleRelay, Component::CoreDns];

/// State of one file's validation.
pub(crate) struct Context<'a> {
    pub(crate) text: &'a str,
    pub(crate) sink: &'a Sink,
    /// Number of workers; none where the file's value could not be read, so that no reference is called wrong for it.
    pub(crate) workers: Option<u32>,
    /// Names in `workloads`, with their places.
    pub(crate) workloads: Vec<(String, Span)>,
    pub(crate) flow: Flow,
}

/// What the steps have done, up to the one being read.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// Step names and their places.
    pub(crate) labels: BTreeMap<String, Span>,
    /// All step names of the file, to tell a later one from one that does not exist.
    pub(crate) all_labels: BTreeSet<String>,
    /// Workloads that a step deploys.
    pub(crate) deployed: BTreeSet<String>,
    /// Nodes that are away, and whether that is so for every Cilium version.
    pub(crate) removed: BTreeMap<NodeRef, (Span, bool)>,
    /// The pools in force.
    pub(crate) pools: Pools,
    /// The pools at the last backup; none before the first.
    pub(crate) backup: Option<Pools>,
}

impl<'a> Context<'a> {
    pub(crate) fn push(&self, problem: Problem) {
        self.sink.push(problem);
    }

    /// A problem with fields that the map at `owner` lacks; left out where a field with a typing error is one of them.
    pub(crate) fn absent(&self, owner: Span, names: &[&str], problem: Problem) {
        if !self.sink.is_meant(owner, names) {
            self.push(problem);
        }
    }

    /// The place of `part` in a text at `span`; the whole text's where it is not found as written.
    pub(crate) fn inside(&self, span: Span, part: &str) -> Span {
        let found = self.text.get(span.start..span.end).and_then(|raw| Some((raw, raw.find(part)?)));
        match found {
            Some((raw, at)) if !raw[..at].contains('\n') => Span {
                line: span.line,
                column: span.column + raw[..at].chars().count(),
                start: span.start + at,
                end: span.start + at + part.len(),
            },
            _ => span,
        }
    }

    /// A field that must be there.
    pub(crate) fn required<'f, T>(
        &self,
        field: &'f Field<T>,
        name: &str,
        of: Span,
        example: &str,
    ) -> Option<(Span, &'f T)> {
        if !field.is_there() {
            self.absent(
                of,
                &[name],
                Problem::new(&codes::MISSING_FIELD, of, format!("`{name}` is missing"))
                    .help(format!("write `{name}: {example}`")),
            );
        }
        field.get()
    }

    /// A text that must not be empty.
    pub(crate) fn filled<'f>(&self, span: Span, text: &'f str, name: &str, example: &str) -> Option<&'f str> {
        if text.trim().is_empty() {
            self.push(
                Problem::new(&codes::EMPTY_VALUE, span, format!("`{name}` is empty"))
                    .help(format!("write `{name}: {example}`")),
            );
            return None;
        }
        Some(text)
    }

    /// The texts of a list that must not be empty. Items that could not be read are left out.
    pub(crate) fn texts<'f>(
        &self,
        span: Span,
        list: &'f [Located<String>],
        name: &str,
        example: &str,
    ) -> Vec<(Span, &'f str)> {
        if list.is_empty() {
            self.push(
                Problem::new(&codes::EMPTY_VALUE, span, format!("`{name}` is an empty list"))
                    .help(format!("write `{name}: {example}`, or leave `{name}` out")),
            );
        }
        list.iter().filter_map(|item| Some((item.span, item.value.as_deref()?))).collect()
    }

    /// A node by its role. It must be in the cluster, also by what earlier steps did.
    pub(crate) fn node(&self, span: Span, text: &str) -> Option<NodeRef> {
        let node = self.any_node(span, text)?;
        if let Some((removed, true)) = self.flow.removed.get(&node) {
            self.push(
                Problem::new(&codes::NODE_REMOVED, span, format!("node `{node}` is not there at this step"))
                    .related(*removed, "removed here")
                    .help(format!("bring it back before this step with `- addNode: {node}`")),
            );
        }
        Some(node)
    }

    /// A node by its role, whether it is there at the moment or not.
    pub(crate) fn any_node(&self, span: Span, text: &str) -> Option<NodeRef> {
        let Some(node) = NodeRef::parse(text).filter(|node| node.to_string() == text) else {
            let known = self.node_names();
            let help = match NodeRef::parse(text) {
                Some(node) => format!("write `{node}`"),
                None => suggest(text, known.iter().map(String::as_str)),
            };
            self.push(Problem::new(&codes::UNKNOWN_NODE, span, format!("`{text}` is not a node's role")).help(help));
            return None;
        };
        if let (NodeRef::Worker(number), Some(workers)) = (node, self.workers)
            && number > workers
        {
            let nodes = match workers {
                0 => "no worker".to_owned(),
                1 => "1 worker".to_owned(),
                _ => format!("{workers} workers"),
            };
            let known = self.node_names();
            self.push(
                Problem::new(&codes::UNKNOWN_NODE, span, format!("there is no node `{text}`: the cluster has {nodes}"))
                    .help(format!(
                        "write one of {}, or set `cluster: {{workers: {number}}}`",
                        quoted(known.iter().map(String::as_str))
                    )),
            );
            return None;
        }
        Some(node)
    }

    fn node_names(&self) -> Vec<String> {
        let workers = self.workers.unwrap_or(2).min(8);
        std::iter::once(NodeRef::ControlPlane)
            .chain((1..=workers).map(NodeRef::Worker))
            .map(|n| n.to_string())
            .collect()
    }

    /// The nodes of an `on`; empty where it is not written.
    pub(crate) fn on(&self, field: &Field<Vec<Located<String>>>) -> Vec<NodeRef> {
        let Some((span, list)) = field.get() else { return Vec::new() };
        let mut nodes = Vec::new();
        for (span, text) in self.texts(span, list, "on", "[worker]") {
            let Some(node) = self.node(span, text) else { continue };
            if nodes.contains(&node) {
                self.push(
                    Problem::new(&codes::DUPLICATE_ITEM, span, format!("`on` names `{node}` twice"))
                        .help("name it once"),
                );
            } else {
                nodes.push(node);
            }
        }
        nodes
    }

    fn workload_names(&self) -> Vec<&str> {
        self.workloads.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn is_workload(&self, text: &str) -> bool {
        self.workloads.iter().any(|(name, _)| name == text)
    }

    /// A workload of the scenario.
    pub(crate) fn workload(&self, span: Span, text: &str) -> Option<String> {
        if self.is_workload(text) {
            return Some(text.to_owned());
        }
        let help = match nearest(text, self.workload_names()) {
            Some(near) => format!("write `{near}`, or add `{text}` to `workloads`"),
            None if self.workloads.is_empty() => format!("add `workloads: {{{text}: {{}}}}`"),
            None => format!("write one of {}, or add `{text}` to `workloads`", quoted(self.workload_names())),
        };
        self.push(Problem::new(&codes::UNKNOWN_WORKLOAD, span, format!("there is no workload `{text}`")).help(help));
        None
    }

    /// A workload that an earlier step deploys.
    pub(crate) fn deployed(&self, span: Span, text: &str) -> Option<String> {
        let name = self.workload(span, text)?;
        if !self.flow.deployed.contains(&name) {
            self.push(
                Problem::new(&codes::NOT_DEPLOYED, span, format!("workload `{name}` is not deployed at this step"))
                    .help(format!("add `- deploy: {name}` before this step")),
            );
        }
        Some(name)
    }

    /// A set of pods.
    pub(crate) fn pod_set(&self, span: Span, text: &str) -> Option<PodSet> {
        match text {
            "coredns" => Some(PodSet::CoreDns),
            "hubble-relay" => Some(PodSet::HubbleRelay),
            "cilium-agent" | "cilium-operator" => {
                self.push(
                    Problem::new(
                        &codes::UNKNOWN_WORKLOAD,
                        span,
                        format!("`{text}` is not a set of pods to look at: its pods use the host's network"),
                    )
                    .help(format!("write one of {}", quoted(self.subjects()))),
                );
                None
            }
            _ => self.deployed_or_known(span, text),
        }
    }

    fn deployed_or_known(&self, span: Span, text: &str) -> Option<PodSet> {
        if self.is_workload(text) {
            return self.deployed(span, text).map(PodSet::Workload);
        }
        let help = format!("{}, or add `{text}` to `workloads`", suggest(text, self.subjects()));
        self.push(Problem::new(&codes::UNKNOWN_WORKLOAD, span, format!("there is no workload `{text}`")).help(help));
        None
    }

    fn subjects(&self) -> Vec<&str> {
        self.workload_names()
            .into_iter()
            .chain([Component::CoreDns.as_str(), Component::HubbleRelay.as_str()])
            .collect()
    }

    /// A part of Cilium.
    pub(crate) fn component(&self, span: Span, text: &str) -> Option<Component> {
        let found = COMPONENTS.into_iter().find(|component| component.as_str() == text);
        if found.is_none() {
            let help = suggest(text, COMPONENTS.map(Component::as_str));
            self.push(Problem::new(&codes::UNKNOWN_WORD, span, format!("`{text}` is not a part of Cilium")).help(help));
        }
        found
    }

    /// A part of Cilium, or a workload.
    pub(crate) fn target(&self, span: Span, text: &str) -> Option<RestartTarget> {
        if let Some(component) = COMPONENTS.into_iter().find(|component| component.as_str() == text) {
            return Some(RestartTarget::Component(component));
        }
        if self.is_workload(text) {
            return self.deployed(span, text).map(RestartTarget::Workload);
        }
        let known: Vec<&str> = COMPONENTS.map(Component::as_str).into_iter().chain(self.workload_names()).collect();
        let message = format!("`{text}` is neither a workload nor a part of Cilium");
        self.push(Problem::new(&codes::UNKNOWN_WORKLOAD, span, message).help(suggest(text, known)));
        None
    }

    /// A span of time.
    pub(crate) fn duration(&self, span: Span, text: &str) -> Option<Duration> {
        match humantime::parse_duration(text.trim()) {
            Ok(duration) if duration.is_zero() => {
                self.push(
                    Problem::new(&codes::ZERO_DURATION, span, format!("`{text}` is no time at all"))
                        .help("write a span such as `5s` or `2m`"),
                );
                None
            }
            Ok(duration) => Some(duration),
            Err(_) => {
                let help = match text.trim().parse::<f64>() {
                    Ok(_) => format!("write the unit too: `{}s`", text.trim()),
                    Err(_) => "write a span such as `500ms`, `90s` or `1m 30s`".to_owned(),
                };
                self.push(
                    Problem::new(&codes::BAD_DURATION, span, format!("`{text}` is not a span of time")).help(help),
                );
                None
            }
        }
    }

    /// A range of versions.
    pub(crate) fn versions(&self, field: &Field<String>) -> Option<VersionRange> {
        let (span, text) = field.get()?;
        VersionRange::parse(text)
            .map_err(|message| {
                let (message, help) = match message.split_once("; ") {
                    Some((message, help)) => (message.to_owned(), help.to_owned()),
                    None => (message, "write a range such as \">=1.18\"".to_owned()),
                };
                self.push(Problem::new(&codes::BAD_VERSION_RANGE, span, message).help(help));
            })
            .ok()
    }

    /// A regular expression.
    pub(crate) fn regex(&self, span: Span, text: &str) -> Option<String> {
        match regex::Regex::new(text) {
            Ok(_) => Some(text.to_owned()),
            Err(error) => {
                // The library's text ends with the cause; the lines before it repeat the pattern.
                let error = error.to_string();
                let cause = error.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
                self.push(
                    Problem::new(&codes::BAD_REGEX, span, format!("not a regular expression: {cause}"))
                        .help("put a backslash before a character that is meant as it is: `\\(`, `\\[`, `\\.`"),
                );
                None
            }
        }
    }

    /// An earlier step's name, or `start`.
    pub(crate) fn label(&self, span: Span, text: &str) -> Option<String> {
        if text == "start" || self.flow.labels.contains_key(text) {
            return Some(text.to_owned());
        }
        let earlier: Vec<&str> = std::iter::once("start").chain(self.flow.labels.keys().map(String::as_str)).collect();
        let message = if self.flow.all_labels.contains(text) {
            format!("step `{text}` has not ended yet at this step")
        } else {
            format!("no earlier step has the name `{text}`")
        };
        self.push(Problem::new(&codes::UNKNOWN_LABEL, span, message).help(suggest(text, earlier)));
        None
    }
}
