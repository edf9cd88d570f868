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
    /// What makes it hold: what a reader is shown where it must never be so.
    pub(crate) witnesses: Vec<Mismatch>,
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
    /// Whether it is a match. None where that cannot be told: the object, or what it is measured by, is not there.
    pub(crate) matches: Option<bool>,
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
    /// Counts matches against a quantity. `what` names the subjects, for the case that there are none. A subject of which it cannot be
    /// told whether it matches is no match, and no proof of the absence of one either.
    pub(crate) fn quantify(quantity: Quantity, what: &str, subjects: &[Subject]) -> Self {
        if subjects.is_empty() {
            return Self::nothing(what);
        }
        let matching = subjects.iter().filter(|s| s.matches == Some(true)).count();
        let all_known = subjects.iter().all(|s| s.matches.is_some());
        let held = match quantity {
            Quantity::Every => matching == subjects.len(),
            Quantity::Some => matching > 0,
            Quantity::None => matching == 0 && all_known,
            Quantity::Exactly(n) => matching == n && all_known,
        };
        let mut mismatches = Vec::new();
        let mut witnesses = Vec::new();
        if held {
            let counted = subjects.iter().filter(|s| quantity == Quantity::None || s.matches == Some(true));
            witnesses = counted
                .map(|s| match s.matches {
                    Some(true) => s.mismatch(format!("never {}", s.expected)),
                    _ => s.mismatch(format!("never anything but {}", s.expected)),
                })
                .collect();
        } else {
            let all = subjects.len();
            mismatches = match quantity {
                Quantity::Every => subjects
                    .iter()
                    .filter(|s| s.matches != Some(true))
                    .map(|s| s.mismatch(s.expected.clone()))
                    .collect(),
                Quantity::None => subjects
                    .iter()
                    .filter(|s| s.matches != Some(false))
                    .map(|s| s.mismatch(format!("not {}", s.expected)))
                    .collect(),
                Quantity::Some => {
                    subjects.iter().map(|s| s.mismatch(format!("{} (on at least one of {all})", s.expected))).collect()
                }
                Quantity::Exactly(n) => subjects
                    .iter()
                    .map(|s| {
                        let verb = match s.matches {
                            Some(true) => "matches",
                            Some(false) => "does not match",
                            None => "cannot be told",
                        };
                        s.mismatch(format!("{} (on exactly {n} of {all}; this one {verb})", s.expected))
                    })
                    .collect(),
            };
        }
        Self { held, subjects: subjects.len(), mismatches, witnesses }
    }

    /// All checks of an `expect` together.
    pub(crate) fn all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self { held: true, subjects: 0, mismatches: Vec::new(), witnesses: Vec::new() };
        for one in verdicts {
            all.held &= one.held;
            all.subjects += one.subjects;
            all.mismatches.extend(one.mismatches);
            all.witnesses.extend(one.witnesses);
        }
        all
    }

    /// The same as the reason of a failure: what is not as it must be, or what is and must never be.
    pub(crate) fn against(self) -> Self {
        if self.held { Self { mismatches: self.witnesses, witnesses: Vec::new(), ..self } } else { self }
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
        Self { held: false, subjects: 0, mismatches: vec![mismatch], witnesses: Vec::new() }
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
        Self { held: false, subjects: 0, mismatches: vec![mismatch], witnesses: Vec::new() }
    }
}

/// How many objects each check of an `expect` has looked at, at the most. A check that never had any would make `never` pass for
/// want of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Looked(Vec<usize>);

impl Looked {
    /// Counts one more look.
    pub(crate) fn add(&mut self, verdicts: &[Verdict]) {
        self.0.resize(verdicts.len(), 0);
        for (most, verdict) in self.0.iter_mut().zip(verdicts) {
            *most = verdict.subjects.max(*most);
        }
    }

    /// How many all checks looked at together; none if one of them had nothing.
    pub(crate) fn subjects(&self) -> Option<usize> {
        self.0.iter().all(|most| *most > 0).then(|| self.0.iter().sum()).filter(|sum| *sum > 0)
    }
}

/// Whether all of it is so: what is not so in one part is not so, whatever the parts that cannot be told would be.
pub(super) fn all_of(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            None => all = None,
            Some(true) => {}
        }
    }
    all
}
