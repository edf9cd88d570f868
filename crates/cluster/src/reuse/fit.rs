//! Whether a cluster that stands can take the place of one that is wanted. Pure.

use semver::Version;

use crate::ClusterSpec;

/// Whether it can, or why not, in words that end "a new cluster: ...".
///
/// What the two are made from must be the same as far as anything in them can tell. Node image and mirror are settings of the provider
/// that made the one and would make the other.
pub(super) fn fits(standing: &ClusterSpec, wanted: &ClusterSpec) -> Result<(), String> {
    let differs = [
        ("workers", standing.workers != wanted.workers),
        ("ipFamily", standing.ip_family != wanted.ip_family),
        ("podSubnet", standing.pod_subnet != wanted.pod_subnet),
        ("serviceSubnet", standing.service_subnet != wanted.service_subnet),
        ("kubeControllerManager", standing.controller_manager != wanted.controller_manager),
    ];
    if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
        return Err(format!("the one that stands has another {what}"));
    }
    if versions_allow(&standing.cilium, &wanted.cilium) {
        Ok(())
    } else {
        Err(format!("from Cilium {} to {} is more than one minor release", standing.cilium, wanted.cilium))
    }
}

/// Whether a cluster goes from one version of Cilium to the other.
///
/// "The only tested rollback and upgrade path is between consecutive minor releases" (docs.cilium.io, Upgrade Guide). Cilium is taken
/// away in between, but what it leaves in the kernel and on disk is looked after by the next one as after an upgrade.
pub fn versions_allow(from: &str, to: &str) -> bool {
    match (Version::parse(from), Version::parse(to)) {
        (Ok(from), Ok(to)) => from.major == to.major && from.minor.abs_diff(to.minor) <= 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    fn spec(cilium: &str) -> ClusterSpec {
        ClusterSpec {
            run: "r".into(),
            scenario: "s".into(),
            dir: "d".into(),
            workers: 2,
            ip_family: "ipv4".into(),
            pod_subnet: "10.224.0.0/16".into(),
            service_subnet: "10.96.0.0/16".into(),
            controller_manager: BTreeMap::new(),
            cilium: cilium.into(),
            images: Vec::new(),
            later: Vec::new(),
            timeout_scale: 1.0,
        }
    }

    #[rstest]
    #[case("1.19.1", "1.19.1", true)]
    #[case("1.19.1", "1.19.3", true)]
    #[case("1.19.3", "1.20.0", true)]
    #[case("1.20.2", "1.19.0", true)]
    #[case("1.18.4", "1.20.2", false)]
    #[case("1.20.2", "1.18.4", false)]
    #[case("1.20.0-rc.1", "1.19.3", true)]
    #[case("1.19.1", "2.19.1", false)]
    #[case("1.19.1", "main", false)]
    fn neighbours_only(#[case] from: &str, #[case] to: &str, #[case] allowed: bool) {
        assert_eq!(versions_allow(from, to), allowed);
    }

    #[rstest]
    #[case::same(spec("1.19.1"), None)]
    #[case::other_run(ClusterSpec { run: "q".into(), dir: "e".into(), images: vec!["a".into()], timeout_scale: 2.0, ..spec("1.20.0") }, None)]
    #[case::workers(ClusterSpec { workers: 3, ..spec("1.19.1") }, Some("the one that stands has another workers"))]
    #[case::family(ClusterSpec { ip_family: "dual".into(), ..spec("1.19.1") }, Some("another ipFamily"))]
    #[case::pods(ClusterSpec { pod_subnet: "10.0.0.0/8".into(), ..spec("1.19.1") }, Some("another podSubnet"))]
    #[case::services(ClusterSpec { service_subnet: String::new(), ..spec("1.19.1") }, Some("another serviceSubnet"))]
    #[case::flags(
        ClusterSpec { controller_manager: BTreeMap::from([("node-cidr-mask-size".into(), "26".into())]), ..spec("1.19.1") },
        Some("another kubeControllerManager")
    )]
    #[case::version(spec("1.17.0"), Some("from Cilium 1.19.1 to 1.17.0 is more than one minor release"))]
    fn of_one_recipe(#[case] wanted: ClusterSpec, #[case] why: Option<&str>) {
        match (fits(&spec("1.19.1"), &wanted), why) {
            (Ok(()), None) => {}
            (Err(text), Some(why)) => assert!(text.contains(why), "{text}"),
            (other, why) => panic!("{other:?}, expected {why:?}"),
        }
    }
}
