//! What is missing before a run, found before anything is created, each with its fix.
//!
//! Facts are gathered by [`gather`]; [`judge`] decides from them alone.

mod facts;
mod gather;
mod judge;

use std::sync::Arc;

pub use facts::{ChartFact, EngineFacts, Facts, NodeImageFact, Request, ToolFact};
pub use gather::{gather, image_to_be_had, images_in_docker, kind_available};
pub use judge::{Finding, Level, judge};

use crate::Settings;

/// Gathers and judges.
pub async fn examine(settings: Arc<Settings>, request: &Request) -> Vec<Finding> {
    judge(&gather(settings, request).await, request)
}
