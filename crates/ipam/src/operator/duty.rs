//! What an operator does at all, in the mode that it was started with.

use super::LogLine;
use crate::agent::IpamMode;
use crate::version::{Behaviour, Release};

/// The allocator of an operator (`cilium-operator-generic`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Duty {
    /// It allocates podCIDRs: start an [`Operator`](super::Operator).
    ClusterPool,
    /// It runs without an allocator: no podCIDRs are given, and an error in a CiliumNode stays whatever happens.
    Idle,
    /// It exits at once, and again at each start.
    Exits(LogLine),
    /// It has an allocator that this crate does not model.
    NotModelled(IpamMode),
}

/// What the operator does with `ipam` as written; case counts. An absent key is `cluster-pool`.
/// `operator/cmd/root.go` (`onStart`) up to 1.19, `operator/pkg/ipam/cell.go` from 1.20 on.
pub fn duty(ipam: &str, release: Release) -> Duty {
    match ipam.parse() {
        Ok(IpamMode::ClusterPool) => Duty::ClusterPool,
        Ok(mode @ IpamMode::MultiPool) => Duty::NotModelled(mode),
        Ok(mode @ (IpamMode::Eni | IpamMode::Azure | IpamMode::AlibabaCloud))
            if !release.has(Behaviour::IdlesInForeignModes) =>
        {
            let message = format!("{mode} allocator is not supported by this version of cilium-operator-generic");
            Duty::Exits(LogLine { level: "fatal", message, error: None })
        }
        // A mode that does not exist is not noticed here; the agents notice it.
        _ => Duty::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("cluster-pool", Duty::ClusterPool)]
    #[case("Cluster-Pool", Duty::Idle)]
    #[case("kubernetes", Duty::Idle)]
    #[case("crd", Duty::Idle)]
    #[case("cluster-role", Duty::Idle)]
    #[case("multi-pool", Duty::NotModelled(IpamMode::MultiPool))]
    fn in_every_release(#[case] ipam: &str, #[case] expected: Duty) {
        for release in Release::all() {
            assert_eq!(duty(ipam, release), expected, "{release}");
        }
    }

    #[test]
    fn cloud_modes() {
        let Duty::Exits(line) = duty("eni", "1.19".parse().unwrap()) else { panic!("stays") };
        assert_eq!(line.message, "eni allocator is not supported by this version of cilium-operator-generic");
        assert_eq!(duty("eni", "1.20".parse().unwrap()), Duty::Idle);
    }
}
