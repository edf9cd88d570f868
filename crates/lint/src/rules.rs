//! Every rule: its code, how grave it is, what it means, and its page.

use crate::Severity;

/// A rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Kebab-case; never changes its meaning.
    pub code: &'static str,
    /// How grave a finding is, as a rule.
    pub severity: Severity,
    /// What it means, in a line.
    pub meaning: &'static str,
    /// The explanation: Markdown, with what it is, why it matters, what to do, and what proves it.
    pub page: &'static str,
}

macro_rules! rules {
    ($($ident:ident $code:literal $severity:ident $meaning:literal;)*) => {
        $(pub(crate) static $ident: Rule = Rule {
            code: $code,
            severity: Severity::$severity,
            meaning: $meaning,
            page: include_str!(concat!("../pages/", $code, ".md")),
        };)*

        /// All rules, in the order of their pages.
        pub static ALL: &[&Rule] = &[$(&$ident),*];
    };
}

rules! {
    // What the operator does not start with.
    BAD_CIDR "bad-cidr" Error "an element of a pool list is not an IP range";
    WRONG_FAMILY "wrong-family" Error "an IPv6 range in the IPv4 list, or the reverse";
    OVERLAPPING_RANGES "overlapping-ranges" Error "two pools of a list share addresses";
    MASK_OUT_OF_RANGE "mask-out-of-range" Error "a mask size that the address family does not have";
    MASK_TOO_FAR "mask-too-far" Error "an IPv6 pool that would hold more than 65,536 node ranges";
    NO_POOL "no-pool" Error "an address family is on and has no pool";
    POOL_OF_DISABLED_FAMILY "pool-of-disabled-family" Error "an address family is off and has pools";
    UNREADABLE_VALUE "unreadable-value" Error "a value that Cilium's processes cannot read";
    OPERATOR_REFUSES "operator-refuses" Error "the operator does not start with these pools";
    UNKNOWN_MODE "unknown-mode" Error "an IPAM mode that Cilium does not know";
    // The chart.
    CHART_REFUSES "chart-refuses" Error "the chart does not render with these values";
    REMOVED_KEY "removed-key" Error "a value that the chart no longer has";
    UNKNOWN_KEY "unknown-key" Warning "a value that the chart never reads";
    POOL_WITHOUT_EFFECT "pool-without-effect" Warning "pools are set and the mode does not use them";
    // Pools that start, and are not what is meant.
    UNALIGNED_POOL "unaligned-pool" Warning "a pool with host bits: ranges are cut from its whole network";
    POOL_SMALLER_THAN_MASK "pool-smaller-than-mask" Warning "a pool without room for one node's range";
    RANGE_TOO_SMALL_FOR_PODS "range-too-small-for-pods" Warning "a node's range has no address left for pods";
    RANGE_SMALLER_THAN_MAX_PODS "range-smaller-than-max-pods" Note "a node may run more pods than its range has addresses";
    POOL_TOO_SMALL_FOR_NODES "pool-too-small-for-nodes" Warning "there are more nodes than ranges in the pools";
    POOL_NEARLY_FULL "pool-nearly-full" Warning "four fifths of the node ranges are used";
    // What is around the pools.
    POOL_OVERLAPS_SERVICE_CIDR "pool-overlaps-service-cidr" Warning "a pool holds addresses of Services";
    POOL_OVERLAPS_NODE_NETWORK "pool-overlaps-node-network" Warning "a pool holds addresses of nodes";
    POOL_OVERLAPS_POD_SUBNET "pool-overlaps-pod-subnet" Warning "kube-controller-manager hands out ranges of a pool as well";
    POOL_OUTSIDE_NATIVE_ROUTING_CIDR "pool-outside-native-routing-cidr" Warning "a pool is not within the native-routing CIDR";
    // A running cluster, and a change to it.
    PODCIDR_OVERLAP "podcidr-overlap" Error "two CiliumNodes have ranges with common addresses";
    NODE_STATUS_AFTER_CHANGE "node-status-after-change" Error "a node's operator-status will show an error";
    PODCIDRS_EMPTIED_BY_CHANGE "podcidrs-emptied-by-change" Error "a node will lose its podCIDRs";
    MODE_CHANGE "mode-change" Warning "the IPAM mode of a running cluster changes";
    MASK_CHANGE "mask-change" Warning "the mask size of a running cluster changes";
    POOL_ELEMENT_CHANGED "pool-element-changed" Warning "a pool of a running cluster goes or changes";
}

/// The rule with that code.
pub fn find(code: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.code == code).copied()
}

/// The known word nearest to what is written, if one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(lower.chars().count()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_every_page_says_what_why_what_to_do_and_what_proves_it() {
        for (index, rule) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other.code != rule.code), "{}", rule.code);
            assert!(rule.page.starts_with(&format!("# {}\n", rule.code)), "{}", rule.code);
            for heading in ["## Why it matters\n", "## What to do\n", "## What proves it\n"] {
                assert!(rule.page.contains(heading), "{}: {heading}", rule.code);
            }
            assert_eq!(find(rule.code), Some(*rule));
        }
    }

    #[test]
    fn a_code_that_scenarios_have_means_the_same_there() {
        for rule in ALL {
            let shared = scenario::codes::find(rule.code).is_some();
            let domain = scenario::codes::DOMAIN.contains(&rule.code);
            assert!(!(shared && domain), "{}", rule.code);
        }
        // A code is a domain rule's, or one that scenarios are judged by once they are read.
        for code in scenario::codes::DOMAIN {
            assert!(find(code).is_some() != scenario::codes::find(code).is_some(), "{code}");
        }
    }

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("cluster-role", ["cluster-pool", "kubernetes"]), Some("cluster-pool"));
        assert_eq!(nearest("banana", ["cluster-pool", "kubernetes"]), None);
    }
}
