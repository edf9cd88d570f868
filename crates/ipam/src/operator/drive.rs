//! For callers whose API server answers at once.

use std::time::Duration;

use super::api::{ApiAnswer, ApiRequest, Event, LogLine, Output};
use super::machine::Operator;
use super::order::Order;

/// An API server that answers in the same call.
pub trait CiliumNodeApi {
    /// Carries out a request at the time `at`.
    fn call(&mut self, at: Duration, request: &ApiRequest) -> ApiAnswer;
}

/// What passed between the operator and the API server, or a line of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// A request and its answer.
    Call {
        /// When.
        at: Duration,
        /// What was asked.
        request: ApiRequest,
        /// What was answered.
        answer: ApiAnswer,
    },
    /// A line of the log.
    Log {
        /// When.
        at: Duration,
        /// The line.
        line: LogLine,
    },
}

impl Operator {
    /// [`handle`](Self::handle), with every request answered by `api`.
    pub fn handle_with(
        &mut self,
        now: Duration,
        event: Event,
        order: &mut dyn Order,
        api: &mut dyn CiliumNodeApi,
    ) -> Vec<Exchange> {
        let outputs = self.handle(now, event, order);
        self.answer_all(now, outputs, order, api)
    }

    /// [`on_time`](Self::on_time), with every request answered by `api`.
    pub fn on_time_with(&mut self, now: Duration, order: &mut dyn Order, api: &mut dyn CiliumNodeApi) -> Vec<Exchange> {
        let outputs = self.on_time(now, order);
        self.answer_all(now, outputs, order, api)
    }

    fn answer_all(
        &mut self,
        now: Duration,
        outputs: Vec<Output>,
        order: &mut dyn Order,
        api: &mut dyn CiliumNodeApi,
    ) -> Vec<Exchange> {
        let mut exchanges = Vec::new();
        let mut open = std::collections::VecDeque::from(outputs);
        while let Some(output) = open.pop_front() {
            match output {
                Output::Log { at, line } => exchanges.push(Exchange::Log { at, line }),
                Output::Request { at, request } => {
                    let answer = api.call(at, &request);
                    exchanges.push(Exchange::Call { at, request, answer: answer.clone() });
                    open.extend(self.handle(now, Event::Answer(answer), order));
                }
            }
        }
        exchanges
    }
}
