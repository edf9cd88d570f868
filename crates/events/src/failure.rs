//! Why a scenario did not pass, in the parts that a reader needs.

use serde::{Deserialize, Serialize};

use crate::Violation;

/// What a failure speaks about. The classes never mix: an API error is not a mismatch, and neither is a bug of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureClass {
    /// Observed and expected differ.
    Product,
    /// Docker, kind, helm, the API server, the network, a timeout of an action.
    Infrastructure,
    /// The scenario asks for something that is not there (a node, a workload).
    Input,
    /// Stopped by the user.
    Interrupted,
    /// Everything was as expected, though a known bug should have made a check fail.
    Unexpected,
}

/// One difference between what was expected and what was observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// `CiliumNode/worker2`, `Pod/alpine/alpine-abc`.
    pub object: String,
    /// The field or the property: `status.ipam.operator-status.error`.
    pub field: String,
    /// What the scenario asks for.
    pub expected: String,
    /// What is there.
    pub observed: String,
    /// Milliseconds of the run's clock since which the observed value is as it is, where known.
    pub since_ms: Option<u64>,
}

/// One change in an object's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Milliseconds of the run's clock.
    pub at_ms: u64,
    /// `CiliumNode/worker2`.
    pub object: String,
    /// resourceVersion after the change.
    pub version: String,
    /// `spec.ipam.podCIDRs: [10.0.0.0/24] -> [10.224.1.0/24]`; several fields are separated by `; `.
    pub what: String,
}

/// Why a scenario did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What the failure speaks about.
    pub class: FailureClass,
    /// One sentence: the operation, the object and the cause.
    pub message: String,
    /// Index of the step, from 0, where it happened in one.
    pub step: Option<usize>,
    /// `scenarios/x.yaml:31`.
    pub location: Option<String>,
    /// The invariant that was violated, if that is what the failure speaks about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violation: Option<Violation>,
    /// Expected and observed, per field and object.
    pub mismatches: Vec<Mismatch>,
    /// The last changes of the objects in question, oldest first.
    pub history: Vec<Change>,
    /// Causes beneath the message, outermost first.
    pub causes: Vec<String>,
    /// The last API or watch error seen, if any, with when.
    pub last_api_error: Option<String>,
    /// Commands to look further.
    pub next: Vec<String>,
    /// The known bug whose recorded failure this is: `cilium/cilium#44832: an IPv4-only duplicate empties podCIDRs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
}

impl Failure {
    /// A failure of which no more than this is known.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            step: None,
            location: None,
            violation: None,
            mismatches: Vec::new(),
            history: Vec::new(),
            causes: Vec::new(),
            last_api_error: None,
            next: Vec::new(),
            known: None,
        }
    }

    /// What a known bug's `match` is looked for in: the message, then a line for each difference, then the causes.
    pub fn text(&self) -> String {
        let differs =
            |m: &Mismatch| format!("{} {}: expected {}, observed {}", m.object, m.field, m.expected, m.observed);
        let lines = std::iter::once(self.message.clone()).chain(self.mismatches.iter().map(differs));
        lines.chain(self.causes.iter().cloned()).collect::<Vec<_>>().join("\n")
    }

    /// How a scenario ends that this failure decides.
    pub fn outcome(&self) -> crate::Outcome {
        match self.class {
            FailureClass::Product if self.known.is_some() => crate::Outcome::Xfailed,
            FailureClass::Product => crate::Outcome::Failed,
            FailureClass::Infrastructure | FailureClass::Input => crate::Outcome::Error,
            FailureClass::Interrupted => crate::Outcome::Interrupted,
            FailureClass::Unexpected => crate::Outcome::Xpassed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    fn failure(class: FailureClass, known: bool) -> Failure {
        Failure {
            mismatches: vec![Mismatch {
                object: "CiliumNode/worker".to_owned(),
                field: "spec.ipam.podCIDRs".to_owned(),
                expected: "unchanged since start".to_owned(),
                observed: "[]".to_owned(),
                since_ms: None,
            }],
            causes: vec!["a cause".to_owned()],
            last_api_error: Some("not part of it".to_owned()),
            known: known.then(|| "a/b#1: why".to_owned()),
            ..Failure::new(class, "podCIDRs of ciliumNode")
        }
    }

    #[test]
    fn only_a_product_failure_can_be_a_known_bug() {
        for (class, outcome) in [
            (FailureClass::Product, Outcome::Xfailed),
            (FailureClass::Infrastructure, Outcome::Error),
            (FailureClass::Input, Outcome::Error),
            (FailureClass::Interrupted, Outcome::Interrupted),
            (FailureClass::Unexpected, Outcome::Xpassed),
        ] {
            assert_eq!(failure(class, true).outcome(), outcome);
        }
        assert_eq!(failure(FailureClass::Product, false).outcome(), Outcome::Failed);
    }

    #[test]
    fn its_text_has_what_a_reader_sees_of_the_difference() {
        assert_eq!(
            failure(FailureClass::Product, false).text(),
            "podCIDRs of ciliumNode\nCiliumNode/worker spec.ipam.podCIDRs: expected unchanged since start, observed []\na cause"
        );
    }
}
