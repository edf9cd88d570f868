//! An agent that has its CIDRs: what it keeps of what was there before, and the addresses that it hands out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::gate::{AgentConfig, AllocCidrs};
use super::host_scope::{HostScope, RangeFull};
use super::infra::{self, Draw, Infra, InfraAddresses, Usable};
use crate::operator::{Family, LogLine};

/// The addresses of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address {
    /// IPv4.
    pub v4: Option<IpAddr>,
    /// IPv6.
    pub v6: Option<IpAddr>,
}

/// An endpoint that the node has from before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whatever the caller knows it by, such as `namespace/pod`.
    pub name: String,
    /// Its addresses.
    pub address: Address,
}

/// What becomes of an endpoint at an agent's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointFate {
    /// It keeps its addresses.
    Restored,
    /// It is given up: its CiliumEndpoint is deleted, its interface set down. The pod goes on running, with its old IP and
    /// without a network.
    Lost {
        /// The field `error` of the warning `Unable to restore endpoint, ignoring`.
        error: String,
    },
}

/// What an agent finds when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Previous {
    /// Endpoints in its state directory, in the order in which they are looked at.
    pub endpoints: Vec<Endpoint>,
    /// Its own IPv4 addresses.
    pub v4: Infra,
    /// Its own IPv6 addresses.
    pub v6: Infra,
    /// The node's own addresses, which are never handed out.
    pub node_addresses: Vec<IpAddr>,
}

/// Why an agent does not get through its start, although it has its CIDRs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AgentError {
    /// The agent's words.
    pub message: String,
}

/// An agent's start, done.
#[derive(Debug, Clone)]
pub struct Started {
    /// The agent.
    pub agent: Agent,
    /// What became of each endpoint, in the order given.
    pub endpoints: Vec<(String, EndpointFate)>,
    /// What it logged.
    pub log: Vec<LogLine>,
}

/// A running agent.
#[derive(Debug, Clone)]
pub struct Agent {
    cidrs: AllocCidrs,
    v4: Option<HostScope>,
    v6: Option<HostScope>,
    v4_infra: InfraAddresses,
    v6_infra: InfraAddresses,
    excluded: BTreeSet<IpAddr>,
}

impl Agent {
    /// Starts with the CIDRs that the [`gate`](super::gate()) let through: first the endpoints are restored, IPv6 before IPv4,
    /// then router, ingress and health addresses are taken.
    ///
    /// # Errors
    /// When there is no address left for the agent itself; it exits and is started again.
    pub fn start(
        config: &AgentConfig,
        cidrs: AllocCidrs,
        previous: &Previous,
        draw: &mut dyn Draw,
    ) -> Result<Started, AgentError> {
        let mut agent = Self {
            cidrs,
            v4: cidrs.v4.map(HostScope::new),
            v6: cidrs.v6.map(HostScope::new),
            v4_infra: InfraAddresses::default(),
            v6_infra: InfraAddresses::default(),
            excluded: BTreeSet::new(),
        };
        let mut log = Vec::new();
        let mut endpoints = Vec::with_capacity(previous.endpoints.len());
        for endpoint in &previous.endpoints {
            let fate = match agent.restore(&endpoint.address) {
                Ok(()) => EndpointFate::Restored,
                Err(error) => {
                    let message = "Unable to restore endpoint, ignoring".to_owned();
                    log.push(LogLine { level: "warn", message, error: Some(error.clone()) });
                    EndpointFate::Lost { error }
                }
            };
            endpoints.push((endpoint.name.clone(), fate));
        }
        // Excluded only now, after the endpoints: an old endpoint with the node's own address is kept.
        agent.excluded.extend(&previous.node_addresses);
        agent.take_own(config, previous, draw, &mut log)?;
        Ok(Started { agent, endpoints, log })
    }

    /// `validateEndpoint`: both addresses or none.
    fn restore(&mut self, address: &Address) -> Result<(), String> {
        for (family, wanted) in [(Family::V6, address.v6), (Family::V4, address.v4)] {
            let (Some(wanted), Some(range)) = (wanted, self.range_mut(family)) else { continue };
            if let Err(error) = range.claim(wanted) {
                if let (Family::V4, Some(v6), Some(range)) = (family, address.v6, &mut self.v6) {
                    range.release(v6);
                }
                return Err(format!(
                    "Failed to re-allocate IP of endpoint: unable to reallocate {wanted} {family} address: {error}"
                ));
            }
        }
        Ok(())
    }

