//! `expect: model`.

use events::Mismatch;
use predict::oracle::{Difference, Verdict};
use tokio::time::Instant;

use super::Done;
use crate::failure::StepError;
use crate::session::{Level, Session};
use crate::state;

/// Waits until all CiliumNodes are as the model says, with the cluster at rest.
pub(super) async fn model(session: &mut Session, deadline: Instant) -> Result<Done, StepError> {
    session.drain()?;
    let kinds = state::kinds();
    let outcome = session
        .until(deadline, "the CiliumNodes to be as the model says", &kinds, |session| {
            if let Some((last, wake)) = session.moment().unsettled_ipam(Instant::now()) {
                return Level::NotYet { last, wake };
            }
            match session.peek_model() {
                None => Level::Final(Err("it does not run beside this cluster".to_owned())),
                Some(Verdict::NotCovered(why)) => Level::Final(Err(why)),
                Some(Verdict::Agrees { nodes }) => Level::Done(Ok(nodes)),
                Some(Verdict::Differs(differences)) => {
                    Level::not_yet(differences.first().map(ToString::to_string).unwrap_or_default())
                }
            }
        })
        .await;
    match outcome {
        Ok(Ok(0)) => Err(StepError::Mismatch {
            message: "there is no CiliumNode to compare with the model".to_owned(),
            mismatches: Vec::new(),
        }),
        Ok(Ok(nodes)) => Ok(Done { subjects: Some(nodes), detail: "as the model says".to_owned() }),
        Ok(Err(why)) => Err(StepError::Input { message: format!("`expect: model` can say nothing here: {why}") }),
        Err(StepError::Mismatch { message, mismatches }) => match session.peek_model() {
            Some(Verdict::Differs(differences)) => Err(differs(&differences)),
            _ => Err(StepError::Mismatch { message, mismatches }),
        },
        Err(other) => Err(other),
    }
}

fn differs(differences: &[Difference]) -> StepError {
    let first = differences.first().map(ToString::to_string).unwrap_or_default();
    let more = match differences.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let mismatch = |one: &Difference| Mismatch {
        object: format!("CiliumNode/{}", one.node),
        field: one.field.to_owned(),
        expected: one.predicted.clone(),
        observed: one.observed.clone(),
        since_ms: None,
    };
    StepError::Mismatch {
        message: format!("the model differs: {first}{more}"),
        mismatches: differences.iter().map(mismatch).collect(),
    }
}
