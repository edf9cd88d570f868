//! The address space: who has which block, what is free.
//!
//! A pool of up to 64 ranges is a row in which each range is a character. A larger one is a row of 64 equal parts, and beneath it the
//! parts that hold something, each range a character again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ipam::cidr::{Blocks, overlaps};
use ipnet::IpNet;

use crate::{OperatorState, State};

/// Characters in a row.
const WIDTH: u128 = 64;
/// Rows of single ranges beneath the row of the whole.
const ZOOMS: usize = 4;
/// Free runs that are named.
const RUNS: usize = 6;
/// Nodes that are named.
const NAMED: usize = 24;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The pools of the operator, and kube-controller-manager's ranges where CiliumNodes have something of them, with who has what.
pub fn picture(state: &State) -> String {
    let owned: Vec<(usize, IpNet)> = state
        .nodes
        .iter()
        .enumerate()
        .flat_map(|(index, node)| node.pod_cidrs().iter().filter_map(move |text| Some((index, text.parse().ok()?))))
        .collect();
    let mut out = String::new();
    let mut spaces: Vec<IpNet> = Vec::new();
    if let OperatorState::Allocating { pools } = &state.operator {
        for pool in pools {
            let Ok(net) = pool.cidr.parse::<IpNet>() else { continue };
            spaces.push(net);
            match u8::try_from(pool.mask).ok().and_then(|mask| Blocks::new(net, mask).ok()) {
                Some(blocks) => Space { name: "pool", blocks, owned: &owned, used: &pool.used_ranges }.draw(&mut out),
                None => {
                    let _ = writeln!(out, "pool {net}: no room for a range of /{}", pool.mask);
                }
            }
        }
    }
    for text in &state.pod_subnets {
        let Ok(net) = text.parse::<IpNet>() else { continue };
        let known = |cidr: &IpNet| spaces.iter().any(|space| overlaps(space, cidr));
        let of_it: Vec<&(usize, IpNet)> =
            owned.iter().filter(|(_, cidr)| overlaps(cidr, &net) && !known(cidr)).collect();
        let Some(mask) = of_it.iter().map(|(_, cidr)| cidr.prefix_len()).max() else { continue };
        if let Ok(blocks) = Blocks::new(net, mask) {
            Space { name: "Nodes' podCIDRs", blocks, owned: &owned, used: &[] }.draw(&mut out);
            spaces.push(net);
        }
    }
    let outside: Vec<String> = owned
        .iter()
        .filter(|(_, cidr)| !spaces.iter().any(|space| overlaps(space, cidr)))
        .map(|(index, cidr)| format!("{} {cidr}", state.nodes[*index].name))
        .collect();
    if !outside.is_empty() {
        let more = if outside.len() > NAMED { ", ..." } else { "" };
        let first: Vec<&str> = outside.iter().take(NAMED).map(String::as_str).collect();
        let _ = writeln!(out, "outside of all: {}{more}", first.join(", "));
    }
    let having: Vec<(usize, &crate::NodeState)> =
        state.nodes.iter().enumerate().filter(|(_, node)| !node.pod_cidrs().is_empty()).collect();
    let named: Vec<String> = having
        .iter()
        .take(NAMED)
        .map(|(index, node)| format!("{} {} {}", letter(*index), node.name, node.pod_cidrs().join(" ")))
        .collect();
    if !out.is_empty() {
        for line in named.chunks(3) {
            let _ = writeln!(out, "  {}", line.join("   "));
        }
        if having.len() > NAMED {
            let _ = writeln!(out, "  and {} more nodes", having.len() - NAMED);
        }
    }
    out
}

fn letter(index: usize) -> char {
    LETTERS.get(index).map_or('*', |byte| char::from(*byte))
}

struct Space<'a> {
    name: &'static str,
    blocks: Blocks,
    /// Nodes by number, and what they have.
    owned: &'a [(usize, IpNet)],
    /// What the operator counts as used, whoever has it.
    used: &'a [(u64, u64)],
}

