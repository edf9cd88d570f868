//! Docker's own image layers as the nodes' image layers, mounted read-only: nothing is copied or unpacked.
//!
//! Docker (overlay2) keeps every layer as a folder in the form in which the kernel's overlay file system stacks them, and so does
//! containerd (overlayfs snapshotter). A node gets each folder as a read-only mount; for each layer a snapshot is prepared by
//! containerd's own means, its empty folder is replaced by a link to the mount, and it is committed under the chain id by which
//! containerd finds layers that are unpacked already. The image itself is then only its manifest and its configuration. This is the
//! state of any pulled image on a kind node, whose containerd discards layer blobs once they are unpacked.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::archive::{layout, sha256};
use super::survey::{Engine, Image};
use crate::kind::create::Inner;
use crate::tools::{Input, Invocation, Tool};

/// Where a node sees the layers.
const MOUNT: &str = "/ipam-e2e/layers";

/// A layer: a folder of Docker's, on top of a chain of others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Layer {
    /// Chain id: names this layer on top of these parents.
    chain: String,
    /// Chain id of its parents; empty for a first layer.
    parent: String,
    /// Docker's folder.
    dir: String,
}

/// What a node must mount and be told.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::kind) struct Shared {
    layers: Vec<Layer>,
    blobs: Vec<super::archive::Blob>,
    index: String,
}

impl Shared {
    /// How these images can be shared, or why not.
    pub(super) fn plan(images: &[Image], engine: &Engine) -> Result<Self, String> {
        if images.is_empty() {
            return Err("there are none".to_owned());
        }
        if engine.driver != "overlay2" {
            return Err(format!("Docker keeps images with {}, not overlay2", or_unknown(&engine.driver)));
        }
        if engine.operating_system.contains("Docker Desktop") {
            return Err("Docker Desktop does not let its own folders be mounted".to_owned());
        }
        if let Some(option) =
            engine.security_options.iter().find(|o| o.contains("name=userns") || o.contains("name=rootless"))
        {
            return Err(format!("Docker runs with {option}, so files would have other owners in a node"));
        }
        let mut layers: Vec<Layer> = Vec::new();
        for image in images {
            for layer in layers_of(image)? {
                if !layers.iter().any(|known| known.chain == layer.chain) {
                    layers.push(layer);
                }
            }
        }
        let (blobs, index) = layout(images);
        Ok(Self { layers, blobs, index })
    }

    /// The folders that a node must mount.
    pub(in crate::kind) fn dirs(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().map(|layer| layer.dir.as_str())
    }

    /// What a node's shell is given; none where a layer is not among the folders that it mounts. It waits for containerd, so it can be
    /// started as soon as the container runs.
    pub(super) fn script(&self, mounted: &[String]) -> Option<String> {
        let mut script = String::from(PRELUDE);
        for layer in &self.layers {
            let n = mounted.iter().position(|dir| *dir == layer.dir)?;
            writeln!(script, "share {MOUNT}/{n} {} {}", layer.chain, layer.parent).ok();
        }
        script.push_str("w=$(mktemp -d)\nmkdir -p $w/blobs/sha256\n");
        let mut file = |path: &str, text: &str| {
            write!(script, "cat > $w/{path} <<'{END}'\n{text}{END}\n").ok();
        };
        for blob in &self.blobs {
            file(&format!("blobs/sha256/{}", blob.hex), &blob.text);
        }
        file("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}\n");
        file("index.json", &self.index);
        script.push_str("tar -C $w -cf $w.tar .\nctr -n k8s.io images import --no-unpack --all-platforms $w.tar\nrm -rf $w $w.tar\n");
        Some(script)
    }
}

/// The mounts of every node, for kind's configuration.
pub(in crate::kind) fn mounts(dirs: &[String]) -> Vec<Value> {
    (dirs.iter().enumerate())
        .map(|(n, dir)| json!({"hostPath": dir, "containerPath": format!("{MOUNT}/{n}"), "readOnly": true}))
        .collect()
}

