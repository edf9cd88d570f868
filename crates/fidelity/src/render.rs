//! Comparisons for people.

use std::fmt::Write as _;

use crate::compare::{Comparison, Tally};

/// A line for each scenario and version, and one for all.
pub fn table(comparisons: &[Comparison]) -> String {
    let width = comparisons.iter().map(|one| one.scenario.len()).max().unwrap_or(0).max("scenario".len());
    let mut text = format!(
        "{:<width$}  {:<8}  {:>6}  {:>5}  {:>9}  {:>9}  {:>5}  {:>9}  {:>6}\n",
        "scenario", "cilium", "phases", "equal", "different", "unsettled", "facts", "elsewhere", "orders"
    );
    let mut all = Tally::default();
    let mut line = |name: &str, cilium: &str, tally: Tally, orders: &str| {
        let Tally { phases, equal, different, unsettled, facts, elsewhere } = tally;
        let _ = writeln!(
            text,
            "{name:<width$}  {cilium:<8}  {phases:>6}  {equal:>5}  {different:>9}  {unsettled:>9}  {facts:>5}  {elsewhere:>9}  {orders:>6}"
        );
    };
    for one in comparisons {
        line(&one.scenario, &one.cilium, one.tally, &one.orders.to_string());
        all.add(one.tally);
    }
    line("all", "", all, "");
    text
}

/// Every difference with both sides, and every phase that was not compared.
pub fn differences(comparisons: &[Comparison]) -> String {
    let mut text = String::new();
    for one in comparisons {
        for difference in &one.differences {
            let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            let _ = writeln!(
                text,
                "{} ({}), {}: {}",
                one.scenario,
                one.cilium,
                short(&difference.phase),
                difference.subject
            );
            let _ = writeln!(text, "  real: {}", side(&difference.real));
            let _ = writeln!(text, "  sim:  {}", side(&difference.sim));
        }
        for phase in &one.unsettled {
            let _ = writeln!(text, "{} ({}), not compared: {phase}", one.scenario, one.cilium);
        }
    }
    text
}

/// An `expect` with many checks has a long title.
fn short(phase: &str) -> String {
    const MOST: usize = 60;
    if phase.chars().count() <= MOST { phase.to_owned() } else { phase.chars().take(MOST - 1).chain(['…']).collect() }
}
