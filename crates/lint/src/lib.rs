//! The domain linter: what is wrong with Cilium's IPAM settings, before a cluster has them.
//!
//! ```text
//! values file | cilium-config | objects of a cluster | scenario
//!        └──read──> Settings (the data of cilium-config, its places, what is around it) ──rules──> Findings
//! ```
//!
//! Everything comes down to the data of `cilium-config`: a values file by way of what the chart of that version makes of it. So one
//! set of rules serves all sources, and the last word is that of the model of Cilium's operator (`ipam`): a list of pools is an
//! error here if and only if that operator does not start with it.
//!
//! Rules have stable codes ([`ALL`]), each with a page ([`Rule::page`]). Which keys a chart has is data:
//! `data/chart-MINOR.json` and `data/removed-keys.json`.
//!
//! *Architecture invariant:* pure. Texts and objects in, findings out: no IO, no async, no clock. The crate knows nothing of how a
//! cluster is reached, and changes nothing.

mod capacity;
mod change;
mod chart;
mod checks;
pub mod document;
mod finding;
pub mod output;
mod read;
mod report;
mod rules;
mod scenarios;
mod settings;

pub use capacity::{Capacity, PoolCapacity};
pub use change::{NodeChange, Preview};
pub use chart::{CHARTS, UnknownChart, chart_keys};
pub use finding::{Finding, Place, Related, Severity};
pub use read::{InputError, Objects, config_map, dump, live, values};
pub use report::{Report, lint};
pub use rules::{ALL, Rule, find};
pub use scenarios::{explain, scenario};
pub use settings::{Live, NodeFacts, Origin, Settings, Surroundings};
