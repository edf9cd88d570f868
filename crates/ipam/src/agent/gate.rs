//! What an agent waits for before it can hand out addresses, and what it writes.

use std::net::IpAddr;

use ipnet::IpNet;

use super::mode::{IpamMode, UNKNOWN_BACKEND};
use crate::golang::{Net, parse_cidr};
use crate::operator::{Family, LogLine};

/// What an agent was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentConfig {
    /// `ipam`, as written.
    pub ipam: String,
    /// `enable-ipv4`.
    pub ipv4: bool,
    /// `enable-ipv6`.
    pub ipv6: bool,
    /// `enable-health-checking` and `enable-endpoint-health-checking`: the agent takes an address for itself.
    pub health: bool,
    /// `enable-envoy-config`: it takes one for ingress too.
    pub ingress: bool,
}

impl AgentConfig {
    /// The chart's defaults, in a mode.
    pub fn new(ipam: impl Into<String>) -> Self {
        Self { ipam: ipam.into(), ipv4: true, ipv6: false, health: true, ingress: false }
    }

    fn wants(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.ipv4,
            Family::V6 => self.ipv6,
        }
    }

    /// The mode of the allocator: the one place where the agent does not mind upper case (`DaemonConfig.IPAMMode`).
    fn backend(&self) -> Option<IpamMode> {
        self.ipam.to_lowercase().parse().ok()
    }
}

/// The fields of a Node that an agent reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeView {
    /// `spec.podCIDRs`, or `spec.podCIDR` alone where there is no list.
    pub pod_cidrs: Vec<String>,
}

/// The fields of its own CiliumNode that an agent reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CiliumNodeView {
    /// `spec.ipam.podCIDRs`.
    pub pod_cidrs: Vec<String>,
    /// The addresses of type `CiliumInternalIP` in `spec.addresses`.
    pub internal_ips: Vec<IpAddr>,
    /// `spec.health`.
    pub health_ips: Vec<IpAddr>,
    /// `spec.ingress`.
    pub ingress_ips: Vec<IpAddr>,
}

/// The CIDRs that an agent allocates from: the first of each family is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AllocCidrs {
    /// IPv4.
    pub v4: Option<IpNet>,
    /// IPv6.
    pub v6: Option<IpNet>,
}

impl AllocCidrs {
    /// IPv4 before IPv6.
    pub fn iter(self) -> impl Iterator<Item = IpNet> {
        self.v4.into_iter().chain(self.v6)
    }
}

/// Which object an agent takes its CIDRs from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodCidrSource {
    /// The Node: `ipam: kubernetes`, and every mode that is not spelt exactly like one of the others.
    Node,
    /// The CiliumNode: `ipam: cluster-pool` and `ipam: multi-pool`. The agent creates it first, where it is missing.
    CiliumNode,
}

impl PodCidrSource {
    /// For a mode as written.
    pub fn of(ipam: &str) -> Self {
        match ipam.parse() {
            Ok(IpamMode::ClusterPool | IpamMode::MultiPool) => Self::CiliumNode,
            _ => Self::Node,
        }
    }
}

/// Whether an agent gets past the start of its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// It has its CIDRs.
    Open {
        /// Which.
        cidrs: AllocCidrs,
        /// What it logged over unreadable values.
        log: Vec<LogLine>,
    },
    /// It waits for its object to change. It is looked at again at every event of that object, nothing else.
    Blocked {
        /// The object.
        source: PodCidrSource,
        /// The field `error` of the warning `Waiting for k8s node information`.
        error: &'static str,
        /// What it logged over unreadable values.
        log: Vec<LogLine>,
    },
    /// It exits and is started again.
    Fatal {
        /// The fatal message.
        message: String,
    },
    /// A mode that Cilium has and this crate does not model.
    NotModelled {
        /// Which.
        mode: IpamMode,
    },
}

