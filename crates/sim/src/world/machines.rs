//! The machines: what registers Nodes and says how they are.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::pace::NODE_GRACE;
use super::{Context, Key, Name, Shape, Task};
use crate::controllers::scheduler::set_condition;
use crate::store::{Resource, Stored, WriteOptions};
use crate::tree::{Tree, tree};

/// What the Node says while no CNI plugin is configured.
const NO_NETWORK: &str = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized";

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) control_plane: bool,
    pub(crate) running: bool,
    /// It has joined at least once.
    pub(crate) joined: bool,
    boot_id: String,
    /// Timers of an earlier run are void.
    pub(crate) life: u32,
}

/// What a machine does later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MachineStep {
    /// Its kubelet is up and registers the Node.
    Register,
    /// Nobody has heard of it for too long.
    Silent,
}

/// All machines.
#[derive(Debug)]
pub(crate) struct Machines {
    by_name: BTreeMap<Name, Machine>,
    version: String,
}

impl Machines {
    /// `NAME-control-plane`, `NAME-worker`, `NAME-worker2`, ... with addresses as kind's Docker network gives them.
    pub(crate) fn new(shape: &Shape, cx: &mut Context) -> Self {
        let mut by_name = BTreeMap::new();
        let count = shape.workers + 1;
        for index in 0..count {
            let name = match index {
                0 => format!("{}-control-plane", shape.name),
                1 => format!("{}-worker", shape.name),
                n => format!("{}-worker{n}", shape.name),
            };
            let mut addresses = Vec::new();
            if shape.ipv4 {
                addresses.push(IpAddr::V4(Ipv4Addr::from(0xac12_0002_u32 + index)));
            }
            if shape.ipv6 {
                let base = u128::from(Ipv6Addr::new(0xfc00, 0xf853, 0xccd, 0xe793, 0, 0, 0, 2));
                addresses.push(IpAddr::V6(Ipv6Addr::from(base + u128::from(index))));
            }
            let machine = Machine {
                addresses,
                control_plane: index == 0,
                running: true,
                joined: false,
                boot_id: cx.store.new_uid(),
                life: 0,
            };
            by_name.insert(Name::from(name), machine);
        }
        Self { by_name, version: shape.kubernetes.clone() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Machine> {
        self.by_name.get(name)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&Name, &Machine)> {
        self.by_name.iter()
    }

    /// Has every machine joined?
    pub(crate) fn joined(&self) -> (usize, usize) {
        (self.by_name.values().filter(|machine| machine.joined).count(), self.by_name.len())
    }

    /// The control plane joins at once, the others a while after it, in any order.
    pub(crate) fn boot(&mut self, cx: &mut Context) {
        let join = cx.pace.join;
        for (name, machine) in &self.by_name {
            let task = Task::Machine(name.clone(), machine.life, MachineStep::Register);
            if machine.control_plane {
                cx.timers.after(std::time::Duration::ZERO, task);
            } else {
                cx.later(join, task);
            }
        }
    }

    /// Stops a machine. Its Node stays, and turns unknown once nobody has heard of it for a while.
    pub(crate) fn stop(&mut self, cx: &mut Context, name: &Name) -> bool {
        let Some(machine) = self.by_name.get_mut(name) else { return false };
        if !std::mem::replace(&mut machine.running, false) {
            return false;
        }
        machine.life += 1;
        cx.timers.after(NODE_GRACE, Task::Machine(name.clone(), machine.life, MachineStep::Silent));
        true
    }

    /// Starts it again.
    pub(crate) fn start(&mut self, cx: &mut Context, name: &Name) -> bool {
        let Some(machine) = self.by_name.get_mut(name) else { return false };
        if std::mem::replace(&mut machine.running, true) {
            return false;
        }
        machine.life += 1;
        machine.boot_id = cx.store.new_uid();
        let span = cx.pace.machine_boot;
        cx.later(span, Task::Machine(name.clone(), machine.life, MachineStep::Register));
        true
    }

    /// The kubelet registers its Node, or finds it there and brings its status up to date.
    pub(crate) fn register(&mut self, cx: &mut Context, name: &Name, networked: bool) {
        let alone = self.by_name.len() == 1;
        let Some(machine) = self.by_name.get_mut(name) else { return };
        machine.joined = true;
        let status = status(cx, name, machine, &self.version, networked);
        if cx.store.find(Resource::Node, "", name).is_some() {
            cx.change(Resource::Node, &Key::new("", name), |node| {
                let old = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
                node["status"] = status;
                // The kubelet's own conditions replace the old ones; those of others stay.
                let fresh = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
                node["status"]["conditions"] = old.into();
                for condition in fresh {
                    set_condition(node, condition);
                }
            });
            return;
        }
        let node = tree!({
            "metadata": {"name": **name, "labels": labels(name, machine, alone), "annotations": annotations()},
            "spec": spec(name, machine, alone),
            "status": status,
        });
        let options = WriteOptions { part: crate::store::Part::Whole, dry_run: false };
        // A Node of that name cannot be there: it was looked for just now.
        let created = cx.store.create(Resource::Node, "", node, &options);
        if let Ok(node) = created {
            let _ = cx.store.create(Resource::Lease, LEASES, lease(cx, &node), &WriteOptions::default());
        }
    }

    /// A CNI plugin is configured: the Node is ready.
    pub(crate) fn network_ready(&self, cx: &mut Context, name: &Name) {
        let now = cx.stamp();
        cx.change(Resource::Node, &Key::new("", name), |node| set_condition(node, ready(true, &now)));
    }

    /// No CNI plugin is configured any more: as on a new Node.
    pub(crate) fn network_gone(&self, cx: &mut Context, name: &Name) {
        let now = cx.stamp();
        cx.change(Resource::Node, &Key::new("", name), |node| set_condition(node, ready(false, &now)));
    }

    /// Nobody has heard of a machine for too long.
    pub(crate) fn silent(&self, cx: &mut Context, name: &Name) {
        let now = cx.stamp();
        cx.change(Resource::Node, &Key::new("", name), |node| {
            for kind in ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"] {
                let condition = tree!({
                    "type": kind,
                    "status": "Unknown",
                    "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting node status.",
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": now,
                });
                set_condition(node, condition);
            }
        });
    }
}

/// Where kubelets say that they are alive.
const LEASES: &str = "kube-node-lease";

/// A Node's lease, as its kubelet takes it. It is not renewed: nobody looks at it but people.
fn lease(cx: &Context, node: &Stored) -> Tree {
    let name = &*node.meta.name;
    tree!({
        "metadata": {
            "name": name,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": &*node.meta.uid}],
        },
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": 40,
            "renewTime": format!("{:.6}", cx.store.now()),
        },
    })
}

