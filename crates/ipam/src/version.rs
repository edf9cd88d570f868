//! The Cilium releases that the model knows and, as data, where they differ.

use std::fmt;
use std::str::FromStr;

/// The oldest and the newest known minor of Cilium 1.
const KNOWN: std::ops::RangeInclusive<u64> = 16..=20;

/// How the operator's allocator thinks. It was rewritten once, for 1.20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// 1.16 to 1.19: `pkg/ipam/allocator/podcidr`.
    Legacy,
    /// 1.20: `operator/pkg/ipam/allocator/podcidr`.
    G20,
}

/// A minor release of Cilium. Patch releases of a minor behave alike here (their allocator's sources are identical).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    minor: u64,
}

/// A version that the model does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown Cilium version \"{given}\" (known: 1.16, 1.17, 1.18, 1.19, 1.20, with any patch)")]
pub struct UnknownRelease {
    /// As given.
    pub given: String,
}

impl Release {
    /// The release of a `major.minor`.
    ///
    /// # Errors
    /// When it is not one of the known ones.
    pub fn new(major: u64, minor: u64) -> Result<Self, UnknownRelease> {
        if major == 1 && KNOWN.contains(&minor) {
            Ok(Self { minor })
        } else {
            Err(UnknownRelease { given: format!("{major}.{minor}") })
        }
    }

    /// Its minor: 19 for 1.19.
    pub fn minor(self) -> u64 {
        self.minor
    }

    /// Which allocator it has.
    pub fn generation(self) -> Generation {
        if self.has(Behaviour::RewritesRefusedSpec) { Generation::G20 } else { Generation::Legacy }
    }

    /// Whether it does what is described by `behaviour`.
    pub fn has(self, behaviour: Behaviour) -> bool {
        self.minor >= behaviour.difference().since
    }

