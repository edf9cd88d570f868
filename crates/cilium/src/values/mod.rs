//! Helm values: what this project installs Cilium with, and what the chart makes of them.

mod base;
mod chart;
mod merge;

pub use base::{IpamValues, base, images, images_of, with_images, with_ipam};
pub use chart::{ChartError, chart_minor, configmap_for};
pub use merge::{lookup, merge};
