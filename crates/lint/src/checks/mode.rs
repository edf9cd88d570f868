//! The IPAM mode.

use ipam::IpamMode;
use ipam::operator::{Duty, duty};

use crate::rules::nearest;
use crate::settings::Settings;
use crate::{Finding, Origin, rules};

pub(super) fn check(settings: &Settings, findings: &mut Vec<Finding>) {
    let mode = settings.mode();
    match mode.parse::<IpamMode>() {
        Ok(_) => {
            if let Duty::Exits(line) = duty(mode, settings.release)
                && !matches!(settings.origin, Origin::Values { .. })
            {
                // With values, the chart takes another image for the operator.
                let message = format!("the operator-generic image exits in this mode with \"{}\"", line.message);
                findings.push(
                    Finding::new(&rules::OPERATOR_REFUSES, settings.place("ipam"), message)
                        .severity(crate::Severity::Warning)
                        .help("it needs the operator image of that cloud: install it by the chart with this mode"),
                );
            }
        }
        Err(_) => findings.push(unknown(settings, mode)),
    }
    let Origin::Values { document, .. } = &settings.origin else { return };
    if settings.is_cluster_pool() {
        return;
    }
    for family in ["4", "6"] {
        for name in [format!("clusterPoolIPv{family}PodCIDRList"), format!("clusterPoolIPv{family}MaskSize")] {
            let path = format!("ipam.operator.{name}");
            let Some(node) = document.at(&path) else { continue };
            let place =
                crate::Place { line: node.line, column: node.column, path: path.clone(), ..settings.top.clone() };
            findings.push(
                Finding::new(
                    &rules::POOL_WITHOUT_EFFECT,
                    place,
                    format!("`{path}` is set and the mode is `{mode}`: the chart leaves it out of cilium-config"),
                )
                .help("remove it, or write `ipam: {mode: cluster-pool}`"),
            );
        }
    }
}

fn unknown(settings: &Settings, mode: &str) -> Finding {
    let known = IpamMode::ALL.map(IpamMode::as_str);
    let lower = mode.to_lowercase();
    let list = known.join(", ");
    let (message, help) = if known.contains(&lower.as_str()) {
        (
            format!(
                "`{mode}` is `{lower}` in another case, and case counts: the operator hands out nothing, and agents take their range \
                 from the Node"
            ),
            format!("write `{lower}`"),
        )
    } else {
        let near = nearest(mode, known).map_or_else(String::new, |near| format!("write `{near}`; "));
        (
            format!(
                "Cilium has no IPAM mode `{mode}`: the operator hands out nothing, and agents exit with \"{} {lower}\"",
                ipam::agent::UNKNOWN_BACKEND
            ),
            format!("{near}known: {list}"),
        )
    };
    Finding::new(&rules::UNKNOWN_MODE, settings.place("ipam"), message).help(help)
}
