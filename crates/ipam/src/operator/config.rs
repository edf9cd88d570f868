//! The operator's configuration, from `cilium-config` or given directly.

use std::collections::BTreeMap;

use super::family::Family;
use crate::golang::{parse_bool, parse_int, to_int};
use crate::version::{Behaviour, Release};

/// Keys of `cilium-config` that the allocator reads.
pub mod keys {
    /// The IPAM mode.
    pub const IPAM: &str = "ipam";
    /// Whether IPv4 is on.
    pub const ENABLE_IPV4: &str = "enable-ipv4";
    /// Whether IPv6 is on.
    pub const ENABLE_IPV6: &str = "enable-ipv6";
    /// The IPv4 pools.
    pub const IPV4_CIDR: &str = "cluster-pool-ipv4-cidr";
    /// Prefix length of a node's IPv4 CIDR.
    pub const IPV4_MASK: &str = "cluster-pool-ipv4-mask-size";
    /// The IPv6 pools.
    pub const IPV6_CIDR: &str = "cluster-pool-ipv6-cidr";
    /// Prefix length of a node's IPv6 CIDR.
    pub const IPV6_MASK: &str = "cluster-pool-ipv6-mask-size";
}

/// The pools of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// Pools as written, in their order.
    pub cidrs: Vec<String>,
    /// Prefix length of a node's CIDR. Any integer gets as far as the allocator.
    pub mask: i64,
}

/// What the operator was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorConfig {
    /// Whether IPv4 is on.
    pub ipv4: bool,
    /// Whether IPv6 is on.
    pub ipv6: bool,
    /// The IPv4 pools.
    pub v4: PoolConfig,
    /// The IPv6 pools.
    pub v6: PoolConfig,
}

/// A value that the operator cannot read. It exits at once, before it tries to become the leader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Refused by the check of the whole ConfigMap: log `Incorrect config-map flag value`.
    #[error("option {key}: {message}")]
    Flag {
        /// The key.
        key: String,
        /// Go's words.
        message: String,
    },
    /// Passed that check (which cuts decimals off), and then could not be decoded (1.20 only).
    #[error("cannot parse '{field}' as int: {message}")]
    Decode {
        /// The key.
        key: String,
        /// The field of the operator's own configuration: it does not name the key.
        field: &'static str,
        /// Go's words.
        message: String,
    },
}

impl Default for OperatorConfig {
    /// The binary's own defaults (`operator/cmd/flags.go`, `operator/pkg/ipam/clusterpool.go`): no pools.
    fn default() -> Self {
        Self {
            ipv4: true,
            ipv6: true,
            v4: PoolConfig { cidrs: Vec::new(), mask: 24 },
            v6: PoolConfig { cidrs: Vec::new(), mask: 112 },
        }
    }
}

impl OperatorConfig {
    /// IPv4 alone.
    pub fn ipv4<S: Into<String>>(cidrs: impl IntoIterator<Item = S>, mask: i64) -> Self {
        let v4 = PoolConfig { cidrs: cidrs.into_iter().map(Into::into).collect(), mask };
        Self { ipv6: false, v4, ..Self::default() }
    }

    /// Both families.
    pub fn dual_stack<S: Into<String>>(
        v4: impl IntoIterator<Item = S>,
        mask4: i64,
        v6: impl IntoIterator<Item = S>,
        mask6: i64,
    ) -> Self {
        let v6 = PoolConfig { cidrs: v6.into_iter().map(Into::into).collect(), mask: mask6 };
        Self { ipv6: true, v6, ..Self::ipv4(v4, mask4) }
    }

    /// Whether a family is on, and its pools.
    pub fn family(&self, family: Family) -> (bool, &PoolConfig) {
        match family {
            Family::V4 => (self.ipv4, &self.v4),
            Family::V6 => (self.ipv6, &self.v6),
        }
    }

    /// Reads the data of `cilium-config`, as the operator of that release does. Values are taken without the white space
    /// around them; keys that the allocator does not read are skipped.
    ///
    /// # Errors
    /// When the operator would exit over a value.
    pub fn from_config_map(data: &BTreeMap<String, String>, release: Release) -> Result<Self, ConfigError> {
        let value = |key: &str| data.get(key).map(|text| text.trim());
        let flag = |key: &str, message| ConfigError::Flag { key: key.to_owned(), message };
        let mut config = Self::default();
        for (key, field) in [(keys::ENABLE_IPV4, &mut config.ipv4), (keys::ENABLE_IPV6, &mut config.ipv6)] {
            if let Some(text) = value(key) {
                *field = parse_bool(text).map_err(|message| flag(key, message))?;
            }
        }
        let masks = [
            (keys::IPV4_MASK, "ClusterPoolIPv4MaskSize", &mut config.v4.mask),
            (keys::IPV6_MASK, "ClusterPoolIPv6MaskSize", &mut config.v6.mask),
        ];
        for (key, name, mask) in masks {
            if let Some(text) = value(key) {
                *mask = to_int(text).map_err(|message| flag(key, message))?;
                // 1.20 decodes the text a second time, by mapstructure, which knows no decimals.
                if release.has(Behaviour::SplitsListsOnCommas) && !text.is_empty() {
                    *mask = parse_int(text).map_err(|message| ConfigError::Decode {
                        key: key.to_owned(),
                        field: name,
                        message,
                    })?;
                }
            }
        }
        for (key, field) in [(keys::IPV4_CIDR, &mut config.v4.cidrs), (keys::IPV6_CIDR, &mut config.v6.cidrs)] {
            if let Some(text) = value(key) {
                *field = split_list(text, release);
            }
        }
        Ok(config)
    }
}

