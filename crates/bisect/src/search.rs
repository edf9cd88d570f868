//! The search itself.

use serde::{Deserialize, Serialize};

use crate::Candidate;
use crate::verdict::{Patience, Reference, Standing, Verdict, judge};

/// Version of the format in which a search is kept.
pub const FORMAT: u32 = 1;

/// Which way the verdict changes, from the older end to the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// From good to bad: the first bad version is looked for.
    Break,
    /// From bad to good: the first good version is looked for.
    Mend,
}

/// One run that came to something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Of which candidate, by place.
    pub candidate: usize,
    /// What it said.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Its folder, in that of the search.
    pub dir: String,
    /// How long it took by the wall.
    pub took_ms: u64,
    /// The cluster it was made on. None where that was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<OnCluster>,
}

/// What is worth knowing of a run's cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OnCluster {
    /// Whether a run before had it too.
    pub reused: bool,
    /// How long it took until the scenario's first step, by the cluster's clock: made or brought back, and Cilium installed.
    pub up_ms: u64,
}

impl Run {
    /// Whether it was made on a cluster that another run had.
    pub fn on_reused(&self) -> bool {
        self.cluster.is_some_and(|cluster| cluster.reused)
    }

    fn was_let_down(&self) -> bool {
        self.on_reused() && matches!(self.verdict, Verdict::Infrastructure { .. })
    }
}

/// A search, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// From the older end to the newer one; at least these two.
    pub candidates: Vec<Candidate>,
    /// Which way the verdict changes.
    pub direction: Direction,
    /// Further runs where a verdict does not look steady.
    pub repeat: u32,
    /// Further runs after an infrastructure error.
    pub retries: u32,
    /// What has been run, in order.
    pub runs: Vec<Run>,
}

/// Why a candidate is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is an end.
    End,
    /// It is in the middle of what is left.
    Middle,
    /// Its runs so far do not decide, and why.
    Again(String),
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Run this candidate.
    Run {
        /// By place.
        candidate: usize,
        /// Why.
        why: Why,
    },
    /// The search is over.
    Done(Conclusion),
    /// It cannot be made.
    Refused(Refusal),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// The last one with the verdict of the older end, by place.
    pub before: usize,
    /// The first one with that of the newer end that is known.
    pub after: usize,
    /// Those between the two, which could not be tried: any of them may be the first.
    pub skipped: Vec<usize>,
}

/// Why there is nothing to search between these ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// An end has not the verdict that was named.
    End {
        /// By place.
        candidate: usize,
        /// Whether it was named as good.
        named_good: bool,
        /// What it does instead.
        what: String,
    },
    /// An end cannot be tried.
    Untried {
        /// By place.
        candidate: usize,
        /// Why.
        why: String,
    },
}

impl Why {
    /// Whether a cluster that another run had will do. A verdict that is in doubt is looked at on a new one.
    pub fn may_reuse(&self) -> bool {
        match self {
            Self::End | Self::Middle => true,
            Self::Again(_) => false,
        }
    }
}

impl Search {
    /// What is to be done next. A function of what is kept, and of nothing else.
    pub fn next(&self) -> Next {
        let last = self.candidates.len() - 1;
        // The bad end tells how the bug looks, so it is known before others are held against it.
        let (good, bad) = match self.direction {
            Direction::Break => (0, last),
            Direction::Mend => (last, 0),
        };
        for (end, named_good) in [(bad, false), (good, true)] {
            match (self.standing(end), named_good) {
                (Standing::Open, _) => return Next::Run { candidate: end, why: Why::End },
                (Standing::Again(why), _) => return Next::Run { candidate: end, why: Why::Again(why) },
                (Standing::Skipped { why }, _) => return Next::Refused(Refusal::Untried { candidate: end, why }),
                (Standing::Good, true) | (Standing::Bad { .. }, false) => {}
                (Standing::Good, false) => {
                    let what = "it passes".to_owned();
                    return Next::Refused(Refusal::End { candidate: end, named_good, what });
                }
                (Standing::Bad { note }, true) => {
                    let what = note.unwrap_or_else(|| "it fails".to_owned());
                    return Next::Refused(Refusal::End { candidate: end, named_good, what });
                }
            }
        }
        self.between(0, last)
    }

    fn between(&self, mut low: usize, mut high: usize) -> Next {
        loop {
            // What could not be tried is left out; of the rest, the one next to the middle.
            let middle = (low + high) / 2;
            let open = (low + 1..high).filter(|at| !matches!(self.standing(*at), Standing::Skipped { .. }));
            let Some(candidate) = open.min_by_key(|at| (at.abs_diff(middle), *at)) else {
                let skipped = (low + 1..high).collect();
                return Next::Done(Conclusion { before: low, after: high, skipped });
            };
            let is_good = match self.standing(candidate) {
                Standing::Again(why) => return Next::Run { candidate, why: Why::Again(why) },
                Standing::Good => true,
                Standing::Bad { .. } => false,
                Standing::Open | Standing::Skipped { .. } => return Next::Run { candidate, why: Why::Middle },
            };
            let as_the_older_end = is_good == (self.direction == Direction::Break);
            if as_the_older_end { low = candidate } else { high = candidate }
        }
    }

    /// What the runs of a candidate say together.
    pub fn standing(&self, candidate: usize) -> Standing {
        let of = |place: usize| self.runs.iter().filter(move |run| run.candidate == place).map(|run| &run.verdict);
        let last = self.candidates.len() - 1;
        let bad_end = if self.direction == Direction::Break { last } else { 0 };
        let is_end = candidate == 0 || candidate == last;
        let reference = Reference {
            what: of(bad_end).find_map(|verdict| match verdict {
                Verdict::Bad { what } => Some(what.as_str()),
                _ => None,
            }),
            passes_too: of(bad_end).any(|verdict| *verdict == Verdict::Good),
            expected_good: is_end.then_some(candidate != bad_end),
        };
        let runs: Vec<&Verdict> = of(candidate).collect();
        // That a reused cluster let a run down says nothing about what a new one would do: it is no try.
        let let_down = self.runs.iter().filter(|run| run.candidate == candidate && run.was_let_down()).count();
        let retries = self.retries.saturating_add(u32::try_from(let_down).unwrap_or(u32::MAX));
        judge(&runs, Patience { repeat: self.repeat, retries }, reference)
    }

    /// How many more runs there will be, if all goes well.
    pub fn left(&self) -> u32 {
        let ends = [0, self.candidates.len() - 1].iter().filter(|end| self.standing(**end) == Standing::Open).count();
        let (mut low, mut high) = (0, self.candidates.len() - 1);
        for at in 1..self.candidates.len() - 1 {
            match (self.standing(at), self.direction) {
                (Standing::Good, Direction::Break) | (Standing::Bad { .. }, Direction::Mend) => low = low.max(at),
                (Standing::Bad { .. }, Direction::Break) | (Standing::Good, Direction::Mend) => high = high.min(at),
                _ => {}
            }
        }
        let inside = high.saturating_sub(low).saturating_sub(1);
        u32::try_from(ends).unwrap_or(0) + (usize::BITS - inside.leading_zeros())
    }
}

#[cfg(test)]
mod tests;
