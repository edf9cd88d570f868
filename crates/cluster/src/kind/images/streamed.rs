//! One `docker save` of all images, written to every node at once.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::error::Fault;
use crate::kind::create::Inner;
use crate::tools::{Input, Invocation, Running, Tool};

/// Reads an archive into containerd, as `kind load` does, once it answers.
const IMPORT: &str = r#"n=0
until ctr version > /dev/null 2>&1; do
  n=$((n + 1)); [ $n -le 1200 ] || { echo 'containerd does not answer' >&2; exit 1; }
  sleep 0.1
done
s=$(sed -n 's/^ *snapshotter = "\(.*\)"$/\1/p' /etc/containerd/config.toml | head -n 1)
exec ctr -n k8s.io images import --all-platforms --snapshotter "${s:-overlayfs}" -"#;

/// Loads `images` into `nodes`. A node that fails (kind restarts containerd where it configures a mirror) is tried once more, alone.
pub(super) async fn load(inner: &Inner, images: &[String], nodes: &[String], bound: Duration) -> Result<(), Fault> {
    inner.progress.now(&format!("images: streaming {} to {} nodes", images.len(), nodes.len()));
    let failed = pour(inner, images, nodes, bound).await?;
    for (node, _) in failed {
        if let Some((node, error)) = pour(inner, images, std::slice::from_ref(&node), bound).await?.pop() {
            let cause = format!("{node}: {}", error.cause);
            return Err(Fault { cause, ..error });
        }
    }
    Ok(())
}

/// One pass; gives back the nodes that failed.
async fn pour(
    inner: &Inner,
    images: &[String],
    nodes: &[String],
    bound: Duration,
) -> Result<Vec<(String, Fault)>, Fault> {
    let fault = |error| Fault::tool("load images into", &error);
    let save = Invocation::new(Tool::Docker, "save images", bound).args(["save"]).args(images).stdout_piped();
    let mut save = inner.door.spawn(save).map_err(fault)?;
    let mut readers: Vec<Running> = Vec::new();
    for node in nodes {
        let run = Invocation::new(Tool::Docker, "load images", bound)
            .args(["exec", "--interactive", node, "sh", "-c", IMPORT])
            .input(Input::Piped);
        readers.push(inner.door.spawn(run).map_err(fault)?);
    }
    let mut pipes: Vec<_> = readers.iter_mut().map(Running::stdin).collect();
    let mut whole = false;
    if let Some(mut archive) = save.stdout() {
        let mut buffer = vec![0; 1 << 20];
        loop {
            let count = match archive.read(&mut buffer).await {
                Ok(0) | Err(_) => {
                    whole = true;
                    break;
                }
                Ok(count) => count,
            };
            let chunk = &buffer[..count];
            // A node that stops reading says why by its exit code; the others go on.
            let written = join_all(pipes.iter_mut().map(|pipe| async move {
                match pipe {
                    Some(open) => open.write_all(chunk).await.is_ok(),
                    None => true,
                }
            }))
            .await;
            for (pipe, fine) in pipes.iter_mut().zip(written) {
                if !fine {
                    *pipe = None;
                }
            }
            if pipes.iter().all(Option::is_none) {
                break;
            }
        }
    }
    drop(pipes);
    let results = join_all(readers.into_iter().map(Running::finish)).await;
    let failed: Vec<(String, Fault)> =
        (nodes.iter().zip(results)).filter_map(|(node, result)| Some((node.clone(), fault(result.err()?)))).collect();
    // An archive that ended early is why the nodes failed; one that nobody reads any more is not.
    if whole {
        save.finish().await.map_err(fault)?;
    }
    Ok(failed)
}
