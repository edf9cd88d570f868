//! The store's changes, of all resources that somebody here looks at, in their order.

use std::collections::VecDeque;
use std::task::Poll;

use crate::store::{Change, Resource, Store, Subscription};

/// Whose changes matter here.
const WATCHED: [Resource; 10] = [
    Resource::Node,
    Resource::Pod,
    Resource::Deployment,
    Resource::ReplicaSet,
    Resource::DaemonSet,
    Resource::Service,
    Resource::ConfigMap,
    Resource::CiliumNode,
    Resource::CiliumEndpoint,
    Resource::CustomResourceDefinition,
];

/// Changes, merged.
#[derive(Debug)]
pub(super) struct Feed {
    store: Store,
    sources: Vec<(Resource, Subscription, VecDeque<Change>)>,
}

impl Feed {
    pub(super) fn new(store: &Store) -> Self {
        let sources = WATCHED.iter().map(|one| (*one, store.subscribe(*one), VecDeque::new())).collect();
        Self { store: store.clone(), sources }
    }

    /// The next change that is there now.
    pub(super) fn next(&mut self) -> Option<Change> {
        for (_, subscription, read) in &mut self.sources {
            if read.is_empty() {
                read.extend(subscription.try_next());
            }
        }
        let heads = self.sources.iter_mut().filter(|(_, _, read)| !read.is_empty());
        let (_, _, read) = heads.min_by_key(|(_, _, read)| read.front().map_or(u64::MAX, Change::resource_version))?;
        read.pop_front()
    }

    /// Ends when there is a change to read. A subscription that the store has ended is made anew: with everything that is there.
    pub(super) async fn ready(&mut self) {
        std::future::poll_fn(|cx| {
            let mut found = Poll::Pending;
            for (resource, subscription, read) in &mut self.sources {
                if !read.is_empty() {
                    return Poll::Ready(());
                }
                match subscription.poll_next(cx) {
                    Poll::Ready(Some(change)) => {
                        read.push_back(change);
                        found = Poll::Ready(());
                    }
                    Poll::Ready(None) => {
                        *subscription = self.store.subscribe(*resource);
                        found = Poll::Ready(());
                    }
                    Poll::Pending => {}
                }
            }
            found
        })
        .await;
    }
}
