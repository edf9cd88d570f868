//! The addresses that an agent takes for itself: router (`cilium_host`), ingress and health.
//! `daemon/infraendpoints/infra_ip_allocation.go` (`daemon/cmd/ipam.go` up to 1.18).

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::host_scope::{HostScope, RangeFull};
use super::running::AgentError;
use crate::operator::{Family, LogLine};

/// The random number of Cilium's allocator, given from outside.
pub trait Draw {
    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: u64) -> u64;
}

impl<F: FnMut(u64) -> u64> Draw for F {
    fn below(&mut self, bound: u64) -> u64 {
        self(bound)
    }
}

/// One family's addresses of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InfraAddresses {
    /// `cilium_host`: `CiliumInternalIP` in the CiliumNode.
    pub router: Option<IpAddr>,
    /// The health endpoint, if it is on.
    pub health: Option<IpAddr>,
    /// Ingress, if it is on.
    pub ingress: Option<IpAddr>,
}

/// The addresses that an agent had before, as it finds them at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Infra {
    /// The router address in the file system, or on `cilium_host`: preferred.
    pub router_on_disk: Option<IpAddr>,
    /// The router address in the CiliumNode.
    pub router_in_object: Option<IpAddr>,
    /// The health address in the CiliumNode.
    pub health: Option<IpAddr>,
    /// The ingress address in the CiliumNode.
    pub ingress: Option<IpAddr>,
}

/// A range without the addresses that are never handed out (`IPAM.ExcludeIP`).
pub(super) struct Usable<'a> {
    pub(super) range: &'a mut HostScope,
    pub(super) excluded: &'a BTreeSet<IpAddr>,
}

impl Usable<'_> {
    fn claim(&mut self, address: IpAddr) -> Result<(), String> {
        if self.excluded.contains(&address) {
            return Err(format!("IP {address} is excluded, owned by node-ip"));
        }
        self.range.claim(address).map_err(|error| error.to_string())
    }

    /// An excluded address that is drawn stays taken, and the next one is drawn.
    pub(super) fn allocate(&mut self, draw: &mut dyn Draw) -> Result<IpAddr, RangeFull> {
        loop {
            let address = self.range.allocate(draw)?;
            if !self.excluded.contains(&address) {
                return Ok(address);
            }
        }
    }
}

fn warn(message: impl Into<String>, error: impl ToString) -> LogLine {
    LogLine { level: "warn", message: message.into(), error: Some(error.to_string()) }
}

/// The router address: the old one if the range still has it, else a new one.
pub(super) fn router(
    range: &mut Usable<'_>,
    family: Family,
    old: &Infra,
    draw: &mut dyn Draw,
    log: &mut Vec<LogLine>,
) -> Result<IpAddr, AgentError> {
    if let (Some(object), Some(disk)) = (old.router_in_object, old.router_on_disk)
        && object != disk
    {
        let message = format!(
            "Mismatch of router IPs found during restoration. The Kubernetes resource contained {object}, while the \
             filesystem contained {disk}. Using the router IP from the filesystem. To change the router IP, specify \
             --local-router-ipv4 and/or --local-router-ipv6."
        );
        log.push(LogLine { level: "warn", message, error: None });
    }
    for (address, place) in [(old.router_on_disk, "filesystem"), (old.router_in_object, "kubernetes")] {
        let Some(address) = address else { continue };
        match range.claim(address) {
            Ok(()) => return Ok(address),
            Err(error) => log.push(warn(format!("Unable to restore router IP from {place}"), error)),
        }
    }
    if old.router_on_disk.is_some() || old.router_in_object.is_some() {
        let message =
            "Router IP could not be re-allocated. Need to re-allocate. This will cause brief network disruption";
        log.push(LogLine { level: "warn", message: message.to_owned(), error: None });
    }
    let family = match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    range.allocate(draw).map_err(|full| AgentError {
        message: format!("failed to allocate router IPs: unable to allocate router IP for family {family}: {full}"),
    })
}

/// The ingress address.
pub(super) fn ingress(
    range: &mut Usable<'_>,
    family: Family,
    old: Option<IpAddr>,
    draw: &mut dyn Draw,
    log: &mut Vec<LogLine>,
) -> Result<IpAddr, AgentError> {
    if let Some(address) = old {
        match range.claim(address) {
            Ok(()) => return Ok(address),
            Err(error) => log.push(warn(format!("unable to re-allocate ingress {family}."), error)),
        }
    }
    range.allocate(draw).map_err(|full| AgentError {
        message: format!(
            "failed to allocate ingress IPs: unable to allocate ingress IPs: {full}, see https://cilium.link/ipam-range-full"
        ),
    })
}

/// The health address.
pub(super) fn health(
    range: &mut Usable<'_>,
    family: Family,
    old: Option<IpAddr>,
    draw: &mut dyn Draw,
    log: &mut Vec<LogLine>,
) -> Result<IpAddr, AgentError> {
    if let Some(address) = old {
        match range.claim(address) {
            Ok(()) => return Ok(address),
            Err(error) => {
                let message = format!("unable to re-allocate health {family}, a new health {family} will be allocated");
                log.push(warn(message, error));
            }
        }
    }
    range.allocate(draw).map_err(|full| AgentError {
        message: format!(
            "failed to allocate health IPs: unable to allocate health {family}: {full}, see https://cilium.link/ipam-range-full"
        ),
    })
}
