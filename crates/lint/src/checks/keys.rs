//! Keys of a values file, against those of the chart.

use cilium::values::ChartError;
use semver::Version;

use crate::chart::{self, Keys, Removed};
use crate::document::{Entry, Node, Shape};
use crate::rules::nearest;
use crate::settings::Settings;
use crate::{Finding, Origin, Place, rules};

/// Reports every key of `document` that the chart of `version` does not have.
pub(crate) fn chart_keys(document: &Node, version: &Version, top: &Place, findings: &mut Vec<Finding>) {
    let Ok(chart) = chart::chart(version) else { return };
    let look = Look { version, top, root: &chart.keys, chart: &chart.version };
    look.map(document, &chart.keys, "", findings);
    // Cilium as a part of another chart: everything lies one level deeper.
    let known = document.entries().iter().any(|entry| chart.keys.has(&entry.key));
    if let (false, Some(inner)) = (known, document.entry("cilium")) {
        findings.retain(|finding| finding.code != rules::UNKNOWN_KEY.code);
        let place = look.place(inner, "cilium".to_owned());
        findings.push(
            Finding::new(
                &rules::UNKNOWN_KEY,
                place,
                "these look like values of a chart that has Cilium's as a part of it",
            )
            .help("give the part under `cilium:` a file of its own, and look at that"),
        );
    }
}

struct Look<'a> {
    version: &'a Version,
    top: &'a Place,
    root: &'a Keys,
    chart: &'a str,
}

impl Look<'_> {
    fn place(&self, entry: &Entry, path: String) -> Place {
        Place { line: entry.line, column: entry.column, path, ..self.top.clone() }
    }

    fn map(&self, node: &Node, keys: &Keys, prefix: &str, findings: &mut Vec<Finding>) {
        for entry in node.entries() {
            let path = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
            // `null` takes a default away; of a key that does not exist there is none.
            if matches!(entry.node.value, Shape::Null) {
                continue;
            }
            if let Some(removed) = chart::removed(&path, self.version) {
                findings.push(self.removed(entry, path, removed));
                continue;
            }
            match keys.0.get(&entry.key) {
                Some(Some(inner)) if !inner.0.is_empty() => self.map(&entry.node, inner, &path, findings),
                Some(_) => {}
                None if self.leads_to_removed(&path) => {
                    self.map(&entry.node, &Keys(std::collections::BTreeMap::new()), &path, findings);
                }
                None if prefix.is_empty() && is_for_merging(entry) => {}
                None => findings.push(self.unknown(entry, path, keys)),
            }
        }
    }

    /// Whether something beneath the path is known to have been removed.
    fn leads_to_removed(&self, path: &str) -> bool {
        let beneath = format!("{path}.");
        chart::all_removed().iter().any(|removed| removed.key.starts_with(&beneath))
    }

    fn removed(&self, entry: &Entry, path: String, removed: &Removed) -> Finding {
        let what = if removed.is_refused(self.version) {
            format!("the chart of {} refuses to render ({})", self.chart, removed.source)
        } else {
            format!("the chart of {} ignores it without a word", self.chart)
        };
        let message = format!("`{path}` is gone since {}: {what}", removed.since);
        let help = match &removed.instead {
            Some(instead) => format!("write `{instead}`"),
            None => "remove it; nothing took its place".to_owned(),
        };
        Finding::new(&rules::REMOVED_KEY, self.place(entry, path), message).help(help)
    }

    fn unknown(&self, entry: &Entry, path: String, keys: &Keys) -> Finding {
        let message = format!("the chart of {} has no value `{path}`: it is ignored without a word", self.chart);
        let parent = path.rsplit_once('.').map(|(parent, _)| parent.to_owned());
        // Where it stands first; then the same word in another place.
        let beside = nearest(&entry.key, keys.0.keys().map(String::as_str)).map(|near| match &parent {
            Some(parent) => format!("{parent}.{near}"),
            None => near.to_owned(),
        });
        let elsewhere = self.root.paths_to(&entry.key).into_iter().next();
        let meant = match (&beside, &elsewhere) {
            (Some(beside), Some(elsewhere)) if last(beside).eq_ignore_ascii_case(last(elsewhere)) => Some(beside),
            (_, Some(elsewhere)) if entry.key.len() > 6 => Some(elsewhere),
            (Some(beside), _) => Some(beside),
            (None, elsewhere) => elsewhere.as_ref(),
        };
        let help = meant.map_or_else(|| "remove it".to_owned(), |meant| format!("write `{meant}`"));
        Finding::new(&rules::UNKNOWN_KEY, self.place(entry, path), message).help(help)
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// A part of the file that is there to be merged elsewhere: `defaults: &defaults`, `_ipam`, `x-ipam`, `.ipam`.
fn is_for_merging(entry: &Entry) -> bool {
    entry.anchored || entry.key.starts_with(['_', '.']) || entry.key.starts_with("x-")
}

/// What the chart refuses, in its own words, at the value that it is about.
pub(crate) fn chart_refuses(settings: &Settings, error: &ChartError) -> Vec<Finding> {
    let document = match &settings.origin {
        Origin::Values { document, .. } => Some(document),
        Origin::Scenario { own, .. } => own.as_ref(),
        _ => None,
    };
    let place = |path: &str| {
        let node = document.and_then(|document| document.at(path));
        node.map_or_else(
            || Place { path: path.to_owned(), ..settings.top.clone() },
            |node| Place { line: node.line, column: node.column, path: path.to_owned(), ..settings.top.clone() },
        )
    };
    match error {
        ChartError::Schema(problems) => problems
            .iter()
            .map(|problem| {
                // `- at '/ipam/mode': got number, want string`
                let path = problem.split('\'').nth(1).unwrap_or_default().trim_start_matches('/').replace('/', ".");
                let what = problem.split("': ").nth(1).unwrap_or(problem);
                let message = format!("the chart refuses `{path}`: {what}");
                Finding::new(&rules::CHART_REFUSES, place(&path), message)
            })
            .collect(),
        // The removed keys have a rule of their own, which names what to write.
        ChartError::Failed { message, .. } if message.contains(" removed, use ") => Vec::new(),
        ChartError::Failed { template, message } => {
            const ABOUT: [(&str, &str); 4] = [
                ("kubeProxyReplacement", "kubeProxyReplacement"),
                ("ipv4NativeRoutingCIDR", "ipv4NativeRoutingCIDR"),
                ("Hubble Relay", "hubble.relay.enabled"),
                ("cluster name", "cluster.name"),
            ];
            let path = ABOUT.iter().find(|(words, _)| message.contains(words)).map_or("", |(_, path)| path);
            let message = format!("the chart refuses to render: \"{}\" ({template})", message.trim());
            vec![Finding::new(&rules::CHART_REFUSES, place(path), message)]
        }
    }
}
