//! What runs of one candidate come to.

use serde::{Deserialize, Serialize};

/// What one run said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "camelCase")]
pub enum Verdict {
    /// The scenario passed.
    Good,
    /// It did not, by a check.
    Bad {
        /// What failed, in words that are the same wherever the same fails.
        what: String,
    },
    /// The machine, the cluster or a tool got in the way: nothing is said about the version.
    Infrastructure {
        /// How.
        why: String,
    },
}

/// What all runs of a candidate say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Not run yet.
    Open,
    /// One more run is wanted, and why.
    Again(String),
    /// Passed.
    Good,
    /// Did not pass.
    Bad {
        /// Something to know of it: its runs differ, or it fails in another way than the bad end.
        note: Option<String>,
    },
    /// Cannot be tried here: as `git bisect skip`.
    Skipped {
        /// What got in the way at last.
        why: String,
    },
}

/// How often things are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Further runs where a verdict does not look steady.
    pub(crate) repeat: u32,
    /// Further runs after an infrastructure error.
    pub(crate) retries: u32,
}

/// What is known of the bad end, against which others are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reference<'a> {
    /// How it fails.
    pub(crate) what: Option<&'a str>,
    /// Whether it passed as well at some time: then a pass elsewhere may be luck.
    pub(crate) passes_too: bool,
    /// The verdict that this candidate is expected to have, if it is an end: any other is looked at again.
    pub(crate) expected_good: Option<bool>,
}

/// Judges a candidate by its runs, in order.
pub(crate) fn judge(runs: &[&Verdict], patience: Patience, reference: Reference<'_>) -> Standing {
    let good = runs.iter().filter(|verdict| matches!(verdict, Verdict::Good)).count();
    let bad: Vec<&str> = runs
        .iter()
        .filter_map(|verdict| if let Verdict::Bad { what } = verdict { Some(what.as_str()) } else { None })
        .collect();
    let broken: Vec<&str> = runs
        .iter()
        .filter_map(|verdict| if let Verdict::Infrastructure { why } = verdict { Some(why.as_str()) } else { None })
        .collect();
    let said = good + bad.len();
    let tired = broken.len() > patience.retries as usize;
    let Some(doubt) = doubt(good, &bad, reference) else {
        return match (said, broken.last()) {
            (0, None) => Standing::Open,
            (0, Some(why)) if tired => Standing::Skipped { why: (*why).to_owned() },
            (0, Some(why)) => Standing::Again(format!("infrastructure: {why}")),
            _ if bad.is_empty() => Standing::Good,
            _ => Standing::Bad { note: None },
        };
    };
    if said <= patience.repeat as usize && !tired {
        return Standing::Again(doubt);
    }
    // A bug that shows itself at all is there.
    if bad.is_empty() { Standing::Good } else { Standing::Bad { note: Some(doubt) } }
}

/// Why the verdict so far does not look steady, if so.
fn doubt(good: usize, bad: &[&str], reference: Reference<'_>) -> Option<String> {
    if good > 0 && !bad.is_empty() {
        let all = good + bad.len();
        return Some(format!("unsteady: {} of {all} runs failed", bad.len()));
    }
    match (reference.expected_good, good > 0, bad.first()) {
        (Some(true), false, Some(what)) => return Some(format!("named as good, but it fails: {what}")),
        (Some(false), true, _) => return Some("named as bad, but it passes".to_owned()),
        _ => {}
    }
    if let (Some(known), Some(other)) = (reference.what, bad.iter().find(|what| Some(**what) != reference.what)) {
        return Some(format!("fails in another way than the bad end: {other}; there: {known}"));
    }
    let lucky = reference.passes_too && good > 0 && reference.expected_good.is_none();
    lucky.then(|| "the bad end passes at times, so this pass may be luck".to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// `g`: good, `b`: bad as at the bad end, `o`: bad in another way, `i`: infrastructure.
    fn standing(runs: &str, reference: Reference<'_>) -> String {
        let runs: Vec<Verdict> = runs
            .chars()
            .map(|letter| match letter {
                'g' => Verdict::Good,
                'b' => Verdict::Bad { what: "same".to_owned() },
                'o' => Verdict::Bad { what: "other".to_owned() },
                _ => Verdict::Infrastructure { why: "no image".to_owned() },
            })
            .collect();
        let runs: Vec<&Verdict> = runs.iter().collect();
        match judge(&runs, Patience { repeat: 2, retries: 1 }, reference) {
            Standing::Open => "open".to_owned(),
            Standing::Again(why) => format!("again: {why}"),
            Standing::Good => "good".to_owned(),
            Standing::Bad { note: None } => "bad".to_owned(),
            Standing::Bad { note: Some(note) } => format!("bad, {note}"),
            Standing::Skipped { why } => format!("skipped: {why}"),
        }
    }

    #[rstest]
    #[case("", "open")]
    #[case("g", "good")]
    #[case("b", "bad")]
    #[case("i", "again: infrastructure: no image")]
    #[case("ii", "skipped: no image")]
    #[case("ig", "good")]
    #[case("ib", "bad")]
    #[case("gb", "again: unsteady: 1 of 2 runs failed")]
    #[case("gbg", "bad, unsteady: 1 of 3 runs failed")]
    #[case("o", "again: fails in another way than the bad end: other; there: same")]
    #[case("ooo", "bad, fails in another way than the bad end: other; there: same")]
    #[case("oii", "bad, fails in another way than the bad end: other; there: same")]
    fn in_the_middle(#[case] runs: &str, #[case] expected: &str) {
        assert_eq!(standing(runs, Reference { what: Some("same"), ..Reference::default() }), expected);
    }

    #[rstest]
    #[case(true, "g", "good")]
    #[case(true, "b", "again: named as good, but it fails: same")]
    #[case(true, "bbb", "bad, named as good, but it fails: same")]
    #[case(true, "bg", "again: unsteady: 1 of 2 runs failed")]
    #[case(false, "b", "bad")]
    #[case(false, "g", "again: named as bad, but it passes")]
    #[case(false, "gbg", "bad, unsteady: 1 of 3 runs failed")]
    #[case(false, "ggg", "good")]
    fn at_an_end(#[case] good: bool, #[case] runs: &str, #[case] expected: &str) {
        let reference = Reference { expected_good: Some(good), ..Reference::default() };
        assert_eq!(standing(runs, reference), expected);
    }

    #[rstest]
    #[case("g", "again: the bad end passes at times, so this pass may be luck")]
    #[case("ggg", "good")]
    #[case("b", "bad")]
    fn where_the_bad_end_is_unsteady(#[case] runs: &str, #[case] expected: &str) {
        let reference = Reference { what: Some("same"), passes_too: true, expected_good: None };
        assert_eq!(standing(runs, reference), expected);
    }
}
