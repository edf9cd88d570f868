//! What `cilium-dbg` in an agent's container says about the range that the running agent uses.
//!
//! This is the third truth beside the Node's podCIDR and the CiliumNode's podCIDRs: on Cilium 1.20 all three can differ.

use std::sync::LazyLock;

use ipnet::IpNet;
use regex::Regex;
use serde_json::Value;

/// The command whose output [`parse`] reads.
pub const COMMAND: &[&str] = &["cilium-dbg", "status", "-o", "json"];
/// The command whose output [`ipam_mode`] reads.
pub const MODE_COMMAND: &[&str] = &["cilium-dbg", "config", "--read-only", "-o", "json"];

/// How full one range of an agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Addresses in use, those of the agent itself (router, health) included.
    pub allocated: u64,
    /// Addresses that it can hand out.
    pub capacity: u64,
    /// The range.
    pub range: IpNet,
}

/// What an agent allocates from. A family that is off, or an agent that is not that far yet, is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgentIpam {
    /// IPv4.
    pub ipv4: Option<Usage>,
    /// IPv6.
    pub ipv6: Option<Usage>,
}

/// An answer that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatusError {
    /// No IPAM line.
    #[error("the agent's status has no IPAM part: {0}")]
    NoIpam(String),
    /// An IPAM line without a range.
    #[error("the agent's IPAM status names no range: {0}")]
    NoRange(String),
    /// A range that is none.
    #[error("the agent's IPAM status names a range that cannot be read: {0}")]
    BadRange(String),
    /// The mode is not in `cilium-dbg config`'s answer.
    #[error("the agent's configuration has no key IPAM: {0}")]
    NoMode(String),
}

static USAGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(IPv4|IPv6): ([0-9]+)/([0-9]+) allocated from ([0-9a-fA-F.:]+/[0-9]+)").expect("the pattern is valid")
});

/// Reads the output of `cilium-dbg status`, as JSON or as text (`IPAM: IPv4: 5/254 allocated from 10.0.1.0/24, `, cilium/cilium:
/// pkg/ipam/hostscope.go).
///
/// # Errors
/// When there is no such line, or no range in it.
pub fn parse(output: &str) -> Result<AgentIpam, StatusError> {
    let line = match serde_json::from_str::<Value>(output) {
        Ok(json) => json["ipam"]["status"].as_str().map(str::to_owned),
        Err(_) => output
            .lines()
            .find_map(|line| line.trim_start().strip_prefix("IPAM:"))
            .map(|rest| rest.trim().to_owned())
            // The bare line is what tests and logs hand on.
            .or_else(|| output.trim_start().starts_with("IPv").then(|| output.to_owned())),
    };
    let line = line.ok_or_else(|| StatusError::NoIpam(excerpt(output)))?;
    let mut found = AgentIpam::default();
    for parts in USAGE.captures_iter(&line) {
        let number = |index: usize| parts[index].parse::<u64>().unwrap_or(u64::MAX);
        let range: IpNet = parts[4].parse().map_err(|_| StatusError::BadRange(line.clone()))?;
        let usage = Usage { allocated: number(2), capacity: number(3), range };
        match &parts[1] {
            "IPv4" => found.ipv4 = Some(usage),
            _ => found.ipv6 = Some(usage),
        }
    }
    if found == AgentIpam::default() { Err(StatusError::NoRange(line)) } else { Ok(found) }
}

/// Reads the IPAM mode that the agent runs from the output of `cilium-dbg config --read-only -o json` (or `--all`).
///
/// # Errors
/// When the answer is not JSON or has no key `IPAM`.
pub fn ipam_mode(output: &str) -> Result<String, StatusError> {
    let json: Value = serde_json::from_str(output).map_err(|_| StatusError::NoMode(excerpt(output)))?;
    match json["IPAM"].as_str() {
        Some(mode) => Ok(mode.to_owned()),
        None => Err(StatusError::NoMode(excerpt(output))),
    }
}

fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() { "nothing was printed".to_owned() } else { line.chars().take(120).collect() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn usage(allocated: u64, capacity: u64, range: &str) -> Option<Usage> {
        Some(Usage { allocated, capacity, range: range.parse().unwrap() })
    }

    #[rstest]
    #[case::json(
        r#"{"ipam": {"status": "IPv4: 5/254 allocated from 10.0.1.0/24, ", "ipv4": []}}"#,
        usage(5, 254, "10.0.1.0/24"),
        None
    )]
    #[case::text(
        "KVStore:   Disabled\nIPAM:      IPv4: 3/254 allocated from 10.244.0.0/24, \n",
        usage(3, 254, "10.244.0.0/24"),
        None
    )]
    #[case::bare("IPv4: 2/2 allocated from 10.0.0.4/30, ", usage(2, 2, "10.0.0.4/30"), None)]
    #[case::dual(
        "IPAM: IPv4: 5/254 allocated from 10.0.1.0/24, IPv6: 5/254 allocated from fd00::100/120",
        usage(5, 254, "10.0.1.0/24"),
        usage(5, 254, "fd00::100/120")
    )]
    #[case::ipv6("IPAM: IPv6: 5/65534 allocated from fd00::/112", None, usage(5, 65534, "fd00::/112"))]
    fn reads(#[case] output: &str, #[case] ipv4: Option<Usage>, #[case] ipv6: Option<Usage>) {
        assert_eq!(parse(output), Ok(AgentIpam { ipv4, ipv6 }));
    }

    #[rstest]
    #[case::nothing("", "no IPAM part: nothing was printed")]
    #[case::json_without("{\"cilium\": {}}", "no IPAM part")]
    #[case::no_range("IPAM:   \n", "names no range")]
    #[case::bad_range("IPAM: IPv4: 1/2 allocated from 10.0.0.0/99, ", "cannot be read")]
    fn says_what_is_missing(#[case] output: &str, #[case] expected: &str) {
        let error = parse(output).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[rstest]
    #[case(r#"{"IPAM": "kubernetes", "EnableIPv4": true}"#, Some("kubernetes"))]
    #[case("{}", None)]
    #[case("Error: cannot connect", None)]
    fn reads_the_mode(#[case] output: &str, #[case] expected: Option<&str>) {
        assert_eq!(ipam_mode(output).ok().as_deref(), expected);
    }
}
