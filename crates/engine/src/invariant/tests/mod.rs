//! Each rule, over small histories: what is a violation, when it is one, and what only looks like one.

mod cluster;
mod nodes;
mod pods;
mod watches;
