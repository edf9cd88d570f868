//! Images: those that Docker has are brought into all nodes while the cluster is still coming up; the rest is left to the nodes.
//!
//! Two ways. *Shared*: where Docker keeps images as overlay2 layers and nodes use the overlayfs snapshotter, nodes mount Docker's
//! unpacked layers read-only and are told that these are their own: nothing is copied ([`shared`]). *Streamed*: one `docker save` of
//! all images, written to `ctr images import` on every node at once ([`streamed`]). Whatever cannot be shared is streamed.

mod archive;
mod shared;
mod streamed;
mod survey;

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

pub(super) use shared::{Shared, mounts};
pub(super) use survey::{Survey, survey};

use super::create::Inner;
use crate::error::Fault;

/// Brings the images into each node as its container starts.
pub(super) async fn load(inner: &Inner, survey: &Survey) -> Result<(), Fault> {
    if survey.present.is_empty() {
        return Ok(());
    }
    let bound = Duration::from_secs(600).mul_f64(inner.scale);
    let left = match &survey.shared {
        Some(shared) => share(inner, shared, bound).await,
        None => inner.nodes.clone(),
    };
    if !left.is_empty() {
        for node in &left {
            inner.has_started(node).await;
        }
        streamed::load(inner, &survey.names(), &left, bound).await?;
    }
    inner.progress.now(&format!("images: {} on every node", survey.present.len()));
    Ok(())
}

/// Tells each node as it starts; gives back those that cannot share.
async fn share(inner: &Inner, shared: &Shared, bound: Duration) -> Vec<String> {
    let Some(script) = shared.script(inner.mounted()) else {
        inner.progress.warn("the nodes do not mount the layers of these images: streaming them instead");
        return inner.nodes.clone();
    };
    let script = &script;
    let mut working: FuturesUnordered<_> = (inner.nodes.iter())
        .map(|node| async move {
            inner.has_started(node).await;
            (shared::apply(inner, node, script, bound).await, node)
        })
        .collect();
    let (mut left, mut done) = (Vec::new(), 0);
    while let Some((result, node)) = working.next().await {
        match result {
            Ok(()) => {
                done += 1;
                inner.progress.now(&format!("images: shared with {done} of {} nodes", inner.nodes.len()));
            }
            Err(why) => {
                inner
                    .progress
                    .warn(&format!("{node} cannot share Docker's image layers ({why}); streaming them instead"));
                left.push(node.clone());
            }
        }
    }
    left.sort();
    left
}
