//! Every outcome of Cilium's own allocator, to the letter. See `data/README.md`.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as the test itself may")]

use ipam::Release;
use ipam::history::{self, History, Outcome};
use rstest::rstest;

const HISTORIES: &str = include_str!("data/operator-histories.json");
const LEGACY: &str = include_str!("data/operator-1.19.1.json");
const G20: &str = include_str!("data/operator-1.20.2.json");
const MORE: &str = include_str!("data/more-histories.json");
const MORE_LEGACY: &str = include_str!("data/more-1.19.1.json");
const MORE_G20: &str = include_str!("data/more-1.20.2.json");

/// Compares all outcomes; where two runs of Cilium disagreed there is nothing to compare.
fn check(version: &str, histories: &str, outcomes: &str, count: usize) {
    let release: Release = version.parse().unwrap();
    let histories: Vec<History> = ipam::model::parse(histories).unwrap();
    let expected: Vec<Vec<Option<Outcome>>> = serde_json::from_str(outcomes).unwrap();
    assert_eq!(histories.len(), expected.len());
    let (mut compared, mut different) = (0, Vec::new());
    for (number, (history, expected)) in histories.iter().zip(&expected).enumerate() {
        let actual = history::run(history, release);
        assert_eq!(actual.len(), expected.len(), "history {number}");
        for (step, (actual, expected)) in actual.iter().zip(expected).enumerate() {
            let Some(expected) = expected else { continue };
            compared += 1;
            if actual != expected {
                let done = serde_json::to_string(&history[..=step]).unwrap();
                different.push(format!(
                    "history {number}, step {step}: {done}\n  Cilium: {expected:?}\n  model:  {actual:?}"
                ));
            }
        }
    }
    assert!(different.is_empty(), "{} of {compared} differ:\n{}", different.len(), different.join("\n"));
    assert_eq!(compared, count, "outcomes compared");
}

#[rstest]
#[case("1.18.4", LEGACY, 1220)]
#[case("1.19.1", LEGACY, 1220)]
#[case("1.20.2", G20, 1231)]
fn given_histories(#[case] version: &str, #[case] outcomes: &str, #[case] count: usize) {
    check(version, HISTORIES, outcomes, count);
}

#[rstest]
#[case("1.18.4", MORE_LEGACY, 2262)]
#[case("1.19.1", MORE_LEGACY, 2262)]
#[case("1.20.2", MORE_G20, 2272)]
fn odd_histories(#[case] version: &str, #[case] outcomes: &str, #[case] count: usize) {
    check(version, MORE, outcomes, count);
}
