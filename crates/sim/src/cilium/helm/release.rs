//! Helm's own records: Secrets that `helm list` reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use semver::Version;
use serde_json::{Map, Value, json};

use cilium::components::{NAMESPACE, RELEASE};

use crate::store::{DeleteOptions, Resource, WriteOptions};
use crate::world::{Context, Key};

/// Marks an object as Helm's.
pub(super) fn own(object: &mut Value) {
    object["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm".into();
    object["metadata"]["annotations"]["meta.helm.sh/release-name"] = RELEASE.into();
    object["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = NAMESPACE.into();
}

fn name(revision: u32) -> String {
    format!("sh.helm.release.v1.{RELEASE}.v{revision}")
}

/// Writes the record of a revision and marks the one before as superseded.
pub(super) fn record(cx: &Context, revision: u32, version: &Version, values: &Map<String, Value>) {
    if revision > 1 {
        cx.change(Resource::Secret, &Key::new(NAMESPACE, &name(revision - 1)), |secret| {
            secret["metadata"]["labels"]["status"] = "superseded".into();
        });
    }
    let now = cx.stamp();
    let release = json!({
        "name": RELEASE,
        "namespace": NAMESPACE,
        "version": revision,
        "info": {
            "first_deployed": now,
            "last_deployed": now,
            "deleted": "",
            "description": if revision == 1 { "Install complete" } else { "Upgrade complete" },
            "status": "deployed",
        },
        "chart": {
            "metadata": {"apiVersion": "v2", "name": "cilium", "version": version.to_string(), "appVersion": version.to_string()},
            "templates": [],
            "values": {},
        },
        "config": values,
        "manifest": "",
    });
    // Helm reads records without gzip too; the outer encoding is the Secret's.
    let data = STANDARD.encode(STANDARD.encode(release.to_string()));
    let secret = json!({
        "metadata": {
            "name": name(revision),
            "labels": {
                "modifiedAt": cx.store.now().as_second().to_string(),
                "name": RELEASE,
                "owner": "helm",
                "status": "deployed",
                "version": revision.to_string(),
            },
        },
        "type": "helm.sh/release.v1",
        "data": {"release": data},
    });
    // One left over from an uninstall that was cut off: then Helm would say so; here it is overwritten by deletion.
    let _ = cx.store.delete(Resource::Secret, NAMESPACE, &name(revision), &DeleteOptions::default());
    let _ = cx.store.create(Resource::Secret, NAMESPACE, secret, &WriteOptions::default());
}

/// Removes every record.
pub(super) fn forget(cx: &Context, newest: u32) {
    for revision in 1..=newest {
        // Helm keeps ten of them; which are left does not matter.
        let _ = cx.store.delete(Resource::Secret, NAMESPACE, &name(revision), &DeleteOptions::default());
    }
}
