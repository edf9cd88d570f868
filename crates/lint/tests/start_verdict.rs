//! The operator's own start-up verdict on good and bad pool settings, against the linter's, for three versions.
//!
//! The third column is what real operators answer (`crates/ipam/tests/data`, and the sources that the crate's version table names); the
//! model must say the same, and the linter must have an error exactly where the operator does not start.

use std::collections::BTreeMap;

use ipam::Release;
use ipam::operator::{Operator, OperatorConfig, Timing};
use lint::Severity;
use semver::Version;

const LEGACY: [&str; 2] = ["1.18.4", "1.19.1"];
const G20: [&str; 1] = ["1.20.2"];

/// A setting: its name, the keys, what operators up to 1.19 say, what 1.20 says. Empty: they start.
struct Case(&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

const V4: &str = "cluster-pool-ipv4-cidr";
const M4: &str = "cluster-pool-ipv4-mask-size";
const V6: &str = "cluster-pool-ipv6-cidr";
const M6: &str = "cluster-pool-ipv6-mask-size";

const CASES: &[Case] = &[
    Case("one pool", &[(V4, "10.0.0.0/8"), (M4, "24")], "", ""),
    Case("two pools", &[(V4, "10.0.0.0/16 10.1.0.0/16"), (M4, "24")], "", ""),
    Case("every address a node", &[(V4, "10.0.0.0/8"), (M4, "32")], "", ""),
    Case("host bits", &[(V4, "192.168.54.16/26"), (M4, "28")], "", ""),
    Case("smaller than the mask", &[(V4, "10.0.0.0/30"), (M4, "24")], "", ""),
    Case("mask 0", &[(V4, "10.0.0.0/8"), (M4, "0")], "", ""),
    Case("octal mask", &[(V4, "10.0.0.0/8"), (M4, "024")], "", ""),
    Case("dual stack", &[("enable-ipv6", "true"), (V4, "10.0.0.0/8"), (V6, "fd00::/104"), (M6, "120")], "", ""),
    Case("mask not set", &[(V4, "10.0.0.0/8")], "", ""),
    Case(
        "a later pool inside",
        &[(V4, "10.0.0.0/8 10.1.0.0/16"), (M4, "24")],
        "unable to initialize IPv4 allocator: requested CIDR 10.1.0.0/16 collides with clusterCIDR: 10.0.0.0/8, nodeMask: 24",
        "unable to initialize IPv4 allocator: requested CIDR 10.1.0.0/16 collides with clusterCIDR: 10.0.0.0/8, nodeMask: 24",
    ),
    Case(
        "a later pool around",
        &[(V4, "10.0.0.0/16 10.0.0.0/8"), (M4, "24")],
        "unable to initialize IPv4 allocator: requested CIDR 10.0.0.0/8 collides with clusterCIDR: 10.0.0.0/16, nodeMask: 24",
        "unable to initialize IPv4 allocator: requested CIDR 10.0.0.0/8 collides with clusterCIDR: 10.0.0.0/16, nodeMask: 24",
    ),
    Case(
        "mask 33",
        &[(V4, "10.0.0.0/16"), (M4, "33")],
        "unable to initialize IPv4 allocator: SubNetMask is invalid, should be lower or equal to 32 for IPv4 and to 128 for IPv6",
        "unable to initialize IPv4 allocator: SubNetMask is invalid, should be lower or equal to 32 for IPv4 and to 128 for IPv6",
    ),
    Case(
        "no pool",
        &[(M4, "24")],
        "cluster-pool-ipv4-cidr must be provided when using ClusterPool",
        "cluster-pool-ipv4-cidr must be provided when using ClusterPool",
    ),
    Case(
        "IPv6 among IPv4",
        &[(V4, "10.0.0.0/16 fd00::/104"), (M4, "24")],
        "unable to initialize IPv4 allocator: CIDR is not v4 family: fd00::/104",
        "unable to initialize IPv4 allocator: CIDR is not v4 family: fd00::/104",
    ),
    Case(
        "IPv6 too big",
        &[("enable-ipv6", "true"), (V4, "10.0.0.0/16"), (V6, "fd00::/64"), (M6, "120")],
        "unable to initialize IPv6 allocator: New CIDR set failed; the node CIDR size is too big",
        "unable to initialize IPv6 allocator: New CIDR set failed; the node CIDR size is too big",
    ),
    Case(
        "IPv6 off with a pool",
        &[(V4, "10.0.0.0/16"), (V6, "fd00::/104")],
        "cluster-pool-ipv6-cidr must not be set if IPv6 is disabled",
        "cluster-pool-ipv6-cidr must not be set if IPv6 is disabled",
    ),
    Case(
        "a comma",
        &[(V4, "10.0.0.0/16,10.1.0.0/16"), (M4, "24")],
        "unable to initialize IPv4 allocator: invalid CIDR address: 10.0.0.0/16,10.1.0.0/16",
        "",
    ),
    Case(
        "a comma at the end",
        &[(V4, "10.0.0.0/16,"), (M4, "24")],
        "unable to initialize IPv4 allocator: invalid CIDR address: 10.0.0.0/16,",
        "unable to initialize IPv4 allocator: netip.ParsePrefix(\"\"): no '/'",
    ),
    Case(
        "an address",
        &[(V4, "10.0.0.0"), (M4, "24")],
        "unable to initialize IPv4 allocator: invalid CIDR address: 10.0.0.0",
        "unable to initialize IPv4 allocator: netip.ParsePrefix(\"10.0.0.0\"): no '/'",
    ),
    Case(
        "a prefix length that does not exist",
        &[(V4, "10.0.0.0/33"), (M4, "24")],
        "unable to initialize IPv4 allocator: invalid CIDR address: 10.0.0.0/33",
        "unable to initialize IPv4 allocator: netip.ParsePrefix(\"10.0.0.0/33\"): prefix length out of range",
    ),
    Case(
        "a mask that is no number",
        &[(V4, "10.0.0.0/16"), (M4, "abc")],
        "option cluster-pool-ipv4-mask-size: unable to cast \"abc\" of type string to int: strconv.ParseInt: parsing \"abc\": invalid syntax",
        "option cluster-pool-ipv4-mask-size: unable to cast \"abc\" of type string to int: strconv.ParseInt: parsing \"abc\": invalid syntax",
    ),
    Case(
        "a mask with decimals",
        &[(V4, "10.0.0.0/16"), (M4, "24.0")],
        "",
        "cannot parse 'cluster-pool-ipv4-mask-size' as int: strconv.ParseInt: parsing \"24.0\": invalid syntax",
    ),
];

fn data(case: &Case) -> BTreeMap<String, String> {
    let mut data = BTreeMap::from([("enable-ipv6".to_owned(), "false".to_owned())]);
    data.extend(case.1.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    data
}

/// What the model's operator says; empty if it starts.
fn operator(data: &BTreeMap<String, String>, release: Release) -> String {
    match OperatorConfig::from_config_map(data, release) {
        Err(error) => error.to_string(),
        Ok(config) => match Operator::start(&config, release, Timing::default()) {
            Err(error) => error.to_string(),
            Ok(_) => String::new(),
        },
    }
}

#[test]
fn the_linter_has_an_error_exactly_where_the_operator_does_not_start() {
    assert!(CASES.len() >= 20);
    let mut compared = 0;
    for case in CASES {
        for (versions, expected) in [(&LEGACY[..], case.2), (&G20[..], case.3)] {
            for version in versions {
                let data = data(case);
                let said = operator(&data, version.parse().unwrap());
                // Go's own words about decimals are not what this is about.
                if expected.starts_with("cannot parse") {
                    assert!(said.starts_with("cannot parse"), "{}: {said}", case.0);
                } else {
                    assert_eq!(said, expected, "{} on {version}", case.0);
                }
                let lines: String = data.iter().map(|(key, value)| format!("  {key}: \"{value}\"\n")).collect();
                let text = format!("kind: ConfigMap\nmetadata: {{name: cilium-config}}\ndata:\n{lines}");
                let version: Version = version.parse().unwrap();
                let (settings, found) = lint::config_map("cm.yaml", text.as_bytes(), &version).unwrap();
                let report = lint::lint(&settings, None, found);
                let refused = report.count(Severity::Error) > 0;
                assert_eq!(refused, !expected.is_empty(), "{} on {version}: {:#?}", case.0, report.findings);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, CASES.len() * 3);
}
