//! The operator in `ipam: cluster-pool`: which podCIDRs a CiliumNode gets, what its operator-status says, and when it is
//! written.
//!
//! Three layers, from the inside out: a pool of blocks (`pool`), the allocator that knows which node has which blocks
//! (`allocator`), and the machine around it that batches writes, retries and waits (`machine`).

mod allocator;
mod api;
mod claim;
mod config;
mod drive;
mod duty;
mod family;
mod machine;
mod order;
mod pool;
mod start;
mod writes;

pub use api::{ApiAnswer, ApiRequest, Change, Event, LogLine, NodeSnapshot, Output, accepts_pod_cidr};
pub use config::{ConfigError, OperatorConfig, PoolConfig, keys, split_list};
pub use drive::{CiliumNodeApi, Exchange};
pub use duty::{Duty, duty};
pub use family::Family;
pub use machine::{Operator, Timing};
pub use order::{ByName, Choice, Order, Seeded};
pub use pool::{PoolShapeError, PoolView};
pub use start::{PoolError, StartError};
