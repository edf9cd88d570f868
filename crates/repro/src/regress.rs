//! What a run of a regression says of an issue: reproduced or not, version by version.

use events::Outcome;
use scenario::Scenario;
use semver::Version;

use crate::Issue;

/// What one run says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reproduction {
    /// It failed in the way that is on record for this version.
    Reproduced,
    /// It passed, and the version is not among the affected ones.
    Absent,
    /// It passed, although the version is among the affected ones: fixed, or never there.
    Missing,
    /// The same, where the bug shows only now and then.
    Intermittent,
    /// It passed, and its file has no `xfail`: its own expectations say what each version does.
    AsWritten,
    /// It failed in another way.
    Otherwise,
    /// The machine got in the way, or it was stopped: nothing is said.
    Nothing,
    /// It is not for this version or kind of cluster.
    NotFor,
}

impl Reproduction {
    /// From how a scenario ended.
    pub fn of(scenario: &Scenario, version: &Version, outcome: Outcome) -> Self {
        let affected = scenario.xfail.iter().any(|mark| mark.versions.contains(version));
        match outcome {
            Outcome::Xfailed => Self::Reproduced,
            Outcome::Xpassed => Self::Missing,
            Outcome::Tolerated => Self::Intermittent,
            Outcome::Passed if scenario.xfail.is_empty() => Self::AsWritten,
            Outcome::Passed if affected => Self::Missing,
            Outcome::Passed => Self::Absent,
            Outcome::Failed => Self::Otherwise,
            Outcome::Error | Outcome::Interrupted => Self::Nothing,
            Outcome::Skipped => Self::NotFor,
        }
    }

    /// In words: `reproduced on 1.20.2`.
    pub fn on(self, version: &Version) -> String {
        match self {
            Self::Reproduced => format!("reproduced on {version}"),
            Self::Absent => format!("not reproduced on {version}"),
            Self::Missing => format!("not reproduced on {version}, which its file calls affected"),
            Self::Intermittent => format!("not reproduced on {version} this time; it shows only now and then"),
            Self::AsWritten => {
                format!("as its file says on {version}; it has no xfail that would say what reproduced means")
            }
            Self::Otherwise => format!("fails on {version}, but not in the way that is on record"),
            Self::Nothing => format!("no verdict on {version}: the machine got in the way"),
            Self::NotFor => format!("not for {version}"),
        }
    }

    /// Whether it is what the file says.
    pub fn is_known(self) -> bool {
        matches!(self, Self::Reproduced | Self::Absent | Self::Intermittent | Self::AsWritten | Self::NotFor)
    }
}

/// Whether a scenario is a regression's: it lies in `regressions`, or has a known bug.
pub fn is_regression(scenario: &Scenario) -> bool {
    !scenario.xfail.is_empty() || scenario.source.path.components().any(|part| part.as_str() == "regressions")
}

/// The issues that a scenario is about.
pub fn issues(scenario: &Scenario) -> Vec<Issue> {
    let named =
        scenario.xfail.iter().map(|mark| mark.issue.as_str()).chain(scenario.references.iter().map(String::as_str));
    let mut issues: Vec<Issue> = Vec::new();
    for issue in named.filter_map(|text| Issue::parse(text).ok()) {
        if !issues.contains(&issue) {
            issues.push(issue);
        }
    }
    issues
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use rstest::rstest;

    use super::*;

    fn scenario(xfail: &str) -> Scenario {
        let text = format!(
            "name: r\nsummary: A known bug.\nreferences: [cilium/cilium#1, \"https://docs.cilium.io/\"]\n{xfail}steps:\n  - backup: cilium-config\n"
        );
        let (scenario, problems) = scenario::parse(Utf8Path::new("scenarios/regressions/r.yaml"), text.as_bytes());
        scenario.unwrap_or_else(|| panic!("{problems:?}"))
    }

    #[rstest]
    #[case("1.20.2", Outcome::Xfailed, Reproduction::Reproduced, true)]
    #[case("1.18.4", Outcome::Passed, Reproduction::Absent, true)]
    #[case("1.20.2", Outcome::Xpassed, Reproduction::Missing, false)]
    #[case("1.20.2", Outcome::Tolerated, Reproduction::Intermittent, true)]
    #[case("1.20.2", Outcome::Failed, Reproduction::Otherwise, false)]
    #[case("1.20.2", Outcome::Error, Reproduction::Nothing, false)]
    #[case("1.20.2", Outcome::Skipped, Reproduction::NotFor, true)]
    fn verdicts(#[case] version: &str, #[case] outcome: Outcome, #[case] expected: Reproduction, #[case] known: bool) {
        let scenario = scenario("xfail: {issue: cilium/cilium#44832, reason: r, versions: \">=1.20\", match: m}\n");
        let got = Reproduction::of(&scenario, &version.parse().unwrap(), outcome);
        assert_eq!((got, got.is_known()), (expected, known));
    }

    #[test]
    fn a_pass_without_a_mark_says_only_that() {
        let got = Reproduction::of(&scenario(""), &"1.20.2".parse().unwrap(), Outcome::Passed);
        assert!(got.on(&"1.20.2".parse().unwrap()).contains("no xfail"), "{got:?}");
    }

    #[test]
    fn issues_of_marks_come_first() {
        let scenario = scenario(
            "xfail: {issue: \"https://github.com/cilium/cilium/issues/44832\", reason: r, versions: \">=1.20\", match: m}\n",
        );
        let issues: Vec<String> = issues(&scenario).iter().map(ToString::to_string).collect();
        assert_eq!(issues, ["cilium/cilium#44832", "cilium/cilium#1"]);
        assert!(is_regression(&scenario));
    }
}
