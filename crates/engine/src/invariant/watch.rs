//! Invariants over a scenario's life: what is wrong, since when, and when that is certain.

use std::collections::{BTreeMap, BTreeSet};

use events::{Invariant, Violation, Witness};
use scenario::model::Off;
use semver::Version;
use tokio::time::Instant;

use super::{Finding, Rule, Touch, View, rule};
use crate::observe::KindName;

/// A violation that is certain.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub(crate) invariant: Invariant,
    pub(crate) since: Instant,
    pub(crate) at: Instant,
    pub(crate) finding: Finding,
}

struct Judged {
    rule: Rule,
    kinds: Vec<KindName>,
    /// What is wrong with which subject.
    wrong: BTreeMap<String, Wrong>,
    /// Subjects to look at once the watches are up again.
    again: BTreeSet<String>,
}

struct Wrong {
    since: Instant,
    finding: Finding,
    /// It is a violation, and was told as one.
    told: bool,
}

/// All invariants of a scenario.
pub(crate) struct Invariants {
    judged: Vec<Judged>,
    /// Those that are off here, and why.
    off: BTreeMap<Invariant, String>,
    /// The first violation of one that is on.
    broken: Option<Broken>,
    /// Those that are off and were violated.
    told: BTreeSet<Invariant>,
}

impl Invariants {
    /// All of them, for a scenario that switches some off.
    pub(crate) fn new(off: &BTreeMap<Invariant, Off>, version: &Version) -> Self {
        let judged = Invariant::ALL.into_iter().map(rule).map(|rule| Judged {
            kinds: (rule.kinds)(),
            rule,
            wrong: BTreeMap::new(),
            again: BTreeSet::new(),
        });
        let off = off.iter().filter(|(_, off)| off.applies(version));
        Self {
            judged: judged.collect(),
            off: off.map(|(invariant, off)| (*invariant, off.reason.clone())).collect(),
            broken: None,
            told: BTreeSet::new(),
        }
    }

    /// Looks at what an observation has changed. Answers violations of invariants that are off, each once.
    pub(crate) fn look(&mut self, at: Instant, touches: &[Touch<'_>], view: View<'_>) -> Vec<Broken> {
        let mut found = Vec::new();
        for judged in &mut self.judged {
            found.extend(judged.look(at, touches, view));
        }
        let (off, on): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|broken| self.off.contains_key(&broken.invariant));
        if self.broken.is_none() {
            self.broken = on.into_iter().next();
        }
        off.into_iter().filter(|broken| self.told.insert(broken.invariant)).collect()
    }

    /// The first violation of an invariant that is on.
    pub(crate) fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// Why an invariant is off, if it is.
    pub(crate) fn why_off(&self, invariant: Invariant) -> Option<&str> {
        self.off.get(&invariant).map(String::as_str)
    }

    /// Those that are off and were not violated.
    pub(crate) fn needlessly_off(&self) -> impl Iterator<Item = (Invariant, &str)> {
        let off = self.off.iter().filter(|(invariant, _)| !self.told.contains(invariant));
        off.map(|(invariant, reason)| (*invariant, reason.as_str()))
    }

    /// When the next thing that is wrong becomes a violation.
    pub(crate) fn due(&self) -> Option<Instant> {
        let wrong = self.judged.iter().flat_map(|judged| judged.wrong.values()).filter(|wrong| !wrong.told);
        wrong.map(|wrong| wrong.since + wrong.finding.grace).min()
    }

    /// Something that is wrong and no violation yet, in a line.
    pub(crate) fn in_doubt(&self) -> Option<String> {
        self.judged.iter().find_map(|judged| {
            let finding = &judged.wrong.values().find(|wrong| !wrong.told)?.finding;
            let object = finding.seen.first().map_or("", |seen| seen.object.as_str());
            Some(format!("{}: {object}: {} is {}", judged.rule.invariant, finding.field, finding.observed))
        })
    }

    /// The kinds that they depend on.
    pub(crate) fn kinds(&self) -> Vec<KindName> {
        let kinds: BTreeSet<KindName> = self.judged.iter().flat_map(|judged| judged.kinds.clone()).collect();
        kinds.into_iter().collect()
    }
}

impl Judged {
    fn look(&mut self, at: Instant, touches: &[Touch<'_>], view: View<'_>) -> Vec<Broken> {
        let mut subjects: BTreeSet<String> = std::mem::take(&mut self.again);
        subjects.extend(touches.iter().flat_map(|touch| (self.rule.touched)(*touch, view)));
        subjects.extend(self.wrong.keys().cloned());
        if subjects.is_empty() {
            return Vec::new();
        }
        if view.world.stale(&self.kinds).is_some() {
            self.wrong.clear();
            self.again = subjects;
            return Vec::new();
        }
        subjects.into_iter().filter_map(|subject| self.judge(at, &subject, view)).collect()
    }

    fn judge(&mut self, at: Instant, subject: &str, view: View<'_>) -> Option<Broken> {
        let was = self.wrong.remove(subject);
        let is = (self.rule.judge)(subject, view);
        let invariant = self.rule.invariant;
        let certain = |wrong: &Wrong| {
            let lasted = at.saturating_duration_since(wrong.since) >= wrong.finding.grace;
            let broken = || Broken { invariant, since: wrong.since, at, finding: wrong.finding.clone() };
            (lasted && !wrong.told).then(broken)
        };
        let goes_on = |was: &Wrong| is.as_ref().is_some_and(|is| is.under == was.finding.under);
        let (since, told, ended) = match &was {
            Some(was) if goes_on(was) => (was.since, was.told, None),
            // It was so until this moment, which may have been long enough.
            Some(was) => (at, false, certain(was)),
            None => (at, false, None),
        };
        let now = is.map(|finding| Wrong { since, finding, told });
        let broken = ended.or_else(|| now.as_ref().and_then(certain));
        if let Some(now) = now {
            let told = now.told || broken.is_some();
            self.wrong.insert(subject.to_owned(), Wrong { told, ..now });
        }
        broken
    }
}

impl Broken {
    /// For the failure that it is.
    pub(crate) fn violation(&self, ms: impl Fn(Instant) -> u64) -> Violation {
        let witness = |seen: &super::Seen| Witness {
            object: seen.object.clone(),
            version: seen.version.clone(),
            at_ms: ms(seen.at),
            what: seen.what.clone(),
        };
        Violation {
            invariant: self.invariant,
            since_ms: ms(self.since),
            at_ms: ms(self.at),
            witnesses: self.finding.seen.iter().map(witness).collect(),
        }
    }

    /// In a sentence that names the objects, their versions and times.
    pub(crate) fn sentence(&self, ms: impl Fn(Instant) -> u64) -> String {
        let violation = self.violation(ms);
        let witnesses: Vec<String> = violation
            .witnesses
            .iter()
            .map(|one| {
                format!("{} (resourceVersion {}, seen at {} ms): {}", one.object, one.version, one.at_ms, one.what)
            })
            .collect();
        let lasted = violation.at_ms.saturating_sub(violation.since_ms);
        let span = if lasted == 0 { String::new() } else { format!(", and was so for {lasted} ms") };
        format!(
            "invariant {} is violated: {} at {} ms{span}: {}",
            self.invariant,
            self.invariant.statement(),
            violation.at_ms,
            witnesses.join("; ")
        )
    }
}
