//! Steps carried out. Each ends when its effect is seen in the watched objects, not when its request is answered.

mod config;
mod exec;
mod expect;
mod helm;
mod install;
mod model;
mod node;
mod object;
mod restart;
mod scale;
mod settle;
mod variables;
mod workload;

pub use helm::values;
pub(crate) use install::{install, ready};

use scenario::model::{Action, RestartTarget, Step};
use tokio::time::Instant;

use crate::failure::StepError;
use crate::session::Session;

/// What a step came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// How many objects were looked at, for a check.
    pub(crate) subjects: Option<usize>,
    /// In a line.
    pub(crate) detail: String,
}

impl Done {
    fn new(detail: impl Into<String>) -> Self {
        Self { subjects: None, detail: detail.into() }
    }
}

/// Carries out a step, or sees it refused where that is what it is for.
pub(crate) async fn carry_out(
    session: &mut Session,
    index: usize,
    step: &Step,
    began: Instant,
    deadline: Instant,
) -> Result<Done, StepError> {
    let outcome = act(session, index, step, began, deadline).await;
    let Some(text) = &step.fails else { return outcome };
    match outcome {
        Err(error) => match error.line_with(text) {
            Some(line) => Ok(Done::new(format!("refused: {line}"))),
            None => Err(error),
        },
        Ok(done) => {
            let message = format!("this was to be refused with \"{text}\", and was not: {}", done.detail);
            Err(StepError::Mismatch { message, mismatches: Vec::new() })
        }
    }
}

async fn act(
    session: &mut Session,
    index: usize,
    step: &Step,
    began: Instant,
    deadline: Instant,
) -> Result<Done, StepError> {
    match &step.action {
        Action::Deploy { workload, ready } => workload::deploy(session, deadline, workload, *ready).await,
        Action::Scale { target: RestartTarget::Workload(name), replicas, ready } => {
            workload::scale(session, deadline, name, *replicas, *ready).await
        }
        Action::Scale { target: RestartTarget::Component(part), replicas, ready } => {
            scale::part(session, deadline, *part, *replicas, *ready).await
        }
        Action::Delete { workload } => workload::delete(session, deadline, workload).await,
        Action::Configure(keys) => config::configure(session, deadline, keys).await,
        Action::Upgrade(values) => helm::upgrade(session, deadline, values).await,
        Action::Reinstall(values) => helm::reinstall(session, deadline, values).await,
        Action::Backup => config::backup(session),
        Action::Restore => config::restore(session, deadline).await,
        Action::Restart(items) => restart::restart(session, deadline, items).await,
        Action::DeleteCiliumNode(node) => node::delete_cilium_node(session, deadline, *node).await,
        Action::Cordon(node) => node::cordon(session, deadline, *node, true).await,
        Action::Uncordon(node) => node::cordon(session, deadline, *node, false).await,
        Action::RemoveNode(node) => node::remove(session, deadline, *node).await,
        Action::AddNode { node, ready } => node::add(session, deadline, *node, *ready).await,
        Action::Patch(patch) => object::patch(session, deadline, patch).await,
        Action::Exec(exec) => exec::exec(session, deadline, exec).await,
        Action::Inject(fault) => node::inject(session, fault).await,
        Action::Wait(wait) => settle::wait(session, began, deadline, wait).await,
        Action::Model => model::model(session, deadline).await,
        Action::Expect(expect) => expect::expect(session, index, began, deadline, expect, step.within.is_some()).await,
    }
}