/// Ends the documents in the script. They are JSON in one line each, so this line is never part of one.
const END: &str = "END-OF-DOCUMENT";

/// `ctr` prints the mount of a prepared snapshot: a bind mount of its folder for a first layer, an overlay with it on top for others.
/// A layer that is there already, or comes to be there meanwhile (kubelet unpacks images of its own), is left as it is.
const PRELUDE: &str = r#"set -eu
grep -q 'snapshotter = "overlayfs"' /etc/containerd/config.toml || { echo 'its containerd does not use the overlayfs snapshotter' >&2; exit 1; }
n=0
until ctr version > /dev/null 2>&1; do
  n=$((n + 1)); [ $n -le 1200 ] || { echo 'its containerd does not answer' >&2; exit 1; }
  sleep 0.1
done
s='ctr -n k8s.io snapshots --snapshotter overlayfs'
known=$($s ls)
share() { # FOLDER CHAIN [PARENT]
  case $known in *"$2"*) return 0;; esac
  d=$($s prepare --target /share "share-$2" ${3:-} | sed -n -e 's/.*upperdir=\([^, ]*\).*/\1/p' -e 's/^mount -t bind \([^ ]*\) .*/\1/p')
  [ -n "$d" ] && rmdir "$d" && ln -s "$1" "$d"
  $s commit "$2" "share-$2" || { $s info "$2" > /dev/null && $s rm "share-$2"; }
}
"#;

/// An image's layers from the bottom.
fn layers_of(image: &Image) -> Result<Vec<Layer>, String> {
    let data = image.graph_driver.as_ref().filter(|d| d.name == "overlay2").and_then(|d| d.data.as_ref());
    let Some(data) = data else { return Err(format!("Docker does not say where the layers of {} are", image.name)) };
    let mut dirs: Vec<&str> = data.lower_dir.split(':').rev().filter(|dir| !dir.is_empty()).collect();
    dirs.push(&data.upper_dir);
    if dirs.len() != image.root.layers.len() {
        return Err(format!("{} has {} layers in {} folders", image.name, image.root.layers.len(), dirs.len()));
    }
    if let Some(odd) = dirs.iter().find(|dir| !dir.starts_with('/') || dir.contains([' ', ',', '"', '\n'])) {
        return Err(format!("a layer of {} is in {odd}", image.name));
    }
    let mut parent = String::new();
    let mut layers = Vec::new();
    for (dir, diff) in dirs.into_iter().zip(&image.root.layers) {
        let hex = |c: char| c.is_ascii_hexdigit();
        if !diff.strip_prefix("sha256:").is_some_and(|rest| !rest.is_empty() && rest.chars().all(hex)) {
            return Err(format!("a layer of {} has the digest {diff}", image.name));
        }
        // github.com/opencontainers/image-spec, config.md, "Layer ChainID".
        let chain = if parent.is_empty() {
            diff.clone()
        } else {
            format!("sha256:{}", sha256(format!("{parent} {diff}").as_bytes()))
        };
        layers.push(Layer { chain: chain.clone(), parent, dir: dir.to_owned() });
        parent = chain;
    }
    Ok(layers)
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "something unknown" } else { text }
}

