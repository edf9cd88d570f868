//! One cluster for several scenarios, one after another: a provider around a provider.
//!
//! What a scenario is handed is either a new cluster or one that has been brought back to what a new one is, which is looked at before
//! anybody gets it. In doubt it is a new one.

mod fit;
mod inventory;
mod lent;
mod pool;
mod relay;
mod reset;
mod wait;

pub use fit::versions_allow;
pub use pool::{Pool, Use};
