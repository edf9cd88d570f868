//! ConfigMap `kube-system/cilium-config`: its keys, and how each Cilium version reads them.

use std::collections::BTreeMap;

use semver::Version;

/// Name of the ConfigMap.
pub const CONFIG_MAP: &str = "cilium-config";
/// IPAM mode.
pub const IPAM: &str = "ipam";
/// Pools of mode cluster-pool, IPv4.
pub const CLUSTER_POOL_IPV4_CIDR: &str = "cluster-pool-ipv4-cidr";
/// Prefix length of a node's IPv4 range.
pub const CLUSTER_POOL_IPV4_MASK_SIZE: &str = "cluster-pool-ipv4-mask-size";
/// Pools of mode cluster-pool, IPv6.
pub const CLUSTER_POOL_IPV6_CIDR: &str = "cluster-pool-ipv6-cidr";
/// Prefix length of a node's IPv6 range.
pub const CLUSTER_POOL_IPV6_MASK_SIZE: &str = "cluster-pool-ipv6-mask-size";
/// Whether IPv4 is on.
pub const ENABLE_IPV4: &str = "enable-ipv4";
/// Whether IPv6 is on.
pub const ENABLE_IPV6: &str = "enable-ipv6";
/// Pools that the operator creates by itself in mode multi-pool.
pub const AUTO_CREATE_POOLS: &str = "auto-create-cilium-pod-ip-pools";
/// How often the operator looks for pods without an endpoint: seconds up to 1.18, a duration from 1.19.
pub const UNMANAGED_POD_WATCHER_INTERVAL: &str = "unmanaged-pod-watcher-interval";
/// Key of the taint on nodes whose agent is not ready.
pub const AGENT_NOT_READY_TAINT_KEY: &str = "agent-not-ready-taint-key";
/// Whether the operator removes that taint.
pub const REMOVE_NODE_TAINTS: &str = "remove-cilium-node-taints";
/// Whether the operator sets that taint.
pub const SET_NODE_TAINTS: &str = "set-cilium-node-taints";
/// Whether the operator sets the Node condition `NetworkUnavailable`.
pub const SET_CILIUM_IS_UP: &str = "set-cilium-is-up-condition";

/// Modes that the agents know, in the order of pkg/ipam/option/option.go (1.16 to 1.20).
pub const MODES: [&str; 8] =
    ["kubernetes", "crd", "eni", "azure", "cluster-pool", "multi-pool", "alibabacloud", "delegated-plugin"];

/// Mode of a component that was told none: the operator's default.
pub const DEFAULT_MODE: &str = "cluster-pool";

/// Pools of one family, as the operator reads them. Nothing is checked yet: that is the operator's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolText {
    /// The list's elements.
    pub cidrs: Vec<String>,
    /// The mask size, or why the process refuses it before anything else (`option cluster-pool-ipv4-mask-size: unable to cast ...`).
    pub mask: Result<i64, String>,
}

/// The IPAM part of `cilium-config`, as a process of one version reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpamSettings {
    /// `ipam`; any text.
    pub mode: String,
    /// `enable-ipv4`.
    pub ipv4_enabled: bool,
    /// `enable-ipv6`.
    pub ipv6_enabled: bool,
    /// IPv4 pools.
    pub ipv4: PoolText,
    /// IPv6 pools.
    pub ipv6: PoolText,
}

impl IpamSettings {
    /// Reads the ConfigMap's data as Cilium `version` does. Absent keys have the binaries' defaults (operator/cmd/flags.go): masks 24
    /// and 112, no pools.
    pub fn read(data: &BTreeMap<String, String>, version: &Version) -> Self {
        let text = |key: &str| data.get(key).map(String::as_str);
        let family = |cidrs: &str, mask: &str, default_mask: i64| PoolText {
            cidrs: split_list(text(cidrs).unwrap_or_default(), version),
            mask: text(mask)
                .map_or(Ok(default_mask), |value| integer(value).map_err(|error| format!("option {mask}: {error}"))),
        };
        Self {
            mode: text(IPAM).unwrap_or(DEFAULT_MODE).to_owned(),
            ipv4_enabled: boolean(text(ENABLE_IPV4).unwrap_or("true")),
            ipv6_enabled: boolean(text(ENABLE_IPV6).unwrap_or("true")),
            ipv4: family(CLUSTER_POOL_IPV4_CIDR, CLUSTER_POOL_IPV4_MASK_SIZE, 24),
            ipv6: family(CLUSTER_POOL_IPV6_CIDR, CLUSTER_POOL_IPV6_MASK_SIZE, 112),
        }
    }

    /// The first value that every process of Cilium refuses at its start (`Incorrect config-map flag value`), if there is one.
    pub fn refused(&self) -> Option<&str> {
        [&self.ipv4, &self.ipv6].into_iter().find_map(|pool| pool.mask.as_ref().err()).map(String::as_str)
    }
}

