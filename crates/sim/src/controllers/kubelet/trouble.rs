//! What a node can lack: images, and room on its disk.

use serde_json::json;

use super::Kubelets;
use super::container::State;
use crate::store::Resource;
use crate::world::{Context, Key, Name, Note, PodStep, Source, Task};

impl Kubelets {
    /// From now on no node has such images.
    pub(crate) fn lose_image(&mut self, image: &str) {
        self.absent.push(image.to_owned());
    }

    /// Whether a pod cannot start for want of an image. Then its container waits, and another pull is tried later.
    pub(super) fn lacks_image(&mut self, cx: &mut Context, uid: &Name) -> bool {
        let Some(local) = self.pods.get_mut(uid) else { return false };
        let absent = &self.absent;
        let lacking = |image: &str| absent.iter().any(|lost| image.starts_with(lost.as_str()));
        let Some(container) = local.containers.iter_mut().find(|container| lacking(&container.image)) else {
            return false;
        };
        let again = matches!(&container.state, State::Waiting { reason, .. } if reason.contains("ImagePull"));
        let reason = if again { "ImagePullBackOff" } else { "ErrImagePull" };
        let text = format!("Back-off pulling image {:?}", container.image);
        container.state = State::Waiting { reason: reason.to_owned(), message: text.clone() };
        let (life, node) = (local.life, local.node.clone());
        self.write_status(cx, uid);
        if let Some(object) = cx.store.find_uid(uid) {
            let source = Source { component: "kubelet", host: &node };
            cx.events.write(&cx.store, &object, source, Note::warning("Failed", text));
        }
        let span = cx.pace.sandbox_retry;
        cx.later(span, Task::Pod(uid.clone(), life, PodStep::Start));
        true
    }
}

/// A kubelet finds its disk full: the Node says so, and no more pods come. Those that run go on. Answers whether there is such a Node.
pub(crate) fn disk_full(cx: &Context, node: &str) -> bool {
    let now = cx.stamp();
    cx.change(Resource::Node, &Key::new("", node), |node| {
        let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
        taints.push(json!({"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule", "timeAdded": now}));
        node["spec"]["taints"] = taints.into();
        for condition in node["status"]["conditions"].as_array_mut().into_iter().flatten() {
            if condition["type"] == "DiskPressure" {
                condition["status"] = "True".into();
                condition["reason"] = "KubeletHasDiskPressure".into();
                condition["message"] = "kubelet has disk pressure".into();
                condition["lastTransitionTime"] = now.clone().into();
            }
        }
    })
    .is_some()
}
