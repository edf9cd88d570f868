//! Commands in containers, over the API's websocket.

use std::time::Duration;

use futures::future::OptionFuture;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::AttachParams;
use kube::{Api, Client};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use crate::ExecOutput;
use crate::error::Fault;

/// The most that is read of each stream.
const LIMIT: u64 = 4 << 20;

/// Runs the command and waits for its end, for at most `deadline`.
pub(crate) async fn exec(
    client: Client,
    namespace: &str,
    pod: &str,
    container: Option<&str>,
    command: &[String],
    deadline: Duration,
) -> Result<ExecOutput, Fault> {
    let operation = || format!("exec in {namespace}/{pod} of");
    let run = async {
        let pods: Api<Pod> = Api::namespaced(client, namespace);
        let params = AttachParams { container: container.map(str::to_owned), ..AttachParams::default().stdin(false) };
        let mut process = pods.exec(pod, command, &params).await.map_err(|error| error.to_string())?;
        let status = OptionFuture::from(process.take_status());
        let (stdout, stderr) = (process.stdout(), process.stderr());
        let (stdout, stderr, status) = tokio::join!(read(stdout), read(stderr), status);
        let status = status.flatten();
        let ended = process.join().await;
        let code = match (status, ended) {
            (Some(status), _) => code(&status)?,
            (None, Err(error)) => return Err(error.to_string()),
            (None, Ok(())) => return Err("the connection ended without a status".to_owned()),
        };
        Ok(ExecOutput { code, stdout, stderr })
    };
    match timeout(deadline, run).await {
        Ok(result) => result.map_err(|cause| Fault::new(operation(), cause)),
        Err(_) => {
            let cause = format!("`{}` did not end within {} s", command.join(" "), deadline.as_secs_f64());
            Err(Fault::new(operation(), cause))
        }
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let mut stream = stream;
        (&mut stream).take(LIMIT).read_to_end(&mut bytes).await.ok();
        // What is beyond the limit must still be taken, or the command would wait for us.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The exit code in the status that ends a session (k8s.io/client-go, tools/remotecommand/v4.go: reason `NonZeroExitCode`, the code
/// in a cause `ExitCode`).
fn code(status: &Status) -> Result<i32, String> {
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let message = || status.message.clone().unwrap_or_else(|| "failed without a message".to_owned());
    if status.reason.as_deref() != Some("NonZeroExitCode") {
        return Err(message());
    }
    let causes = status.details.as_ref().and_then(|details| details.causes.as_ref());
    causes
        .into_iter()
        .flatten()
        .find(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .and_then(|cause| cause.message.as_deref()?.parse().ok())
        .ok_or_else(message)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case(json!({"status": "Success"}), Ok(0))]
    #[case(
        json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with exit code 3",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}),
        Ok(3)
    )]
    #[case(json!({"status": "Failure", "reason": "InternalError", "message": "no such file"}), Err("no such file"))]
    #[case(json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "odd"}), Err("odd"))]
    #[case(json!({"status": "Failure"}), Err("failed without a message"))]
    fn exit_codes(#[case] status: Value, #[case] expected: Result<i32, &str>) {
        let status: Status = serde_json::from_value(status).unwrap();
        assert_eq!(code(&status), expected.map_err(str::to_owned));
    }

    #[tokio::test]
    async fn streams_are_bounded_and_taken_to_their_end() {
        let (mut ours, theirs) = tokio::io::duplex(1 << 16);
        let writer = tokio::spawn(async move {
            tokio::io::copy(&mut tokio::io::repeat(b'x').take(LIMIT + 100_000), &mut ours).await
        });
        assert_eq!(read(Some(theirs)).await.len() as u64, LIMIT);
        assert_eq!(writer.await.unwrap().unwrap(), LIMIT + 100_000);
    }
}
