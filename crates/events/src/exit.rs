//! The process's exit codes: part of the command line's contract, so a number never changes its meaning.

use crate::Tally;

/// Every scenario that ran passed, or failed as a known bug makes it.
pub const PASSED: u8 = 0;
/// A check did not hold in at least one scenario, or a scenario passed that a known bug should have made fail.
pub const FAILED: u8 = 1;
/// The input cannot be used: a scenario file, an option, a refused context. No cluster was touched.
pub const BAD_INPUT: u8 = 2;
/// The cluster, a tool or the API got in the way in at least one scenario, and no check failed.
pub const ERROR: u8 = 3;
/// No scenario ran: nothing matched the selection, or all that did was skipped.
pub const NOTHING_SELECTED: u8 = 4;
/// The run was stopped before it was done, and nothing had failed until then (128 + SIGINT, as shells count it).
pub const INTERRUPTED: u8 = 130;

/// Every code with its meaning, for help texts and documents.
pub const ALL: [(u8, &str); 6] = [
    (PASSED, "every scenario that ran passed or xfailed"),
    (FAILED, "a check failed, or an xpass"),
    (BAD_INPUT, "bad input, no cluster was touched"),
    (ERROR, "cluster or tool error"),
    (NOTHING_SELECTED, "nothing selected, or all of it skipped"),
    (INTERRUPTED, "interrupted"),
];

/// The code of a run that came to this.
///
/// A failed check counts for more than an error, since it says something about Cilium; both count for more than being
/// interrupted. A run in which nothing ran does not pass.
pub fn code(tally: &Tally) -> u8 {
    if tally.failed + tally.xpassed > 0 {
        FAILED
    } else if tally.error > 0 {
        ERROR
    } else if tally.interrupted > 0 {
        INTERRUPTED
    } else if tally.passed + tally.xfailed + tally.tolerated == 0 {
        NOTHING_SELECTED
    } else {
        PASSED
    }
}

/// What a code means; none for a number that this tool never returns.
pub fn meaning(code: u8) -> Option<&'static str> {
    ALL.iter().find(|(number, _)| *number == code).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    #[track_caller]
    fn check(outcomes: &[Outcome], expected: u8) {
        let mut tally = Tally::default();
        for outcome in outcomes {
            tally.add(*outcome);
        }
        assert_eq!(code(&tally), expected, "{outcomes:?}");
    }

    #[test]
    fn the_gravest_outcome_decides() {
        use Outcome::{Error, Failed, Interrupted, Passed, Skipped};
        check(&[Passed, Skipped], PASSED);
        check(&[Passed, Interrupted], INTERRUPTED);
        check(&[Passed, Interrupted, Error], ERROR);
        check(&[Skipped, Interrupted, Error, Failed], FAILED);
    }

    #[test]
    fn a_known_bug_is_no_failure_and_one_that_does_not_show_is() {
        use Outcome::{Error, Passed, Tolerated, Xfailed, Xpassed};
        check(&[Xfailed], PASSED);
        check(&[Tolerated, Passed], PASSED);
        check(&[Passed, Xpassed, Error], FAILED);
        check(&[Xfailed, Error], ERROR);
    }

    #[test]
    fn nothing_that_ran_is_not_a_pass() {
        check(&[], NOTHING_SELECTED);
        check(&[Outcome::Skipped, Outcome::Skipped], NOTHING_SELECTED);
    }

    #[test]
    fn every_code_is_listed_once_with_a_meaning() {
        let mut codes: Vec<u8> = ALL.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes, [PASSED, FAILED, BAD_INPUT, ERROR, NOTHING_SELECTED, INTERRUPTED]);
        assert_eq!(meaning(ERROR), Some("cluster or tool error"));
        assert_eq!(meaning(77), None);
    }
}
