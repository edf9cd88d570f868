//! An image's manifest and configuration, without its layers.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::survey::Image;

/// A document with its digest. It ends with a line break, so that a shell can write it unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) hex: String,
    pub(super) text: String,
}

impl Blob {
    fn new(value: &Value) -> Self {
        let text = format!("{value}\n");
        Self { hex: sha256(text.as_bytes()), text }
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": format!("sha256:{}", self.hex), "size": self.text.len()})
    }
}

/// All documents of an OCI image layout for these images: the blobs, and the index. Layers are named by the digest of their
/// unpacked form, which containerd looks for among its snapshots before it looks for a blob.
pub(super) fn layout(images: &[Image]) -> (Vec<Blob>, String) {
    let (mut blobs, mut manifests) = (Vec::new(), Vec::new());
    for image in images {
        let platform = json!({"architecture": image.architecture, "os": image.os, "variant": image.variant});
        let mut config = platform.clone();
        config["created"] = json!(image.created);
        config["config"] = image.config.clone();
        config["rootfs"] = json!({"type": "layers", "diff_ids": image.root.layers});
        let config = Blob::new(&without_nulls(config));
        // Nobody reads the blobs; the sizes are what `crictl images` adds up.
        let layers: Vec<Value> = (image.root.layers.iter().enumerate())
            .map(|(n, diff)| {
                let size = if n == 0 { image.size } else { 0 };
                json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": diff, "size": size})
            })
            .collect();
        let manifest = Blob::new(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
            "layers": layers,
        }));
        let mut entry = manifest.descriptor("application/vnd.oci.image.manifest.v1+json");
        entry["platform"] = without_nulls(platform);
        entry["annotations"] = json!({"io.containerd.image.name": full_name(&image.name)});
        manifests.push(entry);
        blobs.extend([config, manifest]);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    (blobs, format!("{index}\n"))
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, v| !v.is_null());
    }
    value
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name under which containerd keeps an image: with registry, and with a tag unless it has a digest (distribution's reference
/// rules: the first part is a registry if it has a dot or a colon, or is `localhost`).
pub(super) fn full_name(name: &str) -> String {
    let with_registry = match name.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    };
    let last = with_registry.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { with_registry } else { format!("{with_registry}:latest") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("alpine:3.22", "docker.io/library/alpine:3.22")]
    #[case("alpine", "docker.io/library/alpine:latest")]
    #[case("cilium/cilium:v1", "docker.io/cilium/cilium:v1")]
    #[case("quay.io/cilium/cilium:v1.18.4", "quay.io/cilium/cilium:v1.18.4")]
    #[case("localhost/x", "localhost/x:latest")]
    #[case("registry:5000/x/y", "registry:5000/x/y:latest")]
    #[case("quay.io/x@sha256:ab", "quay.io/x@sha256:ab")]
    fn names(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(full_name(name), expected);
    }

    #[test]
    fn documents_refer_to_each_other_by_digest_and_size() {
        let image: Image = serde_json::from_value(json!({
            "Architecture": "amd64", "Os": "linux", "Size": 10, "Config": {"Cmd": ["sh", "it's"]},
            "RootFS": {"Layers": ["sha256:aa", "sha256:bb"]},
        }))
        .unwrap();
        let image = Image { name: "alpine:3.22".into(), ..image };
        let (blobs, index) = layout(&[image]);
        let [config, manifest] = &blobs[..] else { panic!("{blobs:?}") };
        let index: Value = serde_json::from_str(&index).unwrap();
        assert_eq!(index["manifests"][0]["digest"], format!("sha256:{}", manifest.hex));
        assert_eq!(index["manifests"][0]["size"], manifest.text.len());
        assert_eq!(index["manifests"][0]["annotations"]["io.containerd.image.name"], "docker.io/library/alpine:3.22");
        let manifest: Value = serde_json::from_str(&manifest.text).unwrap();
        assert_eq!(manifest["config"]["digest"], format!("sha256:{}", config.hex));
        assert_eq!(config.hex, sha256(config.text.as_bytes()));
        let config: Value = serde_json::from_str(&config.text).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"], json!(["sha256:aa", "sha256:bb"]));
        assert_eq!(config["config"]["Cmd"][1], "it's");
        assert_eq!(config.get("variant"), None);
    }
}
