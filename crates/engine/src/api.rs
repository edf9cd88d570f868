//! Requests to the API: what is retried, and how errors read.

use std::future::Future;
use std::time::Duration;

use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use tokio::time::Instant;

use crate::failure::StepError;
use crate::observe::KindName;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// An API for any kind, in a namespace or in the whole cluster.
pub(crate) fn dynamic(client: &kube::Client, kind: &KindName, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource: ApiResource = kind.resource();
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Carries out a request that may be repeated, again and again while the server cannot be reached or asks for patience, until the
/// deadline. A refusal is final at once.
pub(crate) async fn request<T, F, R>(
    deadline: Instant,
    operation: &str,
    object: &str,
    mut send: F,
) -> Result<T, StepError>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, kube::Error>>,
{
    let mut pause = FIRST_PAUSE;
    let mut last = None;
    loop {
        let error = match tokio::time::timeout_at(deadline, send()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if !passing(&error) => text(&error),
            Ok(Err(error)) => {
                if Instant::now() + pause < deadline {
                    last = Some(text(&error));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
                format!("{} (until the deadline)", text(&error))
            }
            Err(_) => match last {
                Some(last) => format!("no answer before the deadline; before that: {last}"),
                None => "no answer before the deadline".to_owned(),
            },
        };
        return Err(StepError::Api { operation: operation.to_owned(), object: object.to_owned(), error });
    }
}

/// Whether the same request may succeed a little later.
fn passing(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 408 | 429 | 500 | 502 | 503 | 504),
        kube::Error::HyperError(_) | kube::Error::Service(_) => true,
        _ => false,
    }
}

/// Whether the server says that there is no such object.
pub(crate) fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether the server says that the object is there already.
pub(crate) fn already_exists(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists")
}

/// An error in one line, each cause once.
pub(crate) fn text(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return format!("{} {}: {}", status.code, status.reason, status.message);
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Several layers of the HTTP stack repeat their cause.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// How long the API server may take to say anything at all.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Why the API server does not answer, if it does not. A refusal is an answer.
pub(crate) async fn unanswered(client: &kube::Client) -> Option<String> {
    let request = http::Request::get("/version").body(Vec::new()).expect("a path of plain characters");
    match tokio::time::timeout(SIGN_OF_LIFE, client.request_text(request)).await {
        Ok(Ok(_)) => None,
        Ok(Err(kube::Error::Api(status))) if status.code < 500 => None,
        Ok(Err(error)) => Some(text(&error)),
        Err(_) => Some(format!("nothing in {}s", SIGN_OF_LIFE.as_secs())),
    }
}
