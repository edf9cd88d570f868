//! Work that goes on behind [`crate::Provider::create`], waited for by whoever needs its result.

use tokio::sync::watch;

use crate::error::Fault;

/// A piece of work that ends once, with a result that several may wait for.
#[derive(Debug)]
pub(super) struct Job {
    result: watch::Sender<Option<Result<(), Fault>>>,
}

impl Job {
    pub(super) fn new() -> Self {
        Self { result: watch::Sender::new(None) }
    }

    /// Tells its result. Only the first counts.
    pub(super) fn end(&self, result: Result<(), Fault>) {
        self.result.send_if_modified(|slot| {
            let first = slot.is_none();
            slot.get_or_insert(result);
            first
        });
    }

    /// Whether it ended well.
    pub(super) fn is_done(&self) -> bool {
        matches!(*self.result.borrow(), Some(Ok(())))
    }

    /// Waits for its result.
    pub(super) async fn wait(&self) -> Result<(), Fault> {
        let mut receiver = self.result.subscribe();
        match receiver.wait_for(Option::is_some).await {
            Ok(slot) => slot.clone().unwrap_or(Ok(())),
            Err(_) => Err(Fault::new("wait", "the work was given up")),
        }
    }

    /// Waits until it fails; never returns if it does not.
    pub(super) async fn failed(&self) -> Fault {
        match self.wait().await {
            Err(fault) => fault,
            Ok(()) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_result_counts_for_all() {
        let job = Job::new();
        assert!(!job.is_done());
        job.end(Err(Fault::new("a", "first")));
        job.end(Ok(()));
        assert_eq!(job.wait().await, Err(Fault::new("a", "first")));
        assert_eq!(job.failed().await.cause, "first");
        assert!(!job.is_done());
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let job = std::sync::Arc::new(Job::new());
        let waiter = tokio::spawn({
            let job = job.clone();
            async move { job.wait().await }
        });
        tokio::task::yield_now().await;
        job.end(Ok(()));
        assert_eq!(waiter.await.unwrap(), Ok(()));
        assert!(job.is_done());
    }
}