impl Space<'_> {
    fn draw(&self, out: &mut String) {
        let count = self.blocks.count();
        let taken = self.taken();
        let used = union(&taken);
        let used_count: u128 = used.iter().map(|(first, end)| end - first).sum();
        let _ = writeln!(
            out,
            "{} {} in ranges of /{}: {} of {} used, {} free",
            self.name,
            self.blocks.net(),
            self.blocks.block_len(),
            grouped(used_count),
            grouped(count),
            grouped(count - used_count)
        );
        let per = (count / WIDTH).max(1);
        let whole = self.row(0, count.min(WIDTH), per, &taken);
        if per == 1 {
            let _ = writeln!(out, "  [{whole}]");
        } else {
            let _ = writeln!(out, "  [{whole}] each character is {} ranges", grouped(per));
            self.zoom(out, &used, &taken);
        }
        self.free(out, &used, count);
    }

    /// First and one past the last block of each owner; `None` for what nobody has and the operator counts as used.
    fn taken(&self) -> Vec<(u128, u128, Option<usize>)> {
        let mut taken: Vec<(u128, u128, Option<usize>)> = self
            .owned
            .iter()
            .filter_map(|(index, cidr)| {
                let (first, last) = self.blocks.touched_by(cidr)?;
                Some((first, last + 1, Some(*index)))
            })
            .collect();
        let owned = union(&taken);
        for (first, end) in self.used {
            let (mut at, end) = (u128::from(*first), u128::from(*end));
            let begin = at;
            for (start, stop) in owned.iter().filter(|(start, stop)| *start < end && *stop > begin) {
                if at < *start {
                    taken.push((at, *start, None));
                }
                at = at.max(*stop);
                if at >= end {
                    break;
                }
            }
            if at < end {
                taken.push((at, end, None));
            }
        }
        taken.sort_unstable();
        taken
    }

    /// A row: each character stands for `per` blocks.
    fn row(&self, from: u128, cells: u128, per: u128, taken: &[(u128, u128, Option<usize>)]) -> String {
        // By cell: how many of its blocks are used, and by whom.
        let mut row: BTreeMap<u128, (u128, Vec<Option<usize>>)> = BTreeMap::new();
        let until = from + cells * per;
        for (first, end, owner) in taken.iter().filter(|(first, end, _)| *first < until && *end > from) {
            let (first, end) = ((*first).max(from), (*end).min(until));
            for cell in (first - from) / per..=(end - 1 - from) / per {
                let (start, stop) = (from + cell * per, from + (cell + 1) * per);
                let entry = row.entry(cell).or_default();
                entry.0 += end.min(stop) - first.max(start);
                if !entry.1.contains(owner) {
                    entry.1.push(*owner);
                }
            }
        }
        (0..cells)
            .map(|cell| match row.get(&cell) {
                None => '.',
                Some((_, owners)) if owners.len() == 1 => owners[0].map_or('?', letter),
                // Two nodes in one range share addresses; in a cell of many ranges they are neighbours.
                Some(_) if per == 1 => '!',
                Some((used, _)) if *used >= per => '#',
                Some(_) => '+',
            })
            .collect()
    }

    /// The neighbourhoods of what is used, one range a character.
    fn zoom(&self, out: &mut String, used: &[(u128, u128)], taken: &[(u128, u128, Option<usize>)]) {
        let mut windows: Vec<u128> = Vec::new();
        let mut left = 0_usize;
        for (first, end) in used {
            let mut window = first / WIDTH * WIDTH;
            while window < *end {
                if windows.last() != Some(&window) {
                    if windows.len() < ZOOMS {
                        windows.push(window);
                    } else {
                        left += 1;
                        break;
                    }
                }
                window += WIDTH;
            }
        }
        for window in &windows {
            let cells = WIDTH.min(self.blocks.count() - window);
            let from = self.blocks.nth(*window).map_or_else(String::new, |net| net.to_string());
            let _ = writeln!(out, "  [{}] from {from}", self.row(*window, cells, 1, taken));
        }
        if left > 0 {
            let _ = writeln!(out, "  and more that is not drawn");
        }
    }

    fn free(&self, out: &mut String, used: &[(u128, u128)], count: u128) {
        let mut runs: Vec<(u128, u128)> = Vec::new();
        let mut at = 0;
        for (first, end) in used {
            if at < *first {
                runs.push((at, *first));
            }
            at = *end;
        }
        if at < count {
            runs.push((at, count));
        }
        let text = |(first, end): &(u128, u128)| {
            let from = self.blocks.nth(*first).map_or_else(String::new, |net| net.to_string());
            match end - first {
                1 => from,
                more => format!("{from} and {} after it", grouped(more - 1)),
            }
        };
        let shown: Vec<String> = runs.iter().take(RUNS).map(text).collect();
        if shown.is_empty() {
            let _ = writeln!(out, "  free: nothing");
        } else {
            let more = if runs.len() > RUNS { format!("; {} more gaps", runs.len() - RUNS) } else { String::new() };
            let _ = writeln!(out, "  free: {}{more}", shown.join("; "));
        }
    }
}

/// Sorted, disjoint ranges of blocks.
fn union(taken: &[(u128, u128, Option<usize>)]) -> Vec<(u128, u128)> {
    let mut sorted: Vec<(u128, u128)> = taken.iter().map(|(first, end, _)| (*first, *end)).collect();
    sorted.sort_unstable();
    let mut out: Vec<(u128, u128)> = Vec::new();
    for (first, end) in sorted {
        match out.last_mut() {
            Some(last) if first <= last.1 => last.1 = last.1.max(end),
            _ => out.push((first, end)),
        }
    }
    out
}

/// `24,577`.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
