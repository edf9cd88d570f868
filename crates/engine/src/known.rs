//! Known bugs: what a scenario's `xfail` marks make of how it ended. Pure.

use events::{Failure, FailureClass};
use regex::Regex;
use scenario::model::Xfail;
use semver::Version;

use crate::plan::Plan;

/// The marks that are for a plan's version.
pub(crate) struct Known<'a> {
    path: &'a str,
    version: &'a Version,
    marks: Vec<&'a Xfail>,
}

/// What a pass is, where a known bug should have shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Xpass {
    /// Told, and no more.
    Tolerated(String),
    /// The mark is out of date.
    Red { failure: Box<Failure>, reason: String },
}

impl<'a> Known<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let marks = plan.scenario.xfail.iter().filter(|mark| mark.versions.contains(&plan.version)).collect();
        Self { path: plan.scenario.source.path.as_str(), version: &plan.version, marks }
    }

    /// Every check held: what that is, if a bug should have shown. One bug that always shows is enough to make it red.
    pub(crate) fn passed(&self, defer: bool) -> Option<Xpass> {
        let steady = self.marks.iter().find(|mark| !mark.intermittent);
        let mark = steady.or(self.marks.first())?;
        let what = format!("passed, though {} makes it fail on Cilium {}", mark.issue, self.version);
        if mark.intermittent {
            return Some(Xpass::Tolerated(format!("{what} now and then ({})", mark.reason)));
        }
        let reason = format!("{what} ({})", mark.reason);
        if defer {
            return Some(Xpass::Tolerated(format!("{reason}; deferred by --defer-xpass")));
        }
        let message = format!("{what}: if the bug is gone, narrow the mark's `versions` or remove it");
        let location = Some(format!("{}:{}", self.path, mark.line));
        let failure = Failure { location, ..Failure::new(FailureClass::Unexpected, message) };
        // The message has said the rest.
        Some(Xpass::Red { failure: Box::new(failure), reason: mark.reason.clone() })
    }

    /// It failed: marks the failure as the known bug's if it is the one on record, and answers what there is to say. Only what speaks about
    /// Cilium can be a known bug: an error of the machine beneath or a stop never is.
    pub(crate) fn failed(&self, failure: &mut Failure) -> Option<String> {
        if failure.class != FailureClass::Product || self.marks.is_empty() {
            return None;
        }
        let text = failure.text();
        let fits = |mark: &&&Xfail| Regex::new(&mark.pattern).is_ok_and(|pattern| pattern.is_match(&text));
        if let Some(mark) = self.marks.iter().find(fits) {
            let known = format!("{}: {}", mark.issue, mark.reason);
            failure.known = Some(known.clone());
            return Some(format!("known bug {known}"));
        }
        let marks = self.marks.iter().map(|mark| format!("{} (`{}`)", mark.issue, mark.pattern));
        Some(format!("not the failure that is on record for {}", marks.collect::<Vec<_>>().join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use camino::Utf8Path;
    use events::{ClusterKind, Outcome};
    use rstest::rstest;

    use super::*;

    fn plan(marks: &str, version: Version) -> Plan {
        let text = format!("name: t\nsummary: A known bug.\nxfail: {marks}\nsteps:\n  - backup: cilium-config\n");
        let (scenario, problems) = scenario::parse(Utf8Path::new("t.yaml"), text.as_bytes());
        let scenario = Arc::new(scenario.unwrap_or_else(|| panic!("{problems:?}")));
        crate::plan(&scenario, &version, ClusterKind::Sim, 1.0).expect("a plan")
    }

    const BUG: &str = "{issue: a/b#1, reason: it empties, versions: '>=1.20', match: 'observed \\[\\]'}";
    const SHAKY: &str = "{issue: a/b#2, reason: a race, versions: '*', match: lost, intermittent: true}";
    const NEW: Version = Version::new(1, 20, 2);
    const OLD: Version = Version::new(1, 19, 1);

    fn failure(class: FailureClass, message: &str) -> Failure {
        Failure::new(class, message)
    }

    #[rstest]
    #[case::as_recorded(BUG, NEW, FailureClass::Product, "observed []", Outcome::Xfailed)]
    #[case::another_failure(BUG, NEW, FailureClass::Product, "allocator full", Outcome::Failed)]
    #[case::another_version(BUG, OLD, FailureClass::Product, "observed []", Outcome::Failed)]
    #[case::infrastructure(BUG, NEW, FailureClass::Infrastructure, "observed []", Outcome::Error)]
    #[case::input(BUG, NEW, FailureClass::Input, "observed []", Outcome::Error)]
    #[case::stopped(BUG, NEW, FailureClass::Interrupted, "observed []", Outcome::Interrupted)]
    #[case::intermittent(SHAKY, OLD, FailureClass::Product, "a pod was lost", Outcome::Xfailed)]
    fn a_failure_is_the_known_one_only_if_it_is_on_record(
        #[case] marks: &str,
        #[case] version: Version,
        #[case] class: FailureClass,
        #[case] message: &str,
        #[case] outcome: Outcome,
    ) {
        let plan = plan(marks, version);
        let mut failure = failure(class, message);
        let why = Known::new(&plan).failed(&mut failure);
        assert_eq!(failure.outcome(), outcome, "{why:?}");
        assert_eq!(why.is_some_and(|why| why.starts_with("known bug a/b#")), outcome == Outcome::Xfailed);
    }

    #[test]
    fn another_failure_says_what_was_on_record() {
        let plan = plan(BUG, NEW);
        let why = Known::new(&plan).failed(&mut failure(FailureClass::Product, "x")).expect("a reason");
        assert_eq!(why, "not the failure that is on record for a/b#1 (`observed \\[\\]`)");
    }

    #[test]
    fn a_pass_is_red_unless_the_bug_is_intermittent_or_deferred() {
        let of = |marks: &str, version, defer| Known::new(&plan(marks, version)).passed(defer);
        assert_eq!(of(BUG, OLD, false), None);
        let Some(Xpass::Red { failure, reason }) = of(BUG, NEW, false) else { panic!("red") };
        assert_eq!((failure.outcome(), reason.as_str()), (Outcome::Xpassed, "it empties"));
        assert_eq!(failure.location.as_deref(), Some("t.yaml:3"));
        assert!(
            matches!(of(BUG, NEW, true), Some(Xpass::Tolerated(why)) if why.ends_with("deferred by --defer-xpass"))
        );
        assert!(matches!(of(SHAKY, NEW, false), Some(Xpass::Tolerated(_))));
        // Of several, one that always shows decides.
        assert!(matches!(of(&format!("[{SHAKY}, {BUG}]"), NEW, false), Some(Xpass::Red { .. })));
        assert!(matches!(of(&format!("[{SHAKY}, {BUG}]"), OLD, false), Some(Xpass::Tolerated(_))));
    }

    #[test]
    fn the_bug_that_shows_is_named() {
        let plan = plan(&format!("[{SHAKY}, {BUG}]"), NEW);
        let mut failure = failure(FailureClass::Product, "observed []");
        Known::new(&plan).failed(&mut failure);
        assert_eq!(failure.known.as_deref(), Some("a/b#1: it empties"));
    }
}
