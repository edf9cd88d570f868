//! Ranges: IP ranges as texts, and the rules for cluster-pool's pools.

use ipnet::IpNet;

use super::context::Context;
use crate::codes;
use crate::model::IpamMode;
use crate::problem::{Problem, suggest};
use crate::tree::{Node, Shape, Span};

/// An IPv6 pool may hold at most 2^16 node ranges (cilium/cilium: pkg/ipam/cidrset/cidr_set.go, the same in 1.16 to 1.20).
const MAX_IPV6_BITS: u8 = 16;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    fn of(net: &IpNet) -> Self {
        match net {
            IpNet::V4(_) => Self::V4,
            IpNet::V6(_) => Self::V6,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::V4 => "10.0.0.0/8",
            Self::V6 => "fd00::/104",
        }
    }
}

/// One family's pools and mask, as far as they are known, with their places where a file says them.
#[derive(Debug, Clone, Default)]
pub(crate) struct PoolSet {
    pub(crate) pools: Option<Vec<(Option<Span>, IpNet)>>,
    pub(crate) mask: Option<(Option<Span>, u8)>,
}

/// What the cluster-pool allocator is set to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pools {
    pub(crate) v4: PoolSet,
    pub(crate) v6: PoolSet,
}

impl Pools {
    pub(crate) fn family(&mut self, family: Family) -> &mut PoolSet {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

/// How `cilium-config` and Helm call the settings of one family.
struct Names {
    family: Family,
    config_pools: &'static str,
    config_mask: &'static str,
    helm_pools: &'static str,
    helm_mask: &'static str,
}

const NAMES: [Names; 2] = [
    Names {
        family: Family::V4,
        config_pools: "cluster-pool-ipv4-cidr",
        config_mask: "cluster-pool-ipv4-mask-size",
        helm_pools: "clusterPoolIPv4PodCIDRList",
        helm_mask: "clusterPoolIPv4MaskSize",
    },
    Names {
        family: Family::V6,
        config_pools: "cluster-pool-ipv6-cidr",
        config_mask: "cluster-pool-ipv6-mask-size",
        helm_pools: "clusterPoolIPv6PodCIDRList",
        helm_mask: "clusterPoolIPv6MaskSize",
    },
];

/// The problem with a text that is not an IP range.
pub(crate) fn bad_cidr(span: Span, text: &str) -> Problem {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address = address.parse::<std::net::IpAddr>();
    let bits = address.as_ref().map_or(32, |address| if address.is_ipv4() { 32 } else { 128 });
    let (message, help) = match (address, prefix) {
        (Err(_), _) => (
            format!("`{text}` is not an IP range: the part before the slash is not an address"),
            "write a range such as 10.0.0.0/8 (each number from 0 to 255) or fd00::/104".to_owned(),
        ),
        (Ok(address), None) => (
            format!("`{text}` is an address, not a range"),
            format!("write `{address}/{bits}` for that address alone, or a shorter prefix for more"),
        ),
        (Ok(address), Some(_)) => (
            format!("`{text}` is not an IP range: the prefix length is not a number from 0 to {bits}"),
            format!("write a range such as {address}/{}", bits - 8),
        ),
    };
    Problem::new(&codes::BAD_CIDR, span, message).help(help)
}

fn wrong_family(span: Span, net: &IpNet, family: Family, name: &str) -> Problem {
    let found = Family::of(net);
    let other = name.replace(&family.as_str()[2..], &found.as_str()[2..]);
    let help = if other == name {
        format!("write a range such as {}", family.example())
    } else {
        format!("write it under `{other}`, or write a range such as {}", family.example())
    };
    let message = format!("{net} is an {} range, and `{name}` holds {} ranges", found.as_str(), family.as_str());
    Problem::new(&codes::WRONG_FAMILY, span, message).help(help)
}

/// One range of a list. `fatal`: the list is held as ranges, so there is no scenario without it.
pub(crate) fn range(
    context: &Context<'_>,
    span: Span,
    text: &str,
    family: Family,
    name: &str,
    fatal: bool,
) -> Option<IpNet> {
    let mark = |problem: Problem| if fatal { problem.fatal() } else { problem };
    let Ok(net) = text.parse::<IpNet>() else {
        context.push(mark(bad_cidr(span, text)));
        return None;
    };
    if Family::of(&net) != family {
        context.push(mark(wrong_family(span, &net, family, name)));
        return None;
    }
    Some(net)
}

/// Whether two ranges have an address in common.
pub(crate) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

/// Reports ranges of a list that overlap an earlier one.
pub(crate) fn overlaps(context: &Context<'_>, pools: &[(Option<Span>, IpNet)], fallback: Span) {
    for (index, (span, later)) in pools.iter().enumerate() {
        let Some((first, earlier)) = pools[..index].iter().find(|(_, earlier)| overlap(earlier, later)) else {
            continue;
        };
        let message = if earlier.trunc() == later.trunc() {
            format!("{later} is the same range as {earlier} before it")
        } else {
            format!("{later} overlaps {earlier}")
        };
        let mut problem = Problem::new(&codes::OVERLAPPING_RANGES, span.unwrap_or(fallback), message)
            .help("remove one of them, or make them ranges without a common address");
        if let Some(first) = first {
            problem = problem.related(*first, "the earlier range");
        }
        context.push(problem);
    }
}

/// Checks one family's pools against their mask. `fallback` is the place for what the file does not say itself.
pub(crate) fn fit(context: &Context<'_>, family: Family, set: &PoolSet, mask_name: &str, fallback: Span) {
    let Some((mask_span, mask)) = set.mask else { return };
    if mask > family.bits() {
        let example = if family == Family::V4 { 24 } else { 120 };
        context.push(
            Problem::new(
                &codes::MASK_OUT_OF_RANGE,
                mask_span.unwrap_or(fallback),
                format!("{} has no mask size {mask}", family.as_str()),
            )
            .help(format!("write a number from 1 to {}, such as `{mask_name}: {example}`", family.bits())),
        );
        return;
    }
    for (span, pool) in set.pools.iter().flatten() {
        let prefix = pool.prefix_len();
        let place = span.or(mask_span).unwrap_or(fallback);
        let related = |problem: Problem| match mask_span {
            Some(mask_span) if mask_span != place => problem.related(mask_span, "the mask size"),
            _ => problem,
        };
        if mask < prefix {
            context.push(related(
                Problem::new(
                    &codes::POOL_SMALLER_THAN_MASK,
                    place,
                    format!(
                        "pool {pool} is smaller than one node's range, a /{mask}: it counts as full from the start"
                    ),
                )
                .help(format!("write a pool of /{mask} or larger, or `{mask_name}: {prefix}` or more")),
            ));
        } else if family == Family::V6 && mask - prefix > MAX_IPV6_BITS {
            context.push(related(
                Problem::new(
                    &codes::MASK_TOO_FAR,
                    place,
                    format!(
                        "pool {pool} with mask size {mask} would hold 2^{} node ranges; Cilium refuses more than 2^{MAX_IPV6_BITS}",
                        mask - prefix
                    ),
                )
                .help(format!(
                    "write a pool of /{} or smaller, or `{mask_name}: {}` or less",
                    mask - MAX_IPV6_BITS,
                    prefix + MAX_IPV6_BITS
                )),
            ));
        }
    }
}

/// The problem with a word that is no IPAM mode, if it is none.
pub(crate) fn mode(span: Span, text: &str) -> Option<Problem> {
    if IpamMode::parse(text).is_some() {
        return None;
    }
    let help = suggest(text, IpamMode::ALL.map(IpamMode::as_str));
    Some(Problem::new(&codes::UNKNOWN_MODE, span, format!("Cilium has no IPAM mode `{text}`")).help(help))
}

/// A key of `cilium-config` that a step sets; none removes it. Says which family's settings changed.
pub(crate) fn configured(context: &mut Context<'_>, key: &str, span: Span, value: Option<&str>) -> Option<Family> {
    if key == "ipam" {
        if let Some(problem) = value.and_then(|value| mode(span, value)) {
            context.push(problem);
        }
        return None;
    }
    let names = NAMES.iter().find(|names| names.config_pools == key || names.config_mask == key)?;
    let Some(value) = value else {
        // The default is the binary's own from here on, which differs from the chart's.
        *context.flow.pools.family(names.family) = PoolSet::default();
        return None;
    };
    if key == names.config_mask {
        let mask = decimal(value);
        if mask.is_none() {
            context.push(
                Problem::new(&codes::MASK_OUT_OF_RANGE, span, format!("`{value}` is not a mask size"))
                    .help(format!("write a number from 1 to {} without leading zeros", names.family.bits())),
            );
        }
        context.flow.pools.family(names.family).mask = mask.map(|mask| (Some(span), mask));
    } else {
        let list = ranges(context, span, value, names.family, key);
        context.flow.pools.family(names.family).pools = Some(list);
    }
    Some(names.family)
}

/// A mask size in decimal. A leading zero would be read as octal by Cilium.
fn decimal(text: &str) -> Option<u8> {
    let canonical =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().unwrap_or(u8::MAX))
}

/// A list of ranges separated by white space.
fn ranges(context: &Context<'_>, span: Span, value: &str, family: Family, name: &str) -> Vec<(Option<Span>, IpNet)> {
    if value.trim().is_empty() {
        context.push(
            Problem::new(&codes::BAD_CIDR, span, format!("`{name}` holds no range"))
                .help(format!("write `{name}: {}`", family.example())),
        );
    }
    value
        .split_whitespace()
        .filter_map(|part| {
            let part_span = context.inside(span, part);
            let trimmed = part.trim_end_matches([',', ';']);
            if trimmed != part && trimmed.parse::<IpNet>().is_ok() {
                context.push(
                    Problem::new(&codes::BAD_CIDR, part_span, format!("`{part}` is not an IP range"))
                        .help(format!("separate the ranges of `{name}` with spaces alone")),
                );
                return None;
            }
            range(context, part_span, part, family, name, false).map(|net| (Some(part_span), net))
        })
        .collect()
}

/// Reports what is wrong with the settings of the families that a step changed.
pub(crate) fn changed(context: &Context<'_>, families: &[Family], span: Span) {
    for family in [Family::V4, Family::V6] {
        if !families.contains(&family) {
            continue;
        }
        let set = match family {
            Family::V4 => &context.flow.pools.v4,
            Family::V6 => &context.flow.pools.v6,
        };
        if let Some(pools) = &set.pools {
            overlaps(context, pools, span);
        }
        let name = NAMES.iter().find(|names| names.family == family).map_or("", |names| names.config_mask);
        fit(context, family, set, name, span);
    }
}

/// Checks `ipam` in Helm values, and takes over what it sets.
pub(crate) fn helm(context: &mut Context<'_>, values: &Node) {
    let Some(ipam) = values.get("ipam") else { return };
    if let Some(node) = ipam.get("mode") {
        match &node.value {
            Shape::Text(text) => {
                if let Some(problem) = mode(node.span, text) {
                    context.push(problem);
                }
            }
            _ => context.push(
                Problem::new(
                    &codes::WRONG_TYPE,
                    node.span,
                    format!("`ipam.mode` must be a text, not {}", node.describe()),
                )
                .help("write `mode: kubernetes`"),
            ),
        }
    }
    let Some(operator) = ipam.get("operator") else { return };
    let mut families = Vec::new();
    for names in &NAMES {
        if let Some(list) = operator.get(names.helm_pools) {
            let pools = helm_ranges(context, list, names);
            context.flow.pools.family(names.family).pools = pools;
            families.push(names.family);
        }
        if let Some(node) = operator.get(names.helm_mask) {
            let mask = match &node.value {
                Shape::Number(number, _) => number.as_u64(),
                _ => None,
            };
            if mask.is_none() {
                let message = format!("`{}` must be a whole number, not {}", names.helm_mask, node.describe());
                context.push(Problem::new(&codes::WRONG_TYPE, node.span, message).help("write a number such as 24"));
            }
            let mask = mask.map(|mask| (Some(node.span), u8::try_from(mask).unwrap_or(u8::MAX)));
            context.flow.pools.family(names.family).mask = mask;
            families.push(names.family);
        }
    }
    changed(context, &families, values.span);
}

fn helm_ranges(context: &Context<'_>, list: &Node, names: &Names) -> Option<Vec<(Option<Span>, IpNet)>> {
    let Shape::List(items) = &list.value else {
        let message = format!("`{}` must be a list, not {}", names.helm_pools, list.describe());
        context.push(
            Problem::new(&codes::WRONG_TYPE, list.span, message).help(format!("write [{}]", names.family.example())),
        );
        return None;
    };
    let nets = items.iter().filter_map(|item| match &item.value {
        Shape::Text(text) => {
            range(context, item.span, text, names.family, names.helm_pools, false).map(|net| (Some(item.span), net))
        }
        _ => {
            let message = format!("an item of `{}` must be a text, not {}", names.helm_pools, item.describe());
            context.push(
                Problem::new(&codes::WRONG_TYPE, item.span, message).help(format!("write {}", names.family.example())),
            );
            None
        }
    });
    Some(nets.collect())
}

/// The typed settings of `cilium.ipam` that `values` must not set a second time.
pub(crate) fn typed_in_values(context: &Context<'_>, values: &Node) {
    let Some(Node { value: Shape::Map(ipam), .. }) = values.get("ipam") else { return };
    let report = |key: &str, span: Span| {
        context.push(
            Problem::new(&codes::IPAM_IN_VALUES, span, format!("`values` sets `{key}`, which has a place of its own"))
                .help(format!("write it as `cilium: {{ipam: {{{key}: ...}}}}`")),
        );
    };
    for entry in &ipam.entries {
        if entry.key == "mode" {
            report("mode", entry.key_span);
        }
        if let ("operator", Shape::Map(operator)) = (entry.key.as_str(), &entry.node.value) {
            for entry in &operator.entries {
                if NAMES.iter().any(|names| entry.key == names.helm_pools || entry.key == names.helm_mask) {
                    report(&entry.key, entry.key_span);
                }
            }
        }
    }
}
