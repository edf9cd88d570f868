//! Commands in containers, over WebSockets as `kubectl exec` opens them.

use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use http::request::Parts;
use serde_json::{Value, json};

use super::hooks::ExecResult;
use super::request::{Place, Query};
use super::{Api, log};
use crate::store::{Resource, Status, Stored};

const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;

/// `GET pods/NAME/exec`.
pub(super) async fn handle(api: &Api, place: &Place, query: &Query, parts: &mut Parts) -> Result<Response, Status> {
    if place.resource != Resource::Pod {
        return Err(Status::no_such_path());
    }
    let name = place.name.as_deref().unwrap_or_default();
    let pod = api.store.get(Resource::Pod, &place.namespace, name)?;
    let container = log::container(&pod, query.text("container"))?;
    running(&pod)?;
    let command = query.all("command").to_vec();
    if command.is_empty() {
        return Err(Status::bad_request("you must specify at least 1 command for the container"));
    }
    let upgrade = WebSocketUpgrade::from_request_parts(parts, api)
        .await
        .map_err(|_| Status::bad_request("Upgrade request required"))?;
    let hooks = api.hooks.clone();
    let (stdout, stderr) = (query.flag("stdout"), query.flag("stderr"));
    Ok(upgrade.protocols(["v5.channel.k8s.io", "v4.channel.k8s.io"]).on_upgrade(move |socket| async move {
        let result = hooks.exec(&pod, &container, &command).await;
        // A client that is gone needs no answer.
        let _ = answer(socket, result, stdout, stderr).await;
    }))
}

fn running(pod: &Stored) -> Result<(), Status> {
    let value = pod.value();
    let phase = value["status"]["phase"].as_str().unwrap_or_default();
    if matches!(phase, "Succeeded" | "Failed") {
        return Err(Status::bad_request(format!(
            "cannot exec into a container in a completed pod; current phase is {phase}"
        )));
    }
    if value["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() {
        return Err(Status::bad_request(format!("pod {} does not have a host assigned", pod.meta.name)));
    }
    Ok(())
}

async fn answer(
    mut socket: WebSocket,
    result: Result<ExecResult, Status>,
    stdout: bool,
    stderr: bool,
) -> Result<(), axum::Error> {
    let outcome = match result {
        Ok(result) => {
            for (channel, wanted, text) in [(STDOUT, stdout, &result.stdout), (STDERR, stderr, &result.stderr)] {
                if wanted && !text.is_empty() {
                    socket.send(frame(channel, text.as_bytes())).await?;
                }
            }
            outcome(result.code)
        }
        Err(status) => status.to_value(),
    };
    socket.send(frame(ERROR, outcome.to_string().as_bytes())).await?;
    // Without a code, clients take the end for a broken connection.
    socket.send(Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: Utf8Bytes::default() }))).await
}

fn frame(channel: u8, bytes: &[u8]) -> Message {
    let mut out = Vec::with_capacity(bytes.len() + 1);
    out.push(channel);
    out.extend_from_slice(bytes);
    Message::Binary(out.into())
}

/// What the error channel says of an exit code.
fn outcome(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        "code": 500,
    })
}