/// Splits a list in `cilium-config`: on white space up to 1.19; in 1.20 on commas, and a single element on white space.
pub fn split_list(text: &str, release: Release) -> Vec<String> {
    if release.has(Behaviour::SplitsListsOnCommas) && text.contains(',') {
        text.split(',').map(str::to_owned).collect()
    } else {
        text.split_whitespace().map(str::to_owned).collect()
    }
}

impl ConfigError {
    /// What the operator's log says.
    pub fn log(&self) -> super::LogLine {
        match self {
            Self::Flag { .. } => super::LogLine {
                level: "fatal",
                message: "Incorrect config-map flag value".to_owned(),
                error: Some(self.to_string()),
            },
            Self::Decode { .. } => super::LogLine {
                level: "fatal",
                message: "failed to unmarshal config struct ipam.ClusterPoolConfig".to_owned(),
                error: Some(self.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    fn read(pairs: &[(&str, &str)], version: &str) -> Result<OperatorConfig, ConfigError> {
        let data = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        OperatorConfig::from_config_map(&data, release(version))
    }

    #[rstest]
    #[case("10.0.0.0/16 10.1.0.0/16", "1.19", &["10.0.0.0/16", "10.1.0.0/16"])]
    #[case("10.0.0.0/16 10.1.0.0/16", "1.20", &["10.0.0.0/16", "10.1.0.0/16"])]
    #[case("10.0.0.0/16,10.1.0.0/16", "1.19", &["10.0.0.0/16,10.1.0.0/16"])]
    #[case("10.0.0.0/16,10.1.0.0/16", "1.20", &["10.0.0.0/16", "10.1.0.0/16"])]
    #[case("10.0.0.0/16, 10.1.0.0/16", "1.20", &["10.0.0.0/16", " 10.1.0.0/16"])]
    #[case("10.0.0.0/16,", "1.20", &["10.0.0.0/16", ""])]
    #[case("", "1.19", &[])]
    #[case("", "1.20", &[])]
    fn lists(#[case] text: &str, #[case] version: &str, #[case] expected: &[&str]) {
        assert_eq!(split_list(text, release(version)), expected);
        let config = read(&[(keys::IPV4_CIDR, text)], version).unwrap();
        assert_eq!(config.v4.cidrs, expected);
    }

    #[rstest]
    #[case("1.19")]
    #[case("1.20")]
    fn integers(#[case] version: &str) {
        assert_eq!(read(&[(keys::IPV4_MASK, "024")], version).unwrap().v4.mask, 20);
        assert_eq!(read(&[(keys::IPV4_MASK, "")], version).unwrap().v4.mask, 0);
        assert_eq!(read(&[(keys::IPV6_MASK, " 120\n")], version).unwrap().v6.mask, 120);
        assert_eq!(read(&[], version).unwrap(), OperatorConfig::default());
        let error = read(&[(keys::IPV4_MASK, "abc")], version).unwrap_err();
        assert_eq!(
            error.to_string(),
            "option cluster-pool-ipv4-mask-size: unable to cast \"abc\" of type string to int: \
             strconv.ParseInt: parsing \"abc\": invalid syntax"
        );
        assert_eq!(error.log().message, "Incorrect config-map flag value");
    }

    #[test]
    fn decimals_pass_until_they_are_decoded() {
        assert_eq!(read(&[(keys::IPV4_MASK, "24.0")], "1.19").unwrap().v4.mask, 24);
        let error = read(&[(keys::IPV4_MASK, "24.0")], "1.20").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot parse 'ClusterPoolIPv4MaskSize' as int: strconv.ParseInt: parsing \"24.0\": invalid syntax"
        );
    }

    #[test]
    fn booleans() {
        assert!(!read(&[(keys::ENABLE_IPV6, "false")], "1.19").unwrap().ipv6);
        let error = read(&[(keys::ENABLE_IPV4, "yes")], "1.19").unwrap_err();
        assert_eq!(error.to_string(), "option enable-ipv4: strconv.ParseBool: parsing \"yes\": invalid syntax");
    }
}
