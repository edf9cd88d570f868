//! A range of versions as a condition of the shell.

use scenario::model::VersionRange;
use semver::{Comparator, Op};

/// Three numbers.
type Point = (u64, u64, u64);

/// From the first on, and below the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interval {
    from: Option<Point>,
    below: Option<Point>,
}

/// `version_in 1.18.0 1.20.0 || version_in 1.20.2 -`.
pub(super) fn condition(range: &VersionRange) -> String {
    let interval = |comparators: &[Comparator]| {
        comparators.iter().map(interval).fold(Interval { from: None, below: None }, |a, b| Interval {
            from: a.from.max(b.from),
            below: [a.below, b.below].into_iter().flatten().min(),
        })
    };
    let text = |point: Option<Point>| point.map_or_else(|| "-".to_owned(), |(a, b, c)| format!("{a}.{b}.{c}"));
    let calls = range.alternatives.iter().map(|requirement| {
        let Interval { from, below } = interval(&requirement.comparators);
        format!("version_in {} {}", text(from), text(below))
    });
    calls.collect::<Vec<_>>().join(" || ")
}

fn interval(comparator: &Comparator) -> Interval {
    let (major, minor, patch) = (comparator.major, comparator.minor, comparator.patch);
    let at = (major, minor.unwrap_or(0), patch.unwrap_or(0));
    // The first version that is no longer what was written, as far as it was written.
    let next = match (minor, patch) {
        (Some(minor), Some(patch)) => (major, minor, patch + 1),
        (Some(minor), None) => (major, minor + 1, 0),
        (None, _) => (major + 1, 0, 0),
    };
    let minor_next = minor.map_or((major + 1, 0, 0), |minor| (major, minor + 1, 0));
    let (from, below) = match comparator.op {
        Op::Exact | Op::Wildcard => (Some(at), Some(next)),
        Op::Greater => (Some(next), None),
        Op::GreaterEq => (Some(at), None),
        Op::Less => (None, Some(at)),
        Op::LessEq => (None, Some(next)),
        Op::Tilde => (Some(at), Some(minor_next)),
        Op::Caret => {
            let below = match (major, minor, patch) {
                (0, Some(0), Some(_)) => next,
                (0, Some(_), _) => minor_next,
                _ => (major + 1, 0, 0),
            };
            (Some(at), Some(below))
        }
        _ => (None, None),
    };
    Interval { from, below }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use semver::Version;

    use super::*;

    #[rstest]
    #[case(">=1.18", "version_in 1.18.0 -")]
    #[case("<1.20", "version_in - 1.20.0")]
    #[case("1.18", "version_in 1.18.0 1.19.0")]
    #[case("1.18.4", "version_in 1.18.4 1.18.5")]
    #[case(">=1.18, <1.20", "version_in 1.18.0 1.20.0")]
    #[case("1.18 || >=1.20.2", "version_in 1.18.0 1.19.0 || version_in 1.20.2 -")]
    #[case(">1.18", "version_in 1.19.0 -")]
    #[case("<=1.19.1", "version_in - 1.19.2")]
    #[case("*", "version_in - -")]
    fn ranges(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(condition(&VersionRange::parse(text).unwrap()), expected);
    }

    /// The condition means what the range means.
    #[rstest]
    fn as_the_range(
        #[values(
            ">=1.18",
            "<1.20",
            "1.18",
            "=1.19.1",
            ">1.18.4",
            "<=1.19",
            "~1.19.1",
            "^1.18.4",
            ">=1.18.4, <1.20.2",
            "1.18 || 1.20.2"
        )]
        range: &str,
        #[values("1.17.9", "1.18.0", "1.18.4", "1.18.5", "1.19.0", "1.19.1", "1.19.2", "1.20.0", "1.20.2", "2.0.0")]
        version: &str,
    ) {
        let range = VersionRange::parse(range).unwrap();
        let version: Version = version.parse().unwrap();
        let point = (version.major, version.minor, version.patch);
        let inside = range.alternatives.iter().any(|requirement| {
            requirement.comparators.iter().map(interval).all(|Interval { from, below }| {
                from.is_none_or(|from| from <= point) && below.is_none_or(|below| point < below)
            })
        });
        assert_eq!(inside, range.contains(&version));
    }
}
