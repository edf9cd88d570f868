//! Shards: which part of a plan a machine runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cell::Cell;

/// One of several parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 1.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

/// A text that is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no shard: {why}")]
pub struct NoShard {
    text: String,
    why: String,
}

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let no = |why: String| NoShard { text: text.to_owned(), why };
        let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let Some((index, count)) = numbers else { return Err(no("write k/n, such as 1/4".to_owned())) };
        match (index, count) {
            (_, 0) => Err(no("there must be at least one".to_owned())),
            (0, _) => Err(no(format!("they are counted from 1: write 1/{count} to {count}/{count}"))),
            (index, count) if index > count => {
                Err(no(format!("there are {count}: write 1/{count} to {count}/{count}")))
            }
            (index, count) => Ok(Self { index, count }),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// The indices of its cells, in order. The heaviest cell goes first, each to the part that has least so far, so the parts take about
    /// the same time. What is skipped weighs nothing and goes to the first part, which so reports it once. A function of names, versions and
    /// weights alone: every machine comes to the same.
    pub fn of(self, cells: &[Cell]) -> Vec<usize> {
        let mut heaviest: Vec<usize> = (0..cells.len()).filter(|index| cells[*index].skip.is_none()).collect();
        heaviest.sort_by_key(|index| {
            let cell = &cells[*index];
            (std::cmp::Reverse(cell.weight_ms), &cell.scenario, &cell.column)
        });
        let mut loads = vec![0_u64; self.count];
        let mut mine: Vec<usize> = Vec::new();
        if self.index == 1 {
            mine.extend((0..cells.len()).filter(|index| cells[*index].skip.is_some()));
        }
        for index in heaviest {
            let lightest = (0..loads.len()).min_by_key(|part| (loads[*part], *part)).unwrap_or_default();
            // A cell without weight counts for something, else all such cells would go to one part.
            loads[lightest] += cells[index].weight_ms.max(1);
            if lightest + 1 == self.index {
                mine.push(index);
            }
        }
        mine.sort_unstable();
        mine
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use semver::Version;

    use super::*;
    use crate::cell::Column;

    fn cells(weights: &[u64]) -> Vec<Cell> {
        let cell = |(index, weight): (usize, &u64)| Cell {
            scenario: format!("s{index}"),
            column: Column { cilium: Version::new(1, 18, 4), kubernetes: None },
            skip: (*weight == 0).then(|| "not for it".to_owned()),
            digest: String::new(),
            weight_ms: *weight,
        };
        weights.iter().enumerate().map(cell).collect()
    }

    #[rstest]
    #[case::too_high("5/4", "there are 4: write 1/4 to 4/4")]
    #[case::from_zero("0/4", "they are counted from 1: write 1/4 to 4/4")]
    #[case::none("1/0", "there must be at least one")]
    #[case::no_slash("3", "write k/n, such as 1/4")]
    #[case::words("a/b", "write k/n, such as 1/4")]
    #[case::negative("-1/4", "write k/n, such as 1/4")]
    fn what_is_no_shard_says_why(#[case] text: &str, #[case] why: &str) {
        assert_eq!(text.parse::<Shard>().unwrap_err().to_string(), format!("\"{text}\" is no shard: {why}"));
    }

    #[test]
    fn shards_cover_every_cell_once_and_take_about_the_same_time() {
        let weights = [90, 10, 0, 40, 50, 20, 30, 0, 60, 70, 80];
        let cells = cells(&weights);
        for count in 1..=5 {
            let mut all = Vec::new();
            let mut loads = Vec::new();
            for index in 1..=count {
                let mine = Shard { index, count }.of(&cells);
                loads.push(mine.iter().map(|index| weights[*index]).sum::<u64>());
                all.extend(mine);
            }
            all.sort_unstable();
            assert_eq!(all, (0..weights.len()).collect::<Vec<_>>());
            let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
            assert!(most - least <= 90, "{loads:?}");
        }
    }

    #[test]
    fn more_shards_than_cells_leave_some_empty() {
        let cells = cells(&[5]);
        assert_eq!(Shard { index: 1, count: 3 }.of(&cells), [0]);
        assert_eq!(Shard { index: 3, count: 3 }.of(&cells), [] as [usize; 0]);
    }
}
