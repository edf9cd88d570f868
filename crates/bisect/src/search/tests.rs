//! Searches against a made-up truth.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn search(count: usize, direction: Direction) -> Search {
    let candidates = (0..count).map(|patch| Candidate::release(semver::Version::new(1, 18, patch as u64))).collect();
    Search { candidates, direction, repeat: 2, retries: 1, runs: Vec::new() }
}

fn bad() -> Verdict {
    Verdict::Bad { what: "podCIDRs".to_owned() }
}

fn broken() -> Verdict {
    Verdict::Infrastructure { why: "no image".to_owned() }
}

/// Carries a search out, or at most `limit` runs of it.
fn go(search: &mut Search, limit: usize, mut truth: impl FnMut(usize) -> Verdict) -> Next {
    for _ in 0..limit {
        match search.next() {
            Next::Run { candidate, .. } => {
                let dir = format!("{}", search.runs.len() + 1);
                search.runs.push(Run { candidate, verdict: truth(candidate), dir, took_ms: 1, cluster: None });
            }
            end => return end,
        }
    }
    search.next()
}

fn order(search: &Search) -> Vec<usize> {
    search.runs.iter().map(|run| run.candidate).collect()
}

#[rstest]
#[case(2, 1, &[1, 0], (0, 1))]
#[case(3, 1, &[2, 0, 1], (0, 1))]
#[case(3, 2, &[2, 0, 1], (1, 2))]
#[case(12, 8, &[11, 0, 5, 8, 6, 7], (7, 8))]
fn halves(#[case] count: usize, #[case] first_bad: usize, #[case] runs: &[usize], #[case] found: (usize, usize)) {
    let mut search = search(count, Direction::Break);
    let end = go(&mut search, 100, |at| if at >= first_bad { bad() } else { Verdict::Good });
    assert_eq!(end, Next::Done(Conclusion { before: found.0, after: found.1, skipped: vec![] }));
    assert_eq!(order(&search), runs);
}

#[test]
fn the_first_good_one_is_found_too() {
    let mut search = search(9, Direction::Mend);
    let end = go(&mut search, 100, |at| if at >= 3 { Verdict::Good } else { bad() });
    assert_eq!(end, Next::Done(Conclusion { before: 2, after: 3, skipped: vec![] }));
}

#[rstest]
#[case(Verdict::Good, 8, false, "it passes")]
#[case(bad(), 0, true, "named as good, but it fails: podCIDRs")]
fn ends_that_do_not_differ_are_refused_after_repeats(
    #[case] always: Verdict,
    #[case] candidate: usize,
    #[case] named_good: bool,
    #[case] what: &str,
) {
    let mut search = search(9, Direction::Break);
    let end = go(&mut search, 100, |_| always.clone());
    assert_eq!(end, Next::Refused(Refusal::End { candidate, named_good, what: what.to_owned() }));
    assert_eq!(search.runs.iter().filter(|run| run.candidate == candidate).count(), 3, "once and two repeats");
}

#[test]
fn what_a_reused_cluster_did_is_no_try() {
    let mut search = search(3, Direction::Break);
    search.retries = 0;
    let on = |reused| Some(OnCluster { reused, up_ms: 1 });
    let run = |candidate, verdict, cluster| Run { candidate, verdict, dir: String::new(), took_ms: 1, cluster };
    search.runs = vec![run(2, bad(), on(false)), run(0, Verdict::Good, on(true)), run(1, broken(), on(true))];
    let Next::Run { candidate: 1, why } = search.next() else { panic!("{:?}", search.next()) };
    assert!(!why.may_reuse(), "{why:?}");
    search.runs.push(run(1, broken(), on(false)));
    assert_eq!(search.next(), Next::Done(Conclusion { before: 0, after: 2, skipped: vec![1] }));
}

#[test]
fn an_end_that_cannot_be_tried_is_refused() {
    let mut search = search(9, Direction::Break);
    let end = go(&mut search, 100, |at| if at == 0 { broken() } else { bad() });
    assert_eq!(end, Next::Refused(Refusal::Untried { candidate: 0, why: "no image".to_owned() }));
}

