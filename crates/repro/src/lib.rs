//! Reproducers: what another person needs to see a scenario's outcome on a machine of their own, in one archive.
//!
//! ```text
//! Scenario, version ──> script        repro.sh, which runs without this project
//!                   ──> issue         README.md, the text of an issue
//! run's folder ──────> observed ──┐
//!                                 ├──> pack ──> archive ──> NAME-VERSION.tar.gz
//! this machine ──────> redact ────┘
//! ```
//!
//! *Architecture invariant:* everything but the reading of files is pure. What comes out of an archive is data: it is bounded, it is
//! never written anywhere, and nothing in it is run on this machine.

pub mod archive;
mod issue;
mod observed;
mod pack;
pub mod redact;
mod regress;
pub mod script;
mod skeleton;

pub use observed::{Observed, ObservedError};
pub use pack::{Ingredients, Packed, pack};
pub use regress::{Reproduction, is_regression, issues};
pub use skeleton::{Issue, skeleton};