/// Looks at the objects as they are: which CIDRs the agent takes, or why it does not get that far.
/// `cilium_node` is `None` where it does not exist yet.
pub fn gate(config: &AgentConfig, node: &NodeView, cilium_node: Option<&CiliumNodeView>) -> Gate {
    let Some(backend) = config.backend() else {
        return Gate::Fatal { message: format!("{UNKNOWN_BACKEND} {}", config.ipam.to_lowercase()) };
    };
    if !backend.is_modelled() {
        return Gate::NotModelled { mode: backend };
    }
    let source = PodCidrSource::of(&config.ipam);
    let mut log = Vec::new();
    let found = match source {
        PodCidrSource::Node => node_cidrs(node, &mut log),
        PodCidrSource::CiliumNode => cilium_node_cidrs(cilium_node.map_or(&[], |node| &node.pod_cidrs)),
    };
    for (family, cidr, error) in [
        (Family::V4, found.v4, "required IPv4 PodCIDR not available"),
        (Family::V6, found.v6, "required IPv6 PodCIDR not available"),
    ] {
        if config.wants(family) && cidr.is_none() {
            return Gate::Blocked { source, error, log };
        }
    }
    let cidrs = AllocCidrs { v4: found.v4.filter(|_| config.ipv4), v6: found.v6.filter(|_| config.ipv6) };
    Gate::Open { cidrs, log }
}

/// The first CIDR of each family; what cannot be read is passed over (`ParseCiliumNode`).
fn cilium_node_cidrs(texts: &[String]) -> AllocCidrs {
    let mut cidrs = AllocCidrs::default();
    for (net, _) in texts.iter().filter_map(|text| parse_cidr(text).ok()) {
        let slot = if is_v4(net) { &mut cidrs.v4 } else { &mut cidrs.v6 };
        *slot = slot.or_else(|| net.to_ipnet());
    }
    cidrs
}

/// The last CIDR of each family, of one or two (`ParseNode`).
fn node_cidrs(node: &NodeView, log: &mut Vec<LogLine>) -> AllocCidrs {
    let mut cidrs = AllocCidrs::default();
    if node.pod_cidrs.len() > 2 {
        let message = "Invalid PodCIDRs expected 1 or 2 PodCIDRs".to_owned();
        log.push(LogLine { level: "error", message, error: Some(node.pod_cidrs.join(" ")) });
        return cidrs;
    }
    for text in &node.pod_cidrs {
        match parse_cidr(text) {
            Ok((net, _)) => {
                let slot = if is_v4(net) { &mut cidrs.v4 } else { &mut cidrs.v6 };
                *slot = net.to_ipnet();
            }
            Err(error) => {
                let message = "Invalid PodCIDR value for node".to_owned();
                log.push(LogLine { level: "warn", message, error: Some(error) });
            }
        }
    }
    cidrs
}

fn is_v4(net: Net) -> bool {
    net.to4().is_some()
}

/// What an agent makes of `spec.ipam.podCIDRs` when it writes its CiliumNode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodCidrWrite {
    /// It leaves what it read; a new object has none.
    Keep,
    /// It overwrites it with the CIDRs that it allocates from.
    Set(Vec<String>),
}

impl PodCidrWrite {
    /// The write before the agent waits for its CIDRs, if there is one: an agent that takes them from its CiliumNode makes
    /// sure that there is one. Nothing is overwritten.
    pub fn before_waiting(config: &AgentConfig) -> Option<Self> {
        (PodCidrSource::of(&config.ipam) == PodCidrSource::CiliumNode).then_some(Self::Keep)
    }

