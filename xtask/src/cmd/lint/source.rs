//! Where settings and clusters come from: files, and a context that is only read.

use std::time::Duration;

use anyhow::{Context as _, Result};
use camino::Utf8Path;
use cluster::existing::{Context, Why, cluster_role, look};

use crate::cli::Reach;
use crate::outcome::BadInput;

/// How long all reads of a cluster may take together, where nothing else is said.
const PATIENCE: Duration = Duration::from_secs(15);

/// The name of the role that is printed.
const ROLE: &str = "ipam-e2e-lint";

/// A file's bytes. A missing one is bad input.
pub(crate) fn file(path: &Utf8Path) -> Result<Vec<u8>> {
    if !path.is_file() {
        return Err(BadInput(format!("{path}: there is no such file")).into());
    }
    fs_err::read(path).with_context(|| format!("read {path}"))
}

/// What a running cluster shows, and what it does not.
pub(super) fn live(name: &str, reach: &Reach) -> Result<(lint::Objects, Vec<String>)> {
    if let Some(file) = reach.kubeconfig.as_ref().filter(|file| !file.is_file()) {
        return Err(BadInput(format!("{file}: there is no such kubeconfig")).into());
    }
    let context = Context { name: name.to_owned(), kubeconfig: reach.kubeconfig.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let sight = runtime.block_on(look(&context, reach.timeout.unwrap_or(PATIENCE)))?;
    let mut refused = Vec::new();
    let mut not_checked = Vec::new();
    for missing in &sight.missing {
        let right = missing.wanted.right();
        match (&missing.why, missing.wanted.needed) {
            (Why::Forbidden(words), true) => refused.push(format!("{right} ({words})")),
            (Why::Forbidden(_), false) => {
                not_checked.push(format!("{}: the right to {right} is missing", missing.wanted.what));
            }
            (Why::Absent, true) if missing.wanted.name.is_some() => {}
            (Why::Absent, true) => not_checked.push(format!("{}: the cluster has no such kind", missing.wanted.what)),
            (Why::Absent, false) => {}
        }
    }
    if !refused.is_empty() {
        return Err(BadInput(format!(
            "context {name} may not read what is needed; missing:\n  {}\nthis role gives it (bind it to the user of that context: `kubectl \
             create clusterrolebinding {ROLE} --clusterrole {ROLE} --user NAME`):\n{}",
            refused.join("\n  "),
            cluster_role(ROLE)
        ))
        .into());
    }
    let mut objects = lint::Objects::default();
    sight.objects.iter().for_each(|object| objects.add(object));
    Ok((objects, not_checked))
}
