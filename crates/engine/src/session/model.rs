//! The model beside a session.

use std::time::Duration;

use events::{EventKind, ModelReport};
use predict::oracle::{Happened, Verdict};
use serde_json::Value;
use tokio::time::Instant;

use super::{Level, Session};
use crate::failure::StepError;
use crate::invariant::View;
use crate::state;

/// How long the end of a scenario waits for the CiliumNodes to come to rest, for the last comparison.
const LAST: Duration = Duration::from_secs(45);

impl Session {
    fn view(&self) -> View<'_> {
        View { world: &self.world, history: &self.history }
    }

    /// A step has patched a CiliumNode: what the API server made of it.
    pub(crate) fn edited(&mut self, node: &str, patch: &Value, answer: &Value) {
        let Some(model) = &mut self.model else { return };
        let now = Instant::now();
        if patch.pointer("/metadata/annotations").is_some() {
            let what = format!("a step changes annotations of CiliumNode {node}, which the model does not look at");
            model.edited(now, Happened::NotKnown(what));
        }
        let node = node.to_owned();
        if patch.pointer("/spec/ipam/podCIDRs").is_some() {
            let texts = answer.pointer("/spec/ipam/podCIDRs").and_then(Value::as_array);
            let pod_cidrs = texts.into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect();
            model.edited(now, Happened::PodCidrsSet { node: node.clone(), pod_cidrs });
        }
        if patch.pointer("/status/ipam/operator-status").is_some() {
            let error = answer.pointer("/status/ipam/operator-status/error").and_then(Value::as_str);
            model.edited(now, Happened::ErrorSet { node, error: error.unwrap_or_default().to_owned() });
        }
    }

    /// Compares the CiliumNodes with what the model says, and tells what differs.
    pub(crate) fn compare_model(&mut self, step: Option<usize>) {
        let unsettled = self.moment().unsettled_ipam(Instant::now()).is_some();
        let view = View { world: &self.world, history: &self.history };
        let told = self.model.as_mut().map(|model| model.compare(step, unsettled, view)).unwrap_or_default();
        for event in told {
            self.emitter.emit(event);
        }
    }

    /// Lets the CiliumNodes come to rest, so that the last comparison counts.
    pub(crate) async fn end_model(&mut self, scale: f64) -> Result<(), StepError> {
        if self.model.is_none() {
            return Ok(());
        }
        let deadline = Instant::now() + LAST.mul_f64(scale);
        let kinds = state::kinds();
        let settled = self
            .until(deadline, "the CiliumNodes to come to rest", &kinds, |session| {
                match session.moment().unsettled_ipam(Instant::now()) {
                    None => Level::Done(()),
                    Some((last, wake)) => Level::NotYet { last, wake },
                }
            })
            .await;
        // One that does not come to rest is left out; only a check that goes on, or an invariant, may end the scenario here.
        if settled.is_err() {
            self.violation(None)?;
        }
        let last = self.scenario.steps.len().checked_sub(1);
        self.compare_model(last);
        Ok(())
    }

    /// What a comparison would come to now.
    pub(crate) fn peek_model(&self) -> Option<Verdict> {
        self.model.as_ref().map(|model| model.peek(self.view()))
    }

    /// Tells what the model came to in all.
    pub(crate) fn tell_model(&self) {
        let report = match &self.model {
            Some(model) => model.report(),
            None => ModelReport::not_applicable("the cluster runs on the same model"),
        };
        self.emitter.emit(EventKind::Model { report });
    }
}