/// Splits a list option. Up to 1.19 on white space only (viper `GetStringSlice`, operator/option/config.go); from 1.20 on commas, and
/// a list of one element again on white space (hive `cell.Config`).
pub fn split_list(text: &str, version: &Version) -> Vec<String> {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    if (version.major, version.minor) < (1, 20) {
        return words(text);
    }
    let parts: Vec<&str> = text.split(',').collect();
    match parts.as_slice() {
        [one] => words(one),
        _ => parts.into_iter().map(|part| part.trim().to_owned()).collect(),
    }
}

/// `strconv.ParseBool`, with which both processes read booleans; what it refuses counts as false.
pub fn boolean(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// An integer as `spf13/cast` reads it from a string: empty is 0, a leading zero means octal, `0x` hexadecimal.
///
/// # Errors
/// The text of its error.
pub fn integer(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let parsed = if let Some(hex) = lower.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        i64::from_str_radix(octal, 8)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        i64::from_str_radix(binary, 2)
    } else if lower.len() > 1 && lower.starts_with('0') {
        i64::from_str_radix(&lower[1..], 8)
    } else {
        lower.parse()
    };
    // A second sign would slip through Rust's parser.
    match parsed {
        Ok(value) if !digits.starts_with(['-', '+']) => Ok(sign * value),
        _ => Err(format!(
            "unable to cast {text:?} of type string to int: strconv.ParseInt: parsing {text:?}: invalid syntax"
        )),
    }
}

/// An interval: a plain number of seconds (charts up to 1.18) or a Go duration such as `15s` or `1m30s`. None if it is neither.
pub fn interval(text: &str) -> Option<std::time::Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(std::time::Duration::from_secs(seconds));
    }
    let mut total = std::time::Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let seconds = match &after[..unit_end] {
            "ms" => number / 1000.0,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3600.0,
            _ => return None,
        };
        total += std::time::Duration::try_from_secs_f64(seconds).ok()?;
        rest = &after[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[rstest]
    #[case::white_space("10.0.0.0/16 10.1.0.0/16", "1.19.1", &["10.0.0.0/16", "10.1.0.0/16"])]
    #[case::comma_is_one_bogus_range("10.0.0.0/16,10.1.0.0/16", "1.19.1", &["10.0.0.0/16,10.1.0.0/16"])]
    #[case::comma_from_1_20("10.0.0.0/16,10.1.0.0/16", "1.20.2", &["10.0.0.0/16", "10.1.0.0/16"])]
    #[case::white_space_in_1_20("10.0.0.0/16 10.1.0.0/16", "1.20.2", &["10.0.0.0/16", "10.1.0.0/16"])]
    #[case::one("10.0.0.0/8", "1.20.2", &["10.0.0.0/8"])]
    #[case::empty("", "1.18.4", &[])]
    #[case::empty_in_1_20("", "1.20.2", &[])]
    fn splits(#[case] text: &str, #[case] version: &str, #[case] expected: &[&str]) {
        assert_eq!(split_list(text, &version.parse().unwrap()), expected);
    }

    #[rstest]
    #[case("24", Ok(24))]
    #[case("", Ok(0))]
    #[case("024", Ok(20))]
    #[case("0x18", Ok(24))]
    #[case("-1", Ok(-1))]
    #[case("0", Ok(0))]
    #[case("abc", Err("unable to cast \"abc\" of type string to int"))]
    #[case("--1", Err("unable to cast"))]
    #[case("08", Err("unable to cast"))]
    fn reads_integers(#[case] text: &str, #[case] expected: Result<i64, &str>) {
        match (integer(text), expected) {
            (Ok(value), Ok(wanted)) => assert_eq!(value, wanted),
            (Err(error), Err(start)) => assert!(error.starts_with(start), "{error}"),
            (value, wanted) => panic!("{value:?} instead of {wanted:?}"),
        }
    }

    #[rstest]
    #[case("15", Some(Duration::from_secs(15)))]
    #[case("15s", Some(Duration::from_secs(15)))]
    #[case("1m30s", Some(Duration::from_secs(90)))]
    #[case("250ms", Some(Duration::from_millis(250)))]
    #[case("0", Some(Duration::ZERO))]
    #[case("", None)]
    #[case("soon", None)]
    fn reads_intervals(#[case] text: &str, #[case] expected: Option<Duration>) {
        assert_eq!(interval(text), expected);
    }

    #[test]
    fn absent_keys_have_the_binaries_defaults() {
        let settings = IpamSettings::read(&BTreeMap::new(), &Version::new(1, 19, 1));
        assert_eq!(settings.mode, "cluster-pool");
        assert_eq!(settings.ipv4, PoolText { cidrs: vec![], mask: Ok(24) });
        assert_eq!(settings.ipv6, PoolText { cidrs: vec![], mask: Ok(112) });
        assert_eq!(settings.refused(), None);
    }

    #[test]
    fn a_mask_that_is_no_number_is_refused() {
        let settings = IpamSettings::read(&data(&[(CLUSTER_POOL_IPV4_MASK_SIZE, "abc")]), &Version::new(1, 19, 1));
        let refused = settings.refused().unwrap();
        assert!(refused.starts_with("option cluster-pool-ipv4-mask-size: unable to cast \"abc\""), "{refused}");
    }
}