    fn take_own(
        &mut self,
        config: &AgentConfig,
        previous: &Previous,
        draw: &mut dyn Draw,
        log: &mut Vec<LogLine>,
    ) -> Result<(), AgentError> {
        let excluded = &self.excluded;
        let families = [
            (Family::V4, &mut self.v4, &mut self.v4_infra, &previous.v4),
            (Family::V6, &mut self.v6, &mut self.v6_infra, &previous.v6),
        ];
        let mut families: Vec<_> = families
            .into_iter()
            .filter_map(|(family, range, own, old)| {
                range.as_mut().map(|range| (family, Usable { range, excluded }, own, old))
            })
            .collect();
        for (family, range, own, old) in &mut families {
            own.router = Some(infra::router(range, *family, old, draw, log)?);
        }
        for (family, range, own, old) in families.iter_mut().filter(|_| config.ingress) {
            own.ingress = Some(infra::ingress(range, *family, old.ingress, draw, log)?);
        }
        for (family, range, own, old) in families.iter_mut().filter(|_| config.health) {
            own.health = Some(infra::health(range, *family, old.health, draw, log)?);
        }
        Ok(())
    }

    fn range_mut(&mut self, family: Family) -> Option<&mut HostScope> {
        match family {
            Family::V4 => self.v4.as_mut(),
            Family::V6 => self.v6.as_mut(),
        }
    }

    /// Addresses for a new pod, IPv6 before IPv4; both or none.
    ///
    /// # Errors
    /// When a range has no free address.
    pub fn allocate(&mut self, draw: &mut dyn Draw) -> Result<Address, RangeFull> {
        let excluded = &self.excluded;
        let mut next = |range: &mut Option<HostScope>| {
            range.as_mut().map(|range| Usable { range, excluded }.allocate(draw)).transpose()
        };
        let v6 = next(&mut self.v6)?;
        match next(&mut self.v4) {
            Ok(v4) => Ok(Address { v4, v6 }),
            Err(full) => {
                if let (Some(address), Some(range)) = (v6, &mut self.v6) {
                    range.release(address);
                }
                Err(full)
            }
        }
    }

    /// Gives a pod's addresses back. Those of an endpoint that was [lost](EndpointFate::Lost) are not its to give.
    pub fn release(&mut self, address: &Address) {
        for (family, address) in [(Family::V4, address.v4), (Family::V6, address.v6)] {
            let Some(address) = address.filter(|address| !self.excluded.contains(address)) else { continue };
            if let Some(range) = self.range_mut(family) {
                range.release(address);
            }
        }
    }

    /// The CIDRs that it allocates from, whatever its objects say by now.
    pub fn cidrs(&self) -> AllocCidrs {
        self.cidrs
    }

    /// Its own addresses of a family.
    pub fn infra(&self, family: Family) -> InfraAddresses {
        match family {
            Family::V4 => self.v4_infra,
            Family::V6 => self.v6_infra,
        }
    }

    /// The range of a family.
    pub fn range(&self, family: Family) -> Option<&HostScope> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }

    /// The line `IPAM:` of `cilium-dbg status`, without its head.
    pub fn status(&self) -> String {
        let one = |family: Family| self.range(family).map(|range| format!("{family}: {}, ", range.status()));
        Family::BOTH.into_iter().filter_map(one).collect()
    }
}

