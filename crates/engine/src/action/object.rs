//! Writing objects, and seeing one's own writes.

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use scenario::model::{ObjectName, PatchStep};
use serde_json::Value;
use tokio::time::Instant;

use super::{Done, variables};
use crate::api;
use crate::failure::StepError;
use crate::observe::KindName;
use crate::session::{Level, Session};

/// Merge-patches an object and waits until the watch has delivered the result, where its kind is watched.
pub(crate) async fn merge(
    session: &mut Session,
    deadline: Instant,
    kind: &KindName,
    namespace: Option<&str>,
    name: &str,
    subresource: Option<&str>,
    patch: &Value,
) -> Result<DynamicObject, StepError> {
    let objects = api::dynamic(&session.client, kind, namespace);
    let params = PatchParams::default();
    let patch = Patch::Merge(patch);
    let slash = namespace.map(|ns| format!("{ns}/")).unwrap_or_default();
    let object = format!("{}/{slash}{name}", kind.kind);
    let work = api::request(deadline, "patch", &object, || async {
        match subresource {
            Some(subresource) => objects.patch_subresource(subresource, name, &params, &patch).await,
            None => objects.patch(name, &params, &patch).await,
        }
    });
    let answer = session.during(work).await??;
    let version = answer.metadata.resource_version.clone().unwrap_or_default();
    seen(session, deadline, kind, namespace.unwrap_or(""), name, &version).await?;
    Ok(answer)
}

/// Waits until the watch on `kind` has delivered this version of an object, or a later one.
pub(crate) async fn seen(
    session: &mut Session,
    deadline: Instant,
    kind: &KindName,
    namespace: &str,
    name: &str,
    version: &str,
) -> Result<(), StepError> {
    session.drain()?;
    // What is not watched, or not this object of its kind, cannot be waited for.
    if !session.world.listed.contains(kind) || session.history.of(kind, namespace, name).is_empty() {
        return Ok(());
    }
    let number = |text: &str| text.parse::<u64>().ok();
    let what = format!("the change of {} {name} to be seen", kind.kind);
    session
        .until(deadline, &what, std::slice::from_ref(kind), |session| {
            let last = session.history.of(kind, namespace, name).last();
            // Versions are numbers that grow in etcd; a server where they are not is only asked for equality.
            let there = last.is_some_and(|last| {
                last.version() == version
                    || number(last.version()).zip(number(version)).is_some_and(|(is, wanted)| is >= wanted)
            });
            if there {
                Level::Done(())
            } else {
                Level::not_yet(
                    last.map_or_else(|| "not seen at all".to_owned(), |last| format!("version {}", last.version())),
                )
            }
        })
        .await
}

/// Deletes an object if it is still the one with this UID. That it is gone already is as good.
pub(crate) async fn delete(
    session: &mut Session,
    deadline: Instant,
    kind: &KindName,
    namespace: Option<&str>,
    name: &str,
    uid: Option<&str>,
    force: bool,
) -> Result<(), StepError> {
    let objects = api::dynamic(&session.client, kind, namespace);
    let params = DeleteParams {
        preconditions: uid.map(|uid| Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        grace_period_seconds: force.then_some(0),
        ..DeleteParams::default()
    };
    let slash = namespace.map(|ns| format!("{ns}/")).unwrap_or_default();
    let object = format!("{}/{slash}{name}", kind.kind);
    let work = api::request(deadline, "delete", &object, || async {
        match objects.delete(name, &params).await {
            Ok(_) => Ok(()),
            Err(error) if api::is_not_found(&error) => Ok(()),
            // Another object has the name by now: the one that was meant is gone.
            Err(kube::Error::Api(status)) if status.code == 409 && uid.is_some() => Ok(()),
            Err(error) => Err(error),
        }
    });
    session.during(work).await?
}

/// Creates an object. That it is there already is as good.
pub(crate) async fn create(
    session: &mut Session,
    deadline: Instant,
    kind: &KindName,
    namespace: Option<&str>,
    manifest: Value,
) -> Result<(), StepError> {
    let objects = api::dynamic(&session.client, kind, namespace);
    let name = manifest["metadata"]["name"].as_str().unwrap_or("").to_owned();
    let object = format!("{}/{name}", kind.kind);
    let manifest: DynamicObject = serde_json::from_value(manifest)
        .map_err(|error| StepError::Input { message: format!("{object} cannot be made: {error}") })?;
    let params = kube::api::PostParams::default();
    let work = api::request(deadline, "create", &object, || async {
        match objects.create(&params, &manifest).await {
            Ok(_) => Ok(()),
            Err(error) if api::already_exists(&error) => Ok(()),
            Err(error) => Err(error),
        }
    });
    session.during(work).await?
}

/// `patch`.
pub(super) async fn patch(session: &mut Session, deadline: Instant, step: &PatchStep) -> Result<Done, StepError> {
    let object = &step.object;
    let kind = KindName::new(&object.api_version, &object.kind);
    let name = match &object.name {
        ObjectName::Literal(name) => name.clone(),
        ObjectName::Node(role) => session.node(*role)?,
    };
    let namespace = object.namespace.as_deref();
    let own = match &object.name {
        ObjectName::Node(role) => Some(*role),
        ObjectName::Literal(_) => None,
    };
    session.drain()?;
    let patch = variables::fill(session, &step.merge, own)?;
    let answer = merge(session, deadline, &kind, namespace, &name, step.subresource.as_deref(), &patch).await?;
    if object.kind == "CiliumNode" {
        session.edited(&name, &patch, &answer.data);
    }
    Ok(Done::new(format!("{} {name} patched", object.kind)))
}
