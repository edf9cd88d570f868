//! Shards to one result.

use std::collections::BTreeMap;

use crate::cell::Cell;
use crate::result::{CellResult, FORMAT, MatrixResult};

/// Results that do not make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotMerge {
    /// Nothing was given.
    #[error("there is nothing to merge")]
    Nothing,
    /// Written by a newer version.
    #[error("{name} has format {found}, this version reads up to {FORMAT}: use a newer version")]
    NewerFormat {
        /// Whose.
        name: String,
        /// Its format.
        found: u32,
    },
    /// Of different plans.
    #[error("{one} and {other} are of different plans ({differs}): merge the shards of one run")]
    Plans {
        /// One of them.
        one: String,
        /// The other.
        other: String,
        /// In what.
        differs: String,
    },
    /// Of different numbers of shards.
    #[error("{one} is one of {in_one} and {other} one of {in_other}: merge the shards of one run")]
    ShardCounts {
        /// One of them.
        one: String,
        /// Of how many.
        in_one: usize,
        /// The other.
        other: String,
        /// Of how many.
        in_other: usize,
    },
    /// A whole result among several.
    #[error("{name} is a whole result, not a shard: it cannot be merged with others")]
    Whole {
        /// Whose.
        name: String,
    },
    /// One twice.
    #[error("{one} and {other} are both shard {shard}")]
    Twice {
        /// One of them.
        one: String,
        /// The other.
        other: String,
        /// Which.
        shard: String,
    },
    /// Some are not there.
    #[error("of {count} shards, {missing} missing: give every shard's folder")]
    Missing {
        /// How many there are.
        count: usize,
        /// `2/4 and 3/4 are`.
        missing: String,
    },
    /// A cell that the plan has and no shard, or that two have.
    #[error("{cell} is in {count} of the shards and must be in one: they were not balanced alike")]
    Cell {
        /// Which.
        cell: String,
        /// In how many.
        count: usize,
    },
}

/// Makes one result of those of all shards; each comes with a name for messages, such as its folder. Folders of cells are put beneath the
/// names.
///
/// # Errors
/// What does not belong together: other plans, shards missing, twice or cut otherwise.
pub fn merge(shards: Vec<(String, MatrixResult)>) -> Result<MatrixResult, CannotMerge> {
    for (name, result) in &shards {
        if result.format > FORMAT {
            return Err(CannotMerge::NewerFormat { name: name.clone(), found: result.format });
        }
    }
    let Some((first, head)) = shards.first().cloned() else { return Err(CannotMerge::Nothing) };
    if shards.len() == 1 && head.shard.is_none() {
        return Ok(head);
    }
    let mut by_index: BTreeMap<usize, &str> = BTreeMap::new();
    let mut count = 0;
    for (name, result) in &shards {
        if result.plan_id != head.plan_id || result.plan != head.plan {
            let differs = differs(&head, result);
            return Err(CannotMerge::Plans { one: first.clone(), other: name.clone(), differs });
        }
        let Some(shard) = result.shard else { return Err(CannotMerge::Whole { name: name.clone() }) };
        if count != 0 && shard.count != count {
            let (one, other) = (first.clone(), name.clone());
            return Err(CannotMerge::ShardCounts { one, in_one: count, other, in_other: shard.count });
        }
        count = shard.count;
        if let Some(one) = by_index.insert(shard.index, name) {
            return Err(CannotMerge::Twice { one: one.to_owned(), other: name.clone(), shard: shard.to_string() });
        }
    }
    let missing: Vec<String> =
        (1..=count).filter(|index| !by_index.contains_key(index)).map(|index| format!("{index}/{count}")).collect();
    if !missing.is_empty() {
        let verb = if missing.len() == 1 { "is" } else { "are" };
        return Err(CannotMerge::Missing { count, missing: format!("{} {verb}", missing.join(" and ")) });
    }
    let mut cells: BTreeMap<String, Vec<CellResult>> = BTreeMap::new();
    for (name, result) in &shards {
        for cell in &result.cells {
            cells.entry(cell.key()).or_default().push(beneath(name, cell));
        }
    }
    let mut merged = Vec::new();
    for cell in head.plan.cells.iter().map(Cell::key) {
        let mut found = cells.remove(&cell).unwrap_or_default();
        match (found.pop(), found.len()) {
            (Some(one), 0) => merged.push(one),
            (last, more) => return Err(CannotMerge::Cell { cell, count: more + usize::from(last.is_some()) }),
        }
    }
    if let Some(cell) = cells.into_keys().next() {
        return Err(CannotMerge::Cell { cell, count: 0 });
    }
    let took_ms = shards.iter().map(|(_, result)| result.took_ms).max().unwrap_or_default();
    Ok(MatrixResult { shard: None, took_ms, cells: merged, ..head })
}

fn beneath(name: &str, cell: &CellResult) -> CellResult {
    let mut cell = cell.clone();
    for attempt in &mut cell.attempts {
        attempt.dir = attempt.dir.take().map(|dir| format!("{name}/{dir}"));
    }
    cell
}