fn labels(name: &Name, machine: &Machine, alone: bool) -> Tree {
    let mut labels = tree!({
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": **name,
        "kubernetes.io/os": "linux",
    });
    if machine.control_plane {
        labels["node-role.kubernetes.io/control-plane"] = "".into();
    }
    // kind lets a cluster of one node be used like any other.
    if machine.control_plane && !alone {
        labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "".into();
    }
    labels
}

fn annotations() -> Tree {
    tree!({
        "node.alpha.kubernetes.io/ttl": "0",
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    })
}

fn spec(name: &Name, machine: &Machine, alone: bool) -> Tree {
    let cluster = name.rsplit_once("-control-plane").or_else(|| name.rsplit_once("-worker")).map_or("", |(one, _)| one);
    let mut spec = tree!({"providerID": format!("kind://docker/{cluster}/{name}")});
    let mut taints = vec![tree!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"})];
    if machine.control_plane && !alone {
        taints.insert(0, tree!({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}));
    }
    spec["taints"] = taints.into();
    spec
}

fn ready(holds: bool, now: &str) -> Tree {
    tree!({
        "type": "Ready",
        "status": if holds { "True" } else { "False" },
        "reason": if holds { "KubeletReady" } else { "KubeletNotReady" },
        "message": if holds { "kubelet is posting ready status" } else { NO_NETWORK },
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    })
}

fn status(cx: &Context, name: &Name, machine: &Machine, version: &str, networked: bool) -> Tree {
    let now = cx.stamp();
    let mut addresses: Vec<Tree> =
        machine.addresses.iter().map(|ip| tree!({"type": "InternalIP", "address": ip.to_string()})).collect();
    addresses.push(tree!({"type": "Hostname", "address": **name}));
    let capacity = tree!({
        "cpu": "8",
        "ephemeral-storage": "263174212Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": "32796188Ki",
        "pods": "110",
    });
    let calm = |kind: &str, reason: &str, message: &str| {
        tree!({
            "type": kind,
            "status": "False",
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        })
    };
    let conditions = vec![
        calm("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        calm("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        calm("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ready(networked, &now),
    ];
    tree!({
        "addresses": addresses,
        "allocatable": capacity,
        "capacity": capacity,
        "conditions": conditions,
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": machine.boot_id,
            "containerRuntimeVersion": "containerd://2.1.4",
            "kernelVersion": "6.8.0-sim",
            "kubeProxyVersion": "",
            "kubeletVersion": version,
            "machineID": machine.boot_id.replace('-', ""),
            "operatingSystem": "linux",
            "osImage": "Debian GNU/Linux 12 (bookworm)",
            "systemUUID": machine.boot_id,
        },
    })
}
