//! Keys of `cilium-config` that look like the allocator's and are none.

use ipam::operator::keys;

use crate::rules::nearest;
use crate::settings::Settings;
use crate::{Finding, Origin, rules};

const OURS: [&str; 4] = [keys::IPV4_CIDR, keys::IPV4_MASK, keys::IPV6_CIDR, keys::IPV6_MASK];

pub(super) fn check(settings: &Settings, findings: &mut Vec<Finding>) {
    if !matches!(settings.origin, Origin::ConfigMap | Origin::Cluster) {
        return;
    }
    for key in settings.config.keys().filter(|key| key.starts_with("cluster-pool")) {
        if OURS.contains(&key.as_str()) {
            continue;
        }
        let near = nearest(key, OURS).unwrap_or(keys::IPV4_CIDR);
        let message = format!("cilium-config has no key `{key}`: nothing reads it");
        findings.push(Finding::new(&rules::UNKNOWN_KEY, settings.place(key), message).help(format!("write `{near}`")));
    }
}
