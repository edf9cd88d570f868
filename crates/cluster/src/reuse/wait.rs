//! Waiting for a level of what a list shows: listed once, then watched.

use std::collections::BTreeMap;
use std::fmt::Debug;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::error::Fault;

/// Waits until `left` says of no object of this kind that it must be waited for. What it said last is why a wait was given up.
pub(super) async fn until<K>(
    api: &Api<K>,
    end: Instant,
    what: &str,
    left: impl Fn(&K) -> Option<String>,
) -> Result<(), Fault>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let fault = |error: kube::Error| Fault::new(format!("wait for {what} of"), error.to_string());
    let mut last = String::new();
    let wait = async {
        loop {
            let list = api.list(&ListParams::default()).await.map_err(fault)?;
            let version = list.metadata.resource_version.clone().unwrap_or_default();
            let mut all: BTreeMap<String, K> = list.into_iter().filter_map(|one| Some((uid(&one)?, one))).collect();
            match all.values().find_map(&left) {
                None => return Ok(()),
                Some(why) => last = why,
            }
            let mut changes = api.watch(&WatchParams::default(), &version).await.map_err(fault)?.boxed();
            while let Some(change) = changes.try_next().await.map_err(fault)? {
                match change {
                    WatchEvent::Added(one) | WatchEvent::Modified(one) => {
                        all.extend(uid(&one).map(|uid| (uid, one)));
                    }
                    WatchEvent::Deleted(one) => {
                        all.retain(|known, _| Some(known.as_str()) != one.meta().uid.as_deref());
                    }
                    WatchEvent::Bookmark(_) => {}
                    // The server has forgotten where we were: everything is listed anew.
                    WatchEvent::Error(_) => break,
                }
                match all.values().find_map(&left) {
                    None => return Ok(()),
                    Some(why) => last = why,
                }
            }
        }
    };
    match timeout_at(end, wait).await {
        Ok(done) => done,
        Err(_) => Err(Fault::new(format!("wait for {what} of"), format!("not so in time; last: {last}"))),
    }
}

fn uid<K: Resource>(object: &K) -> Option<String> {
    object.meta().uid.clone()
}