#[test]
fn what_cannot_be_tried_is_named_when_it_may_be_the_first() {
    let mut search = search(7, Direction::Break);
    let end = go(&mut search, 100, |at| match at {
        3 | 4 => broken(),
        0..3 => Verdict::Good,
        _ => bad(),
    });
    assert_eq!(end, Next::Done(Conclusion { before: 2, after: 5, skipped: vec![3, 4] }));
}

#[test]
fn a_kept_search_is_read_again() {
    let mut kept = search(5, Direction::Mend);
    kept.candidates[1].tag = Some("mine".to_owned());
    go(&mut kept, 3, |at| if at > 1 { Verdict::Good } else { bad() });
    let text = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<Search>(&text).unwrap(), kept, "{text}");
    assert!(text.contains(r#""verdict":"bad","what":"podCIDRs""#), "{text}");
}

proptest! {
    /// Whatever cannot be tried, the truth is between what is answered; and no more runs are made than halving needs.
    #[test]
    fn finds_the_truth(
        (count, first) in (2usize..40).prop_flat_map(|count| (Just(count), 1..count)),
        mend in any::<bool>(),
        sick in proptest::collection::vec(any::<bool>(), 40),
    ) {
        let direction = if mend { Direction::Mend } else { Direction::Break };
        let mut search = search(count, direction);
        let tried = |at: usize| at == 0 || at == count - 1 || !sick[at] ;
        let end = go(&mut search, 1000, |at| match (tried(at), (at >= first) != mend) {
            (false, _) => broken(),
            (true, true) => bad(),
            (true, false) => Verdict::Good,
        });
        let Next::Done(found) = end else { panic!("{end:?}") };
        prop_assert!(found.before < first && first <= found.after);
        prop_assert_eq!(&found.skipped, &(found.before + 1..found.after).collect::<Vec<_>>());
        prop_assert!(found.skipped.iter().all(|at| !tried(*at)));
        let said = search.runs.iter().filter(|run| !matches!(run.verdict, Verdict::Infrastructure { .. })).count();
        let none_sick = (0..count).all(tried);
        if none_sick {
            prop_assert!(said <= 2 + (usize::BITS - (count - 2).leading_zeros()) as usize, "{} runs for {}", said, count);
        }
    }

    /// Killed after any run, and read again: the same runs in the same order.
    #[test]
    fn goes_on_where_it_was(
        (count, first) in (2usize..40).prop_flat_map(|count| (Just(count), 1..count)),
        after in 0usize..12,
    ) {
        let truth = |at: usize| if at >= first { bad() } else { Verdict::Good };
        let mut whole = search(count, Direction::Break);
        let end = go(&mut whole, 1000, truth);
        let mut cut = search(count, Direction::Break);
        go(&mut cut, after, truth);
        let text = serde_json::to_string(&cut).unwrap();
        let mut again: Search = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(go(&mut again, 1000, truth), end);
        prop_assert_eq!(order(&again), order(&whole));
    }

    /// An unsteady bug: however luck falls, the search ends, and does not run one candidate more often than it said.
    #[test]
    fn ends_whatever_runs_say(count in 2usize..20, luck in proptest::collection::vec(0u8..4, 200)) {
        let mut search = search(count, Direction::Break);
        let mut luck = luck.into_iter().cycle();
        let end = go(&mut search, 500, |_| match luck.next() {
            Some(0) => Verdict::Good,
            Some(1) => bad(),
            Some(2) => Verdict::Bad { what: "another".to_owned() },
            _ => broken(),
        });
        prop_assert!(!matches!(end, Next::Run { .. }), "{:?}", end);
        for at in 0..count {
            let runs = search.runs.iter().filter(|run| run.candidate == at).count();
            prop_assert!(runs <= 5, "{} runs of {}", runs, at);
        }
    }

    #[test]
    fn what_is_left_shrinks(count in 2usize..40, first in 1usize..40) {
        let first = first.min(count - 1);
        let mut search = search(count, Direction::Break);
        let mut left = search.left();
        while let Next::Run { candidate, .. } = search.next() {
            let verdict = if candidate >= first { bad() } else { Verdict::Good };
            search.runs.push(Run { candidate, verdict, dir: String::new(), took_ms: 0, cluster: None });
            prop_assert!(search.left() < left || left == 0, "{} then {}", left, search.left());
            left = search.left();
        }
        prop_assert_eq!(left, 0);
    }
}