impl RangeFull {
    /// What the CNI plugin reports for a pod that gets no address (from 1.17 on; the event of the pod quotes it).
    pub fn cni_error(self) -> String {
        format!("unable to allocate IP via local cilium agent: [POST /ipam][502] postIpamFailure \"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> AgentConfig {
        AgentConfig::new("cluster-pool")
    }

    fn cidrs(v4: &str) -> AllocCidrs {
        AllocCidrs { v4: Some(v4.parse().unwrap()), v6: None }
    }

    fn endpoint(name: &str, v4: &str) -> Endpoint {
        Endpoint { name: name.to_owned(), address: Address { v4: Some(v4.parse().unwrap()), v6: None } }
    }

    fn previous() -> Previous {
        Previous {
            endpoints: vec![endpoint("alpine/a", "10.0.1.23"), endpoint("alpine/b", "10.0.1.24")],
            v4: Infra {
                router_on_disk: Some("10.0.1.44".parse().unwrap()),
                router_in_object: Some("10.0.1.44".parse().unwrap()),
                health: Some("10.0.1.45".parse().unwrap()),
                ingress: None,
            },
            ..Previous::default()
        }
    }

    #[test]
    fn same_cidr_keeps_everything() {
        let started = Agent::start(&config(), cidrs("10.0.1.0/24"), &previous(), &mut |_| 0).unwrap();
        assert!(started.endpoints.iter().all(|(_, fate)| *fate == EndpointFate::Restored));
        assert_eq!(started.log, []);
        let own = started.agent.infra(Family::V4);
        assert_eq!((own.router, own.health), (previous().v4.router_on_disk, previous().v4.health));
        assert_eq!(started.agent.status(), "IPv4: 4/254 allocated from 10.0.1.0/24, ");
    }

    #[test]
    fn another_cidr_loses_endpoints_and_moves_the_router() {
        let started = Agent::start(&config(), cidrs("10.244.1.0/24"), &previous(), &mut |_| 7).unwrap();
        let error = "Failed to re-allocate IP of endpoint: unable to reallocate 10.0.1.23 IPv4 address: \
                     provided IP is not in the valid range. The range of valid IPs is 10.244.1.0/24";
        assert_eq!(started.endpoints[0], ("alpine/a".to_owned(), EndpointFate::Lost { error: error.to_owned() }));
        let messages: Vec<_> = started.log.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "Unable to restore endpoint, ignoring",
                "Unable to restore endpoint, ignoring",
                "Unable to restore router IP from filesystem",
                "Unable to restore router IP from kubernetes",
                "Router IP could not be re-allocated. Need to re-allocate. This will cause brief network disruption",
                "unable to re-allocate health IPv4, a new health IPv4 will be allocated",
            ]
        );
        let own = started.agent.infra(Family::V4);
        assert_eq!(own.router.unwrap().to_string(), "10.244.1.8");
        assert_eq!(own.health.unwrap().to_string(), "10.244.1.9");
    }

    #[test]
    fn small_cidrs() {
        let error = Agent::start(&config(), cidrs("10.0.0.7/32"), &Previous::default(), &mut |_| 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to allocate health IPs: unable to allocate health IPv4: range is full, \
             see https://cilium.link/ipam-range-full"
        );
        let mut started = Agent::start(&config(), cidrs("10.0.0.0/30"), &Previous::default(), &mut |_| 0).unwrap();
        let full = started.agent.allocate(&mut |_| 0).unwrap_err();
        assert_eq!(
            full.cni_error(),
            "unable to allocate IP via local cilium agent: [POST /ipam][502] postIpamFailure \"range is full\""
        );
    }

    #[test]
    fn dual_stack_gives_both_or_none() {
        let config = AgentConfig { ipv6: true, ..config() };
        let cidrs = AllocCidrs { v6: Some("fd00::/120".parse().unwrap()), ..cidrs("10.0.0.0/29") };
        let mut agent = Agent::start(&config, cidrs, &Previous::default(), &mut |_| 0).unwrap().agent;
        let given: Vec<Address> = std::iter::from_fn(|| agent.allocate(&mut |_| 0).ok()).collect();
        assert_eq!(given.len(), 4);
        assert!(given.iter().all(|address| address.v4.is_some() && address.v6.is_some()));
        assert_eq!(agent.range(Family::V6).map(HostScope::used), Some(6), "the refused pod's IPv6 address came back");
        agent.release(&given[0]);
        assert_eq!(agent.allocate(&mut |_| 0), Ok(given[0]));
    }

    #[test]
    fn half_restored_endpoints_give_back_what_they_took() {
        let config = AgentConfig { ipv6: true, health: false, ..config() };
        let cidrs = AllocCidrs { v6: Some("fd00::/120".parse().unwrap()), ..cidrs("10.0.0.0/24") };
        let address = Address { v4: Some("10.9.0.5".parse().unwrap()), v6: Some("fd00::5".parse().unwrap()) };
        let endpoints = vec![Endpoint { name: "a".to_owned(), address }];
        let previous = Previous { endpoints, ..Previous::default() };
        let started = Agent::start(&config, cidrs, &previous, &mut |_| 0).unwrap();
        assert!(matches!(started.endpoints[0].1, EndpointFate::Lost { .. }));
        assert!(!started.agent.range(Family::V6).unwrap().has("fd00::5".parse().unwrap()));
    }

    #[test]
    fn the_nodes_own_address_is_never_given() {
        let previous = Previous { node_addresses: vec!["10.0.0.1".parse().unwrap()], ..Previous::default() };
        let started = Agent::start(&config(), cidrs("10.0.0.0/29"), &previous, &mut |_| 0).unwrap();
        assert_eq!(started.agent.infra(Family::V4).router.unwrap().to_string(), "10.0.0.2");
    }
}