    /// The write once it has its addresses (`StartDiscovery`), and each one after a change of its Node's labels or of its own
    /// addresses: exactly `ipam: kubernetes` overwrites (`nodediscovery.go`, `mutateNodeResource`).
    pub fn when_started(config: &AgentConfig, cidrs: AllocCidrs) -> Self {
        if config.ipam.parse() == Ok(IpamMode::Kubernetes) {
            Self::Set(cidrs.iter().map(|cidr| cidr.to_string()).collect())
        } else {
            Self::Keep
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn texts(cidrs: &[&str]) -> Vec<String> {
        cidrs.iter().map(|cidr| (*cidr).to_owned()).collect()
    }

    fn look(ipam: &str, node: &[&str], cilium_node: Option<&[&str]>) -> Gate {
        let node = NodeView { pod_cidrs: texts(node) };
        let cilium_node =
            cilium_node.map(|cidrs| CiliumNodeView { pod_cidrs: texts(cidrs), ..CiliumNodeView::default() });
        gate(&AgentConfig::new(ipam), &node, cilium_node.as_ref())
    }

    #[rstest]
    #[case::node("kubernetes", &["10.244.1.0/24"], Some(&["10.0.1.0/24"][..]), "10.244.1.0/24")]
    #[case::node_without_object("kubernetes", &["10.244.1.0/24"], None, "10.244.1.0/24")]
    #[case::object("cluster-pool", &["10.244.1.0/24"], Some(&["10.0.1.0/24"][..]), "10.0.1.0/24")]
    #[case::first_of_many("cluster-pool", &[], Some(&["nonsense", "fd00::/120", "10.0.1.0/24", "10.0.2.0/24"][..]), "10.0.1.0/24")]
    #[case::normalised("cluster-pool", &[], Some(&["10.0.7.9/24"][..]), "10.0.7.0/24")]
    #[case::case_counts_for_the_source("Cluster-Pool", &["10.244.1.0/24"], Some(&["10.0.1.0/24"][..]), "10.244.1.0/24")]
    fn takes(#[case] ipam: &str, #[case] node: &[&str], #[case] cilium_node: Option<&[&str]>, #[case] expected: &str) {
        let expected = AllocCidrs { v4: Some(expected.parse().unwrap()), v6: None };
        assert_eq!(look(ipam, node, cilium_node), Gate::Open { cidrs: expected, log: Vec::new() });
    }

    #[rstest]
    #[case("kubernetes", &[], Some(&["10.0.1.0/24"][..]), PodCidrSource::Node)]
    #[case("cluster-pool", &["10.244.1.0/24"], Some(&[][..]), PodCidrSource::CiliumNode)]
    #[case("cluster-pool", &["10.244.1.0/24"], None, PodCidrSource::CiliumNode)]
    #[case("cluster-pool", &[], Some(&["fd00::/120"][..]), PodCidrSource::CiliumNode)]
    fn blocks(
        #[case] ipam: &str,
        #[case] node: &[&str],
        #[case] cilium_node: Option<&[&str]>,
        #[case] source: PodCidrSource,
    ) {
        let error = "required IPv4 PodCIDR not available";
        assert_eq!(look(ipam, node, cilium_node), Gate::Blocked { source, error, log: Vec::new() });
    }

    #[test]
    fn dual_stack_needs_both() {
        let config = AgentConfig { ipv6: true, ..AgentConfig::new("kubernetes") };
        let node = NodeView { pod_cidrs: texts(&["10.244.1.0/24"]) };
        let blocked = gate(&config, &node, None);
        assert!(matches!(blocked, Gate::Blocked { error: "required IPv6 PodCIDR not available", .. }), "{blocked:?}");
        let node = NodeView { pod_cidrs: texts(&["fd00:10:244:1::/64", "10.244.1.0/24"]) };
        let Gate::Open { cidrs, .. } = gate(&config, &node, None) else { panic!("blocked") };
        assert_eq!(
            PodCidrWrite::when_started(&config, cidrs),
            PodCidrWrite::Set(texts(&["10.244.1.0/24", "fd00:10:244:1::/64"]))
        );
    }

    #[test]
    fn too_many_node_cidrs_count_for_nothing() {
        let gate = look("kubernetes", &["10.244.1.0/24", "10.244.2.0/24", "fd00::/64"], None);
        let Gate::Blocked { log, .. } = gate else { panic!("{gate:?}") };
        assert_eq!(log[0].message, "Invalid PodCIDRs expected 1 or 2 PodCIDRs");
    }

    #[test]
    fn unknown_and_unmodelled_modes() {
        assert_eq!(look("foo", &[], None), Gate::Fatal { message: "Unknown IPAM backend foo".to_owned() });
        assert_eq!(
            look("cluster-role", &[], None),
            Gate::Fatal { message: "Unknown IPAM backend cluster-role".to_owned() }
        );
        assert_eq!(look("multi-pool", &[], None), Gate::NotModelled { mode: IpamMode::MultiPool });
    }

    #[rstest]
    #[case("cluster-pool", Some(PodCidrWrite::Keep), PodCidrWrite::Keep)]
    #[case("kubernetes", None, PodCidrWrite::Set(vec!["10.244.1.0/24".to_owned()]))]
    #[case("Kubernetes", None, PodCidrWrite::Keep)]
    fn writes(#[case] ipam: &str, #[case] before: Option<PodCidrWrite>, #[case] after: PodCidrWrite) {
        let config = AgentConfig::new(ipam);
        let cidrs = AllocCidrs { v4: Some("10.244.1.0/24".parse().unwrap()), v6: None };
        assert_eq!(PodCidrWrite::before_waiting(&config), before);
        assert_eq!(PodCidrWrite::when_started(&config, cidrs), after);
    }
}
