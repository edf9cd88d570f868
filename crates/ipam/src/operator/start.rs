//! What the operator says to a configuration that it cannot start with.

use super::OperatorConfig;
use super::family::{Family, PerFamily};
use super::pool::{Pool, PoolShapeError};
use crate::golang::{parse_cidr, parse_prefix};
use crate::version::{Behaviour, Generation, Release};

/// Why the allocator did not start: the error of `AllocatorOperator.Init`. No CiliumNode was looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The family is on and its list is empty.
    #[error("cluster-pool-ip{}-cidr must be provided when using ClusterPool", lower(*.0))]
    Missing(Family),
    /// The family is off and its list is not empty.
    #[error("cluster-pool-ip{}-cidr must not be set if {} is disabled", lower(*.0), .0)]
    NotWanted(Family),
    /// A list cannot be made into pools.
    #[error("unable to initialize {family} allocator: {cause}")]
    Pools {
        /// Which list.
        family: Family,
        /// What is wrong.
        cause: PoolError,
    },
}

fn lower(family: Family) -> &'static str {
    match family {
        Family::V4 => "v4",
        Family::V6 => "v6",
    }
}

/// What is wrong with a list of pools: the error of `cidralloc.NewCIDRSets`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Not a CIDR, in Go's words.
    #[error("{0}")]
    Syntax(String),
    /// It overlaps an earlier element.
    #[error("requested CIDR {cidr} collides with {pool}")]
    Collision {
        /// The element as written.
        cidr: String,
        /// The earlier pool, as Cilium prints it.
        pool: String,
    },
    /// An element of the other family.
    #[error("CIDR is not {} family: {cidr}", lower(*.wanted))]
    WrongFamily {
        /// The family of the list.
        wanted: Family,
        /// The element; without its host bits up to 1.19.
        cidr: String,
    },
    /// The mask does not fit.
    #[error(transparent)]
    Shape(#[from] PoolShapeError),
}

impl StartError {
    /// What the operator's log says, and the error beside it.
    pub fn log(&self, release: Release) -> super::LogLine {
        if release.has(Behaviour::StopsOrderly) {
            super::LogLine {
                level: "error",
                message: "Failed to start when elected leader, shutting down".to_owned(),
                error: Some(format!("unable to init ClusterPool allocator: {self}")),
            }
        } else {
            super::LogLine {
                level: "fatal",
                message: "Unable to init cluster-pool allocator".to_owned(),
                error: Some(self.to_string()),
            }
        }
    }
}

/// `AllocatorOperator.Init`.
pub(crate) fn pools(config: &OperatorConfig, generation: Generation) -> Result<PerFamily<Vec<Pool>>, StartError> {
    let mut pools = PerFamily::default();
    for family in Family::BOTH {
        let (enabled, pool) = config.family(family);
        match (enabled, pool.cidrs.is_empty()) {
            (true, true) => return Err(StartError::Missing(family)),
            (false, false) => return Err(StartError::NotWanted(family)),
            (false, true) => {}
            (true, false) => {
                *pools.get_mut(family) = family_pools(family, &pool.cidrs, pool.mask, generation)
                    .map_err(|cause| StartError::Pools { family, cause })?;
            }
        }
    }
    Ok(pools)
}

/// `cidralloc.NewCIDRSets`.
fn family_pools(family: Family, cidrs: &[String], mask: i64, generation: Generation) -> Result<Vec<Pool>, PoolError> {
    let mut pools: Vec<Pool> = Vec::with_capacity(cidrs.len());
    for text in cidrs {
        let (net, is_v4) = match generation {
            Generation::Legacy => parse_cidr(text).map_err(PoolError::Syntax)?,
            Generation::G20 => {
                let net = parse_prefix(text).map_err(PoolError::Syntax)?;
                (net, net.is_v4(generation))
            }
        };
        if let Some(earlier) = pools.iter().find(|pool| pool.in_range(net)) {
            return Err(PoolError::Collision { cidr: text.clone(), pool: earlier.to_string() });
        }
        if is_v4 != (family == Family::V4) {
            return Err(PoolError::WrongFamily { wanted: family, cidr: net.show(generation) });
        }
        pools.push(Pool::new(net, mask, generation)?);
    }
    Ok(pools)
}
