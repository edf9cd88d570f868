//! ControllerRevisions: the templates that a DaemonSet has had.

use crate::controllers::template;
use crate::store::{Resource, Stored, WriteOptions};
use crate::tree::{Tree, tree};
use crate::world::{Context, Key};

/// Makes sure that the DaemonSet's template has a revision, numbered as the newest; returns its hash.
pub(super) fn ensure(cx: &mut Context, set: &Stored, value: &Tree) -> String {
    let hash = template::hash(&value["spec"]["template"]);
    let name = format!("{}-{hash}", set.meta.name);
    let highest = cx
        .store
        .owned_by(&set.meta.uid)
        .iter()
        .filter(|object| object.meta.resource == Resource::ControllerRevision && *object.meta.name != *name)
        .filter_map(|object| object.tree()["revision"].as_u64())
        .max()
        .unwrap_or_default();
    if let Some(found) = cx.store.find(Resource::ControllerRevision, &set.meta.namespace, &name) {
        cx.change(Resource::ControllerRevision, &Key::of(&found), |revision| {
            if revision["revision"].as_u64().unwrap_or_default() <= highest {
                revision["revision"] = (highest + 1).into();
            }
        });
        return hash;
    }
    let mut labels = value["spec"]["template"]["metadata"]["labels"].clone();
    labels[super::REVISION_LABEL] = hash.clone().into();
    let mut kept = value["spec"]["template"].clone();
    kept["$patch"] = "replace".into();
    let mut annotations = value["metadata"]["annotations"].clone();
    if !annotations.is_object() {
        annotations = tree!({});
    }
    let revision = tree!({
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [template::controller_reference(set)],
        },
        "data": {"spec": {"template": kept}},
        "revision": highest + 1,
    });
    // In a namespace that is going there is none, and no pods either.
    let _ = cx.store.create(Resource::ControllerRevision, &set.meta.namespace, revision, &WriteOptions::default());
    hash
}