/// Tells a node; the error is why it cannot share.
pub(super) async fn apply(inner: &Inner, node: &str, script: &str, bound: Duration) -> Result<(), String> {
    let run = Invocation::new(Tool::Docker, "share image layers", bound)
        .args(["exec", "--interactive", node, "sh"])
        .input(Input::Bytes(script.as_bytes().to_vec()));
    inner.door.run(run).await.map(drop).map_err(|error| error.cause())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn image(name: &str, layers: &[&str], lower: &str, upper: &str) -> Image {
        let image: Image = serde_json::from_value(json!({
            "Architecture": "amd64", "Os": "linux", "RootFS": {"Layers": layers},
            "GraphDriver": {"Name": "overlay2", "Data": {"LowerDir": lower, "UpperDir": upper}},
        }))
        .unwrap();
        Image { name: name.to_owned(), ..image }
    }

    fn engine() -> Engine {
        Engine {
            driver: "overlay2".into(),
            operating_system: "Debian".into(),
            security_options: vec!["name=seccomp".into()],
        }
    }

    #[test]
    fn layers_are_stacked_from_the_bottom_and_common_ones_appear_once() {
        let a = image("a", &["sha256:aa", "sha256:bb"], "/d/1", "/d/2");
        let b = image("b", &["sha256:aa", "sha256:cc"], "/d/1", "/d/3");
        let got = Shared::plan(&[a, b], &engine()).unwrap();
        let dirs: Vec<&str> = got.layers.iter().map(|l| l.dir.as_str()).collect();
        assert_eq!(dirs, ["/d/1", "/d/2", "/d/3"]);
        assert_eq!(got.layers[0].chain, "sha256:aa");
        assert_eq!(got.layers[1].parent, "sha256:aa");
        // The definition's own rule, by hand: sha256("sha256:aa sha256:bb").
        assert_eq!(got.layers[1].chain, format!("sha256:{}", sha256(b"sha256:aa sha256:bb")));
        let dirs: Vec<String> = got.dirs().map(str::to_owned).collect();
        assert_eq!(
            mounts(&dirs)[2],
            json!({"hostPath": "/d/3", "containerPath": "/ipam-e2e/layers/2", "readOnly": true})
        );
    }

    #[test]
    fn the_folders_of_a_deep_image_are_reversed() {
        let it = image("a", &["sha256:01", "sha256:02", "sha256:03"], "/mid:/bottom", "/top");
        let dirs: Vec<String> = layers_of(&it).unwrap().into_iter().map(|l| l.dir).collect();
        assert_eq!(dirs, ["/bottom", "/mid", "/top"]);
    }

    #[rstest]
    #[case::containerd_store(Engine { driver: "overlayfs".into(), ..engine() }, "keeps images with overlayfs")]
    #[case::desktop(Engine { operating_system: "Docker Desktop".into(), ..engine() }, "Docker Desktop")]
    #[case::userns(Engine { security_options: vec!["name=userns".into()], ..engine() }, "name=userns")]
    #[case::rootless(Engine { security_options: vec!["name=rootless".into()], ..engine() }, "name=rootless")]
    #[case::unknown(Engine::default(), "something unknown")]
    fn engines_that_cannot_share(#[case] engine: Engine, #[case] why: &str) {
        let error = Shared::plan(&[image("a", &["sha256:aa"], "", "/d/1")], &engine).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[rstest]
    #[case::count(image("a", &["sha256:aa", "sha256:bb"], "", "/d/1"), "2 layers in 1 folders")]
    #[case::no_driver(Image { graph_driver: None, ..image("a", &["sha256:aa"], "", "/d/1") }, "does not say")]
    #[case::shell(image("a", &["sha256:aa; reboot"], "", "/d/1"), "has the digest")]
    #[case::relative(image("a", &["sha256:aa"], "", "d/1"), "is in d/1")]
    fn images_that_cannot_be_shared(#[case] image: Image, #[case] why: &str) {
        let error = Shared::plan(&[image], &engine()).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn the_script_is_one_that_a_shell_reads() {
        let it = image("alpine:3.22", &["sha256:aa", "sha256:bb"], "/d/1", "/d/2");
        let shared = Shared::plan(&[it], &engine()).unwrap();
        assert_eq!(shared.script(&["/d/1".to_owned()]), None, "a layer is not mounted");
        // Mounted for another image as well, and so in another place.
        let script = shared.script(&["/d/0", "/d/1", "/d/2"].map(str::to_owned)).unwrap();
        assert!(script.contains("share /ipam-e2e/layers/1 sha256:aa \n"), "{script}");
        assert!(script.contains(" sha256:aa\nw=$(mktemp -d)"), "{script}");
        assert_eq!(script.matches(END).count() % 2, 0);
    }
}
