//! The answer of a check.

use events::Mismatch;
use scenario::model::{NodeRef, Quantity};

/// The answer of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether it holds.
    pub(crate) held: bool,
    /// How many objects were looked at. Zero never holds.
    pub(crate) subjects: usize,
    /// Where it does not.
    pub(crate) mismatches: Vec<Mismatch>,
}

/// One object that was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// `CiliumNode/worker2`.
    pub(crate) object: String,
    /// `status.ipam.operator-status.error`.
    pub(crate) field: String,
    /// What a match is.
    pub(crate) expected: String,
    /// What is there.
    pub(crate) observed: String,
    /// Whether it is a match.
    pub(crate) matches: bool,
}

impl Subject {
    fn mismatch(&self, expected: String) -> Mismatch {
        Mismatch {
            object: self.object.clone(),
            field: self.field.clone(),
            expected,
            observed: self.observed.clone(),
            since_ms: None,
        }
    }
}

impl Verdict {
    /// Counts matches against a quantity. `what` names the subjects, for the case that there are none.
    pub(crate) fn quantify(quantity: Quantity, what: &str, subjects: &[Subject]) -> Self {
        if subjects.is_empty() {
            return Self::nothing(what);
        }
        let matching = subjects.iter().filter(|s| s.matches).count();
        let held = match quantity {
            Quantity::Every => matching == subjects.len(),
            Quantity::Some => matching > 0,
            Quantity::None => matching == 0,
            Quantity::Exactly(n) => matching == n,
        };
        let mut mismatches = Vec::new();
        if !held {
            let all = subjects.len();
            mismatches = match quantity {
                Quantity::Every => {
                    subjects.iter().filter(|s| !s.matches).map(|s| s.mismatch(s.expected.clone())).collect()
                }
                Quantity::None => {
                    subjects.iter().filter(|s| s.matches).map(|s| s.mismatch(format!("not {}", s.expected))).collect()
                }
                Quantity::Some => {
                    subjects.iter().map(|s| s.mismatch(format!("{} (on at least one of {all})", s.expected))).collect()
                }
                Quantity::Exactly(n) => subjects
                    .iter()
                    .map(|s| {
                        let verb = if s.matches { "matches" } else { "does not match" };
                        s.mismatch(format!("{} (on exactly {n} of {all}; this one {verb})", s.expected))
                    })
                    .collect(),
            };
        }
        Self { held, subjects: subjects.len(), mismatches }
    }

    /// No object to look at: nothing passes for lack of subjects.
    pub(crate) fn nothing(what: &str) -> Self {
        let mismatch = Mismatch {
            object: what.to_owned(),
            field: "objects to look at".to_owned(),
            expected: "at least one".to_owned(),
            observed: "none".to_owned(),
            since_ms: None,
        };
        Self { held: false, subjects: 0, mismatches: vec![mismatch] }
    }

    /// The scenario names a node that is not there now.
    pub(crate) fn no_node(role: NodeRef, nodes: usize) -> Self {
        let mismatch = Mismatch {
            object: format!("Node/{role}"),
            field: "presence".to_owned(),
            expected: "a node of that role".to_owned(),
            observed: format!("none among {nodes} nodes"),
            since_ms: None,
        };
        Self { held: false, subjects: 0, mismatches: vec![mismatch] }
    }
}
