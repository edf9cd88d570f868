//! The matrix of a GitHub workflow: one job for each shard.

use serde_json::{Value, json};

use crate::estimate::until_done;
use crate::plan::MatrixPlan;
use crate::shard::Shard;

/// How long a shard's cells may take, where nobody says how many shards there are.
const SHARD_MS: u64 = 45 * 60 * 1000;
/// More jobs than that gain little: each has to build and to fetch images first.
const MOST: usize = 20;

/// How many shards a plan should have, so that each takes up to three quarters of an hour.
pub fn shards(plan: &MatrixPlan) -> usize {
    let runs: Vec<u64> = plan.cells.iter().filter(|cell| cell.skip.is_none()).map(|cell| cell.weight_ms).collect();
    let all: u64 = runs.iter().sum();
    let wanted = usize::try_from(all.div_ceil(SHARD_MS)).unwrap_or(MOST);
    wanted.clamp(1, MOST).min(runs.len().max(1))
}

/// `{"include": [{"shard": "1/4", "cells": 12, "minutes": 40}, ...]}`, for `fromJSON`.
pub fn matrix(plan: &MatrixPlan, count: usize) -> Value {
    let include: Vec<Value> = (1..=count)
        .map(|index| {
            let shard = Shard { index, count };
            let runs: Vec<u64> = shard
                .of(&plan.cells)
                .into_iter()
                .map(|index| &plan.cells[index])
                .filter(|cell| cell.skip.is_none())
                .map(|cell| cell.weight_ms)
                .collect();
            let minutes = until_done(&runs, 1).div_ceil(60_000);
            json!({"shard": shard.to_string(), "artifact": format!("shard-{index}-of-{count}"), "cells": runs.len(), "minutes": minutes})
        })
        .collect();
    json!({ "include": include })
}

#[cfg(test)]
mod tests {
    use events::ClusterKind;

    use super::*;
    use crate::Cell;
    use crate::fold::tests::cell;

    fn plan(minutes: &[u64]) -> MatrixPlan {
        let cells = minutes
            .iter()
            .enumerate()
            .map(|(index, minutes)| Cell { weight_ms: minutes * 60_000, ..cell(&format!("s{index}"), 18) });
        MatrixPlan::new(ClusterKind::Kind, None, Vec::new(), cells.collect())
    }

    #[test]
    fn there_are_as_many_shards_as_the_time_asks_for_and_no_more_than_cells() {
        assert_eq!(shards(&plan(&[2, 2, 2])), 1);
        assert_eq!(shards(&plan(&[30, 30, 30])), 2);
        assert_eq!(shards(&plan(&[600])), 1);
        assert_eq!(shards(&plan(&[])), 1);
        assert_eq!(shards(&plan(&[45; 100])), MOST);
    }

    #[test]
    fn each_shard_has_a_job_with_its_time() {
        let value = matrix(&plan(&[30, 20, 10]), 2);
        assert_eq!(
            value,
            json!({"include": [
                {"shard": "1/2", "artifact": "shard-1-of-2", "cells": 1, "minutes": 30},
                {"shard": "2/2", "artifact": "shard-2-of-2", "cells": 2, "minutes": 30},
            ]})
        );
    }
}