/// In what two plans differ, for a reader.
fn differs(a: &MatrixResult, b: &MatrixResult) -> String {
    let columns =
        |result: &MatrixResult| result.plan.columns().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if a.plan.cluster != b.plan.cluster {
        return format!("{} and {}", a.plan.cluster, b.plan.cluster);
    }
    if columns(a) != columns(b) {
        return format!("versions {} and {}", columns(a), columns(b));
    }
    if a.plan.scenarios() != b.plan.scenarios() {
        return format!("{} and {} scenarios", a.plan.scenarios().len(), b.plan.scenarios().len());
    }
    if (a.plan.seed, &a.plan.options) != (b.plan.seed, &b.plan.options) {
        return "seed or options".to_owned();
    }
    let changed = a.plan.cells.iter().zip(&b.plan.cells).find(|(a, b)| a.digest != b.digest);
    match changed {
        Some((cell, _)) => format!("the text of {}", cell.scenario),
        None => "weights of the cells, or the tool's version".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use events::{ClusterKind, Outcome};

    use super::*;
    use crate::fold::tests::{attempt, cell};
    use crate::{MatrixPlan, Shard, fold};

    fn plan() -> MatrixPlan {
        let cells = ["a", "b", "c"].iter().flat_map(|name| [18, 19].map(|minor| cell(name, minor))).collect();
        MatrixPlan::new(ClusterKind::Sim, None, Vec::new(), cells)
    }

    fn result(plan: &MatrixPlan, shard: Option<Shard>) -> MatrixResult {
        let all: Vec<usize> = (0..plan.cells.len()).collect();
        let mine = shard.map_or(all, |shard| shard.of(&plan.cells));
        let run = |index: usize| fold(&plan.cells[index], vec![attempt(Outcome::Passed, "")], None);
        MatrixResult {
            format: FORMAT,
            tool: "0".to_owned(),
            plan_id: plan.id(),
            plan: plan.clone(),
            shard,
            notice: None,
            took_ms: 7,
            cells: mine.into_iter().map(run).collect(),
        }
    }

    fn shard(index: usize, count: usize) -> Option<Shard> {
        Some(Shard { index, count })
    }

    fn named(results: Vec<MatrixResult>) -> Vec<(String, MatrixResult)> {
        results.into_iter().enumerate().map(|(index, result)| (format!("d{index}"), result)).collect()
    }

    #[track_caller]
    fn refused(results: Vec<MatrixResult>, why: &str) {
        assert_eq!(merge(named(results)).unwrap_err().to_string(), why);
    }

    #[test]
    fn all_shards_are_the_whole() {
        let plan = plan();
        let shards = (1..=3).map(|index| result(&plan, shard(index, 3))).collect();
        assert_eq!(merge(named(shards)).unwrap(), result(&plan, None));
        assert_eq!(merge(named(vec![result(&plan, None)])).unwrap(), result(&plan, None));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let plan = plan();
        let of = |index, count| result(&plan, shard(index, count));
        refused(Vec::new(), "there is nothing to merge");
        refused(vec![of(1, 2), of(1, 2)], "d0 and d1 are both shard 1/2");
        refused(vec![of(1, 4), of(3, 4)], "of 4 shards, 2/4 and 4/4 are missing: give every shard's folder");
        refused(vec![of(2, 2)], "of 2 shards, 1/2 is missing: give every shard's folder");
        refused(vec![of(1, 2), of(2, 3)], "d0 is one of 2 and d1 one of 3: merge the shards of one run");
        refused(
            vec![of(1, 2), result(&plan, None)],
            "d1 is a whole result, not a shard: it cannot be merged with others",
        );
        let newer = MatrixResult { format: FORMAT + 1, ..of(1, 2) };
        refused(vec![newer], "d0 has format 2, this version reads up to 1: use a newer version");
    }

    #[test]
    fn other_plans_are_refused_and_it_is_said_how_they_differ() {
        let mine = plan();
        let with = |change: &dyn Fn(&mut MatrixPlan)| {
            let mut other = mine.clone();
            change(&mut other);
            vec![result(&mine, shard(1, 2)), result(&other, shard(2, 2))]
        };
        let why = |differs: &str| format!("d0 and d1 are of different plans ({differs}): merge the shards of one run");
        refused(with(&|plan| plan.cluster = ClusterKind::Kind), &why("sim and kind"));
        refused(with(&|plan| plan.cells.truncate(4)), &why("3 and 2 scenarios"));
        refused(with(&|plan| plan.cells[2].digest = "e".to_owned()), &why("the text of b"));
        refused(with(&|plan| plan.seed = Some(3)), &why("seed or options"));
        refused(
            with(&|plan| plan.cells.retain(|cell| cell.column.cilium.minor == 18)),
            &why("versions 1.18.0, 1.19.0 and 1.18.0"),
        );
    }

    #[test]
    fn a_cell_in_two_shards_or_in_none_is_refused() {
        let plan = plan();
        let (one, mut two) = (result(&plan, shard(1, 2)), result(&plan, shard(2, 2)));
        let moved = two.cells.pop().unwrap();
        let why = format!("{} is in 0 of the shards and must be in one: they were not balanced alike", moved.key());
        refused(vec![one.clone(), two.clone()], &why);
        two.cells.push(moved);
        two.cells.push(one.cells[0].clone());
        let why =
            format!("{} is in 2 of the shards and must be in one: they were not balanced alike", one.cells[0].key());
        refused(vec![one, two], &why);
    }
}