    /// Every known release, oldest first.
    pub fn all() -> impl Iterator<Item = Self> {
        KNOWN.map(|minor| Self { minor })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

impl FromStr for Release {
    type Err = UnknownRelease;

    /// Reads `1.19`, `1.19.1`, `v1.19.1` or `1.20.0-rc.1`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownRelease { given: text.to_owned() };
        let bare = text.trim();
        let bare = bare.strip_prefix('v').unwrap_or(bare);
        let core = bare.split(['-', '+']).next().unwrap_or_default();
        let numbers: Vec<u64> = core.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| unknown())?;
        match numbers[..] {
            [major, minor] | [major, minor, _] => Self::new(major, minor).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

/// Something that newer releases do and older ones do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behaviour {
    /// A refused request for podCIDRs is overwritten with what the operator has in memory.
    RewritesRefusedSpec,
    /// A family whose CIDR belongs to another node is taken out of the spec instead of refusing the node.
    DropsDuplicateFamily,
    /// CIDR texts are read by `netip.ParsePrefix`, not by `net.ParseCIDR`.
    ParsesWithNetip,
    /// CIDR lists in the ConfigMap may be separated by commas; before, only by white space.
    SplitsListsOnCommas,
    /// The API server refuses a podCIDR that is not a CIDR.
    ValidatesPodCidrs,
    /// The annotation `ipam.cilium.io/ignore: "true"` on a CiliumNode makes the operator skip it.
    HonoursIgnoreAnnotation,
    /// An update of nothing but metadata is an event for the allocator too.
    SeesMetadataUpdates,
    /// A CiliumNode that is being deleted stays allocated until it is gone.
    KeepsDeletingNodes,
    /// The CiliumNodes that exist at start may be handled in any order; before, by name.
    ListsInAnyOrder,
    /// A bad configuration stops the operator in an orderly way, with the lease given back.
    StopsOrderly,
    /// The operator starts silently in a mode that it has no allocator for.
    IdlesInForeignModes,
}

/// Where a behaviour comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Which one.
    pub behaviour: Behaviour,
    /// The first minor of Cilium 1 that has it.
    pub since: u64,
    /// What says so: a path in Cilium's repository at that release, or a pull request.
    pub source: &'static str,
}

/// Every difference, in the order of [`Behaviour`].
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        behaviour: Behaviour::RewritesRefusedSpec,
        since: 20,
        source: "operator/pkg/ipam/allocator/podcidr/podcidr.go: allocateNode, upsertLocked; cilium/cilium#44832",
    },
    Difference {
        behaviour: Behaviour::DropsDuplicateFamily,
        since: 20,
        source: "operator/pkg/ipam/allocator/podcidr/podcidr.go: reuseIPNets; cilium/cilium#44832",
    },
    Difference {
        behaviour: Behaviour::ParsesWithNetip,
        since: 20,
        source: "operator/pkg/ipam/allocator/clusterpool/cidralloc/cidralloc.go: NewCIDRSets",
    },
    Difference {
        behaviour: Behaviour::SplitsListsOnCommas,
        since: 20,
        source: "operator/pkg/ipam/clusterpool.go (hive cell.Config: cell/config.go, decoderConfig); before, viper's GetStringSlice in operator/option/config.go",
    },
    Difference {
        behaviour: Behaviour::ValidatesPodCidrs,
        since: 20,
        source: "pkg/k8s/apis/cilium.io/client/crds/v2/ciliumnodes.yaml: spec.ipam.podCIDRs, format: cidr",
    },
    Difference {
        behaviour: Behaviour::HonoursIgnoreAnnotation,
        since: 18,
        source: "operator/cmd/cilium_node.go: annotation.IPAMIgnore",
    },
    Difference {
        behaviour: Behaviour::SeesMetadataUpdates,
        since: 19,
        source: "operator/cmd/cilium_node.go: watchCiliumNodes; before, UpdateFunc compares by DeepEqual",
    },
    Difference {
        behaviour: Behaviour::KeepsDeletingNodes,
        since: 19,
        source: "operator/cmd/cilium_node.go: watchCiliumNodes; before, syncHandlerConstructor looks at deletionTimestamp",
    },
    Difference {
        behaviour: Behaviour::ListsInAnyOrder,
        since: 19,
        source: "pkg/k8s/resource/resource.go: Events; before, the informer's own queue",
    },
    Difference {
        behaviour: Behaviour::StopsOrderly,
        since: 20,
        source: "operator/pkg/ipam/clusterpool.go: OnStart; before, logging.Fatal in operator/cmd/root.go",
    },
    Difference {
        behaviour: Behaviour::IdlesInForeignModes,
        since: 20,
        source: "operator/pkg/ipam/cell.go; before, operator/cmd/root.go: \"allocator is not supported by this version\"",
    },
];

impl Behaviour {
    /// Since when, and what says so.
    pub fn difference(self) -> &'static Difference {
        // The table is in the order of the enum; a test holds it to that.
        &DIFFERENCES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn table_is_in_the_order_of_the_enum() {
        for (index, difference) in DIFFERENCES.iter().enumerate() {
            assert_eq!(difference.behaviour as usize, index, "{difference:?}");
            assert!(KNOWN.contains(&difference.since), "{difference:?}");
        }
        assert_eq!(DIFFERENCES.len(), Behaviour::IdlesInForeignModes as usize + 1);
    }

    #[rstest]
    #[case("1.18.4", 18, Generation::Legacy)]
    #[case("v1.19.1", 19, Generation::Legacy)]
    #[case("1.20", 20, Generation::G20)]
    #[case("1.20.0-rc.1", 20, Generation::G20)]
    #[case("1.19.77", 19, Generation::Legacy)]
    fn reads_versions(#[case] text: &str, #[case] minor: u64, #[case] generation: Generation) {
        let release: Release = text.parse().unwrap();
        assert_eq!((release.minor(), release.generation()), (minor, generation));
    }

    #[rstest]
    #[case("1.30.0")]
    #[case("1")]
    #[case("")]
    #[case("2.19.1")]
    #[case("1.19.1.1")]
    #[case("1.x")]
    fn refuses_unknown_versions(#[case] text: &str) {
        let error = text.parse::<Release>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("unknown Cilium version \"{text}\" (known: 1.16, 1.17, 1.18, 1.19, 1.20, with any patch)")
        );
    }
}
