//! From what was asked to the candidates in order.

use crate::{Candidate, Direction};

/// The ends that a user named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    /// Where the scenario passes.
    pub good: Candidate,
    /// Where it does not.
    pub bad: Candidate,
}

/// A search that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Both ends are one.
    #[error("--good and --bad are both {0}: name a version on which the scenario passes, and one on which it does not")]
    Same(Candidate),
    /// An end that is not to be tried.
    #[error("--{end} {candidate} is not in --among: add it where it belongs in that order")]
    NotAmong {
        /// `good` or `bad`.
        end: &'static str,
        /// What it is.
        candidate: Candidate,
    },
    /// An end on which the scenario does not run at all.
    #[error(
        "--{end} {candidate}: the scenario is for Cilium {range} only, so it would be skipped there; the ends must be in that range"
    )]
    Excluded {
        /// `good` or `bad`.
        end: &'static str,
        /// What it is.
        candidate: Candidate,
        /// The scenario's range.
        range: String,
    },
}

/// The candidates from one end to the other, and which way the verdict changes.
///
/// Releases are in the order of their versions. With images of one's own among them, the order is that of the list: only whoever
/// built them knows it.
///
/// # Errors
/// When there is nothing to search.
pub fn plan(
    ends: &Ends,
    among: Vec<Candidate>,
    range: &versions::Range,
) -> Result<(Vec<Candidate>, Direction), PlanError> {
    let Ends { good, bad } = ends;
    if good == bad {
        return Err(PlanError::Same(good.clone()));
    }
    for (end, candidate) in [("good", good), ("bad", bad)] {
        if !range.contains(&candidate.version) {
            let range = range.text.clone();
            return Err(PlanError::Excluded { end, candidate: candidate.clone(), range });
        }
    }
    let mut all = among;
    if all.iter().chain([good, bad]).all(|candidate| candidate.tag.is_none()) {
        for end in [good, bad] {
            if !all.contains(end) {
                all.push(end.clone());
            }
        }
        all.sort_by(|a, b| a.version.cmp(&b.version));
    }
    let at = |end: &'static str, candidate: &Candidate| {
        let position = all.iter().position(|one| one == candidate);
        position.ok_or_else(|| PlanError::NotAmong { end, candidate: candidate.clone() })
    };
    let (good_at, bad_at) = (at("good", good)?, at("bad", bad)?);
    let direction = if good_at < bad_at { Direction::Break } else { Direction::Mend };
    let (first, last) = (good_at.min(bad_at), good_at.max(bad_at));
    let between = all.into_iter().take(last + 1).skip(first);
    // The ends are in the range; what the scenario skips in between says nothing.
    Ok((between.filter(|candidate| range.contains(&candidate.version)).collect(), direction))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn planned(good: &str, bad: &str, among: &str, range: &str) -> Result<(String, Direction), String> {
        let known = versions::known();
        let one = |text: &str| Candidate::one(text, known).unwrap().0;
        let among = Candidate::many(among, known).unwrap();
        let range = versions::Range::parse(range).unwrap();
        let (all, direction) =
            plan(&Ends { good: one(good), bad: one(bad) }, among, &range).map_err(|error| error.to_string())?;
        Ok((all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), direction))
    }

    #[rstest]
    #[case("1.18.4", "1.20.2", "1.20.2,1.19.1,1.18.4", "*", "1.18.4 1.19.1 1.20.2", Direction::Break)]
    #[case("1.20.2", "1.18.4", "1.19.1", "*", "1.18.4 1.19.1 1.20.2", Direction::Mend)]
    #[case("1.19.1", "1.20.0", "*", "*", "1.19.1 1.19.2 1.19.3 1.20.0", Direction::Break)]
    #[case("1.18.6", "1.20.0", "*", "1.18 || 1.20", "1.18.6 1.20.0", Direction::Break)]
    #[case(
        "1.20.1",
        "b@1.20.2",
        "1.20.1,1.20.2,a@1.20.2,b@1.20.2",
        "*",
        "1.20.1 1.20.2 a@1.20.2 b@1.20.2",
        Direction::Break
    )]
    #[case("b@1.20.2", "a@1.20.2", "a@1.20.2,1.20.0,b@1.20.2,1.20.1", "*", "a@1.20.2 1.20.0 b@1.20.2", Direction::Mend)]
    fn order(
        #[case] good: &str,
        #[case] bad: &str,
        #[case] among: &str,
        #[case] range: &str,
        #[case] all: &str,
        #[case] direction: Direction,
    ) {
        assert_eq!(planned(good, bad, among, range), Ok((all.to_owned(), direction)));
    }

    #[rstest]
    #[case("1.18.4", "1.18.4", "*", "*", "--good and --bad are both 1.18.4")]
    #[case("1.18.4", "1.20.2", "*", ">=1.19", "--good 1.18.4: the scenario is for Cilium >=1.19 only")]
    #[case("1.18.4", "1.20.2", "*", "<1.20", "--bad 1.20.2: the scenario is for Cilium <1.20 only")]
    #[case("1.20.1", "a@1.20.2", "1.20.1,1.20.2", "*", "--bad a@1.20.2 is not in --among")]
    fn no_search(#[case] good: &str, #[case] bad: &str, #[case] among: &str, #[case] range: &str, #[case] why: &str) {
        let error = planned(good, bad, among, range).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
