//! Why a step did not pass, and what a reader is told of it.

use cluster::ClusterError;
use events::{Change, Failure, FailureClass, Mismatch, Violation};

use crate::observe::{History, KindName, Seen, Version, describe_change};

/// Why a step did not pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// What is there is not what was expected, or a state was not reached in time.
    #[error("{message}")]
    Mismatch { message: String, mismatches: Vec<Mismatch> },
    /// An invariant was violated.
    #[error("{message}")]
    Violated { message: String, violation: Box<Violation>, mismatches: Vec<Mismatch> },
    /// A state was not reached because of the machine beneath: an image that is not there, a node that is not ready, a watch that is down.
    #[error("{message}")]
    Infrastructure { message: String, mismatches: Vec<Mismatch> },
    /// A request was refused or not answered.
    #[error("{operation} {object}: {error}")]
    Api { operation: String, object: String, error: String },
    /// The cluster's provider.
    #[error(transparent)]
    Cluster(Box<ClusterError>),
    /// The scenario asks for something that is not there.
    #[error("{message}")]
    Input { message: String },
    /// The user stopped the run.
    #[error("stopped by the user")]
    Interrupted,
}

impl From<ClusterError> for StepError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

impl StepError {
    /// What it speaks about.
    pub(crate) fn class(&self) -> FailureClass {
        match self {
            Self::Mismatch { .. } | Self::Violated { .. } => FailureClass::Product,
            Self::Infrastructure { .. } | Self::Api { .. } | Self::Cluster(_) => FailureClass::Infrastructure,
            Self::Input { .. } => FailureClass::Input,
            Self::Interrupted => FailureClass::Interrupted,
        }
    }

    /// The line of what was answered that has a text in it.
    pub(crate) fn line_with(&self, text: &str) -> Option<String> {
        let answered = match self {
            Self::Api { error, .. } => error.clone(),
            Self::Cluster(error) => format!("{}\n{}", error.cause, error.output.as_deref().unwrap_or_default()),
            _ => return None,
        };
        answered.lines().find(|line| line.contains(text)).map(|line| line.trim().to_owned())
    }

    fn mismatches(&self) -> &[Mismatch] {
        match self {
            Self::Mismatch { mismatches, .. }
            | Self::Violated { mismatches, .. }
            | Self::Infrastructure { mismatches, .. } => mismatches,
            _ => &[],
        }
    }

    fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Violated { violation, .. } => Some(violation),
            _ => None,
        }
    }

    fn causes(&self) -> Vec<String> {
        match self {
            Self::Cluster(error) => {
                let output = error.output.iter().flat_map(|o| o.lines()).map(str::to_owned);
                let hint = error.hint.iter().map(|hint| format!("hint: {hint}"));
                output.chain(hint).chain([error.leftovers.to_string()]).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// How many of an object's last changes a failure shows.
const LAST_CHANGES: usize = 5;

/// What a failure says beyond its cause.
pub(crate) struct Circumstances<'a> {
    pub(crate) step: Option<usize>,
    pub(crate) location: Option<String>,
    pub(crate) history: &'a History,
    pub(crate) ms: &'a dyn Fn(tokio::time::Instant) -> u64,
    pub(crate) last_api_error: Option<String>,
    pub(crate) next: Vec<String>,
}

/// Puts a failure together.
pub(crate) fn describe(error: &StepError, around: Circumstances<'_>) -> Failure {
    let mut mismatches = error.mismatches().to_vec();
    let mut history = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for mismatch in &mut mismatches {
        let Some((kind, namespace, name)) = object(around.history, &mismatch.object) else { continue };
        let since = since(around.history.of(&kind, namespace, name), &mismatch.field);
        let changes = changes(around.history, &kind, namespace, name, &mismatch.object, around.ms);
        mismatch.since_ms = mismatch.since_ms.or_else(|| since.map(around.ms));
        if seen.insert(mismatch.object.clone()) {
            history.extend(changes.into_iter().rev().take(LAST_CHANGES));
        }
    }
    for witness in error.violation().into_iter().flat_map(|violation| &violation.witnesses) {
        let Some((kind, namespace, name)) = object(around.history, &witness.object) else { continue };
        if seen.insert(witness.object.clone()) {
            let changes = changes(around.history, &kind, namespace, name, &witness.object, around.ms);
            history.extend(changes.into_iter().rev().take(LAST_CHANGES));
        }
    }
    history.sort_by(|a, b| (a.at_ms, &a.object).cmp(&(b.at_ms, &b.object)));
    Failure {
        class: error.class(),
        message: error.to_string(),
        step: around.step,
        location: around.location,
        violation: error.violation().cloned(),
        mismatches,
        history,
        causes: error.causes(),
        last_api_error: around.last_api_error,
        next: around.next,
        known: None,
    }
}

/// `CiliumNode/worker2` or `Pod/alpine/alpine-abc` as kind, namespace and name. An `Agent/worker2` is told by its CiliumNode.
fn object<'a>(history: &History, text: &'a str) -> Option<(KindName, &'a str, &'a str)> {
    let mut parts = text.splitn(3, '/');
    let (kind, a, b) = (parts.next()?, parts.next()?, parts.next());
    let (namespace, name) = b.map_or(("", a), |b| (a, b));
    let kind = if kind == "Agent" { "CiliumNode" } else { kind };
    let kind = history.kinds().find(|known| known.kind == kind)?;
    Some((kind.clone(), namespace, name))
}

/// Since when a field has the value that it has now: a change of another field does not count. None where the field is not one of the
/// object's own (`running agent`, a CEL expression).
fn since(versions: &[Version], field: &str) -> Option<tokio::time::Instant> {
    const FIELDS: [&str; 5] =
        ["status.ipam.operator-status.error", "spec.ipam.podCIDRs", "spec.podCIDRs", "spec.taints", "status.podIPs"];
    let now = versions.last()?;
    if now.seen == Seen::Deleted {
        return Some(now.at);
    }
    let path = match field.split_once('.') {
        // A key may have dots of its own.
        Some(("data", key)) => vec!["data", key],
        _ if FIELDS.contains(&field) => field.split('.').collect(),
        _ => return None,
    };
    let value = |version: &Version| {
        let found = path.iter().try_fold(&*version.object, |value, part| value.get(part));
        // An error that is empty is none.
        found.filter(|value| value.as_str() != Some("")).cloned()
    };
    let is = value(now);
    let same = versions.iter().rev().take_while(|version| version.seen != Seen::Deleted && value(version) == is);
    same.last().map(|version| version.at)
}

fn changes(
    history: &History,
    kind: &KindName,
    namespace: &str,
    name: &str,
    object: &str,
    ms: &dyn Fn(tokio::time::Instant) -> u64,
) -> Vec<Change> {
    let mut before = None;
    let mut changes = Vec::new();
    for version in history.of(kind, namespace, name) {
        let what = if version.seen == Seen::Deleted {
            Some("deleted".to_owned())
        } else {
            describe_change(kind, before, &version.object)
        };
        if let Some(what) = what {
            changes.push(Change {
                at_ms: ms(version.at),
                object: object.to_owned(),
                version: version.version().to_owned(),
                what,
            });
        }
        before = (version.seen != Seen::Deleted).then_some(&*version.object);
    }
    changes
}

#[cfg(test)]
mod tests;
