//! A Kubernetes API in memory that does as a test tells it, and a small Cilium behind it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod api;
pub(crate) mod cluster;
pub(crate) mod objects;
