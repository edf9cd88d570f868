//! The world from outside: started with a store, asked and disturbed by those who hold a handle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ipam::Release;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::feed::Feed;
use super::{Actors, LogLine, Name, Shape};
use crate::cilium::Answer;
use crate::controllers::NodeIpamError;
use crate::store::{Resource, Store};

/// Tasks that are carried out before others of the runtime get their turn.
const TURN: usize = 64;

/// A world that runs. Clones are the same one; it ends when the last is dropped or with [`World::stop`].
#[derive(Debug, Clone)]
pub struct World(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    actors: Mutex<Actors>,
    /// Somebody outside has asked for something: timers may be new.
    disturbed: Arc<Notify>,
    cancel: CancellationToken,
    store: Store,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// A cluster that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// kube-controller-manager would not start.
    #[error("kube-controller-manager: {0}")]
    ControllerManager(String),
}

/// Something that goes wrong on request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The agent's process on a node is killed; its container is started again with the configuration it had.
    AgentCrash {
        /// Node name.
        node: String,
    },
    /// The leading operator's process is killed.
    OperatorCrash,
    /// The leading operator loses its lease and ends.
    LostLeader,
    /// A machine stops.
    NodeLoss {
        /// Node name.
        node: String,
    },
    /// Images whose name begins so are gone from every node.
    ImageMissing {
        /// The beginning of the name.
        image: String,
    },
    /// A node's disk is full.
    DiskFull {
        /// Node name.
        node: String,
    },
    /// Operator and agents get the flaw that breaks an invariant: to show that it is noticed.
    Flaw {
        /// Which.
        breaks: events::Invariant,
    },
}

/// Why something cannot be done to a part of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// No such pod.
    #[error("pods \"{name}\" not found")]
    NoPod {
        /// Its name.
        name: String,
    },
    /// No such container.
    #[error("container {container} is not valid for pod {pod}")]
    NoContainer {
        /// The container that was asked for.
        container: String,
        /// The pod.
        pod: String,
    },
    /// It does not run.
    #[error("container \"{container}\" in pod \"{pod}\" is not running")]
    NotRunning {
        /// The container.
        container: String,
        /// The pod.
        pod: String,
    },
    /// Its node does not answer.
    #[error("error dialing backend: dial tcp {address}: connect: no route to host")]
    NodeDown {
        /// Where its kubelet should be.
        address: String,
    },
    /// No earlier run of a container.
    #[error("previous terminated container \"{container}\" in pod \"{pod}\" not found")]
    NoPrevious {
        /// The container.
        container: String,
        /// The pod.
        pod: String,
    },
    /// No such node.
    #[error("there is no node {node}")]
    NoNode {
        /// Its name.
        node: String,
    },
    /// A node that is already stopped, or already runs; an operator that does not run.
    #[error("{0}")]
    Idle(String),
}

impl World {
    /// Boots a cluster on an empty store and lets it run on the present runtime.
    ///
    /// # Errors
    /// When kube-controller-manager would refuse its flags.
    pub fn boot(store: Store, shape: Shape) -> Result<Self, WorldError> {
        let feed = Feed::new(&store);
        let actors = Actors::new(store.clone(), shape)
            .map_err(|error: NodeIpamError| WorldError::ControllerManager(error.to_string()))?;
        let cancel = CancellationToken::new();
        let disturbed = Arc::new(Notify::new());
        let inner =
            Arc::new(Inner { actors: Mutex::new(actors), disturbed: disturbed.clone(), cancel: cancel.clone(), store });
        tokio::spawn(run(Arc::downgrade(&inner), feed, disturbed, cancel));
        Ok(Self(inner))
    }

    /// Ends it: objects stay as they are.
    pub fn stop(&self) {
        self.0.cancel.cancel();
    }

    /// Whether it has not been ended.
    pub fn runs(&self) -> bool {
        !self.0.cancel.is_cancelled()
    }

    /// Its objects.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    fn lock(&self) -> MutexGuard<'_, Actors> {
        self.0.lock()
    }

    fn disturb<T>(&self, what: impl FnOnce(&mut Actors) -> T) -> T {
        let answer = {
            let mut actors = self.lock();
            let answer = what(&mut actors);
            actors.settle();
            answer
        };
        self.0.disturbed.notify_one();
        answer
    }

    /// How many machines have joined, of how many.
    pub fn joined(&self) -> (usize, usize) {
        self.lock().machines.joined()
    }

    /// Ends when every machine has joined.
    pub async fn ready(&self) {
        loop {
            let (joined, all) = self.joined();
            if joined == all || self.0.cancel.is_cancelled() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Names of all machines, whether they run or not.
    pub fn machines(&self) -> Vec<String> {
        self.lock().machines.all().map(|(name, _)| name.to_string()).collect()
    }

    /// `helm upgrade --install` of Cilium with complete values.
    ///
    /// # Errors
    /// What the chart says, as Helm prints it; nothing has changed then.
    pub fn helm_apply(
        &self,
        version: &semver::Version,
        release: Release,
        values: &Map<String, Value>,
    ) -> Result<(), String> {
        self.disturb(|actors| {
            let applied = actors.helm.apply(&actors.cx, version, release, values);
            if applied.is_ok() {
                actors.agents.set_release(release);
                actors.operators.set_release(release);
            }
            applied
        })
    }

    /// `helm uninstall` of Cilium. CRDs and their objects stay.
    ///
    /// # Errors
    /// When it is not installed, as Helm prints it.
    pub fn helm_uninstall(&self) -> Result<(), String> {
        self.disturb(|actors| actors.helm.uninstall(&actors.cx))
    }

    /// Takes from every machine what Cilium left there.
    pub fn scrub(&self) {
        self.disturb(|actors| {
            let nodes: Vec<Name> = actors.machines.all().map(|(name, _)| name.clone()).collect();
            for node in &nodes {
                actors.agents.scrub(node);
                actors.machines.network_gone(&mut actors.cx, node);
            }
        });
    }

    /// Stops a machine.
    ///
    /// # Errors
    /// When there is none of that name, or it does not run.
    pub fn stop_node(&self, node: &str) -> Result<(), ExecError> {
        self.disturb(|actors| {
            let name: Name = node.into();
            if actors.machines.get(node).is_none() {
                return Err(ExecError::NoNode { node: node.to_owned() });
            }
            if !actors.machines.stop(&mut actors.cx, &name) {
                return Err(ExecError::Idle(format!("node {node} is stopped already")));
            }
            actors.kubelets.machine_stops(&mut actors.cx, &name);
            actors.agents.machine_stops(&name);
            Ok(())
        })
    }

    /// Starts a machine; its kubelet registers the Node anew if it was deleted.
    ///
    /// # Errors
    /// When there is none of that name, or it runs.
    pub fn start_node(&self, node: &str) -> Result<(), ExecError> {
        self.disturb(|actors| {
            if actors.machines.get(node).is_none() {
                return Err(ExecError::NoNode { node: node.to_owned() });
            }
            if !actors.machines.start(&mut actors.cx, &node.into()) {
                return Err(ExecError::Idle(format!("node {node} runs already")));
            }
            Ok(())
        })
    }

    /// Lets something go wrong.
    ///
    /// # Errors
    /// When there is nothing that could.
    pub fn inflict(&self, fault: &Fault) -> Result<(), ExecError> {
        match fault {
            Fault::NodeLoss { node } => self.stop_node(node),
            Fault::Flaw { breaks } => self.disturb(|actors| {
                actors.cx.flaws.insert(*breaks);
                Ok(())
            }),
            Fault::ImageMissing { image } => {
                self.disturb(|actors| actors.kubelets.lose_image(image));
                Ok(())
            }
            Fault::DiskFull { node } => self.disturb(|actors| {
                if crate::controllers::kubelet::disk_full(&actors.cx, node) {
                    Ok(())
                } else {
                    Err(ExecError::NoNode { node: node.to_owned() })
                }
            }),
            Fault::AgentCrash { node } => self.disturb(|actors| {
                let agent = actors
                    .pods
                    .on(node)
                    .filter(|pod| cilium::components::AGENT.selects(|key| pod.object.meta.label(key)))
                    .find(|pod| pod.running && !pod.deleting)
                    .map(|pod| pod.uid.clone());
                let Some(uid) = agent else {
                    return Err(ExecError::Idle(format!("no agent runs on node {node}")));
                };
                actors.kubelets.crash(&mut actors.cx, &uid, 137);
                Ok(())
            }),
            Fault::OperatorCrash => self.disturb(|actors| {
                let Some(uid) = actors.operators.leader().cloned() else {
                    return Err(ExecError::Idle("no operator leads".to_owned()));
                };
                actors.kubelets.crash(&mut actors.cx, &uid, 137);
                Ok(())
            }),
            Fault::LostLeader => self.disturb(|actors| {
                if actors.operators.lose_lead(&mut actors.cx) {
                    Ok(())
                } else {
                    Err(ExecError::Idle("no operator leads".to_owned()))
                }
            }),
        }
    }

    /// Runs a command in a container.
    ///
    /// # Errors
    /// When there is no such pod or container, or it does not run.
    pub fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        command: &[String],
    ) -> Result<(i32, String, String), ExecError> {
        let actors = self.lock();
        let (uid, container) = actors.locate(namespace, pod, container)?;
        let Some(local) = actors.kubelets.get(&uid) else {
            return Err(ExecError::NotRunning { container, pod: pod.to_owned() });
        };
        if !actors.kubelets.is_running(local.node()) {
            return Err(actors.node_down(local.node()));
        }
        if !local.containers().any(|(name, running)| name == container && running) {
            return Err(ExecError::NotRunning { container, pod: pod.to_owned() });
        }
        let Answer { code, stdout, stderr } = crate::cilium::run(&actors, &uid, command);
        Ok((code, stdout, stderr))
    }

    /// What only the world knows: machines, agents and the leading operator.
    pub fn report(&self, seed: u64) -> Value {
        let actors = self.lock();
        let nodes: Map<String, Value> = actors
            .machines
            .all()
            .map(|(name, machine)| {
                let agent = actors.agents.report(name).map(|report| {
                    json!({"ipam": report.config.ipam, "status": report.agent.map(ipam::agent::Agent::status)})
                });
                let endpoints: Map<String, Value> = actors
                    .agents
                    .endpoints(name)
                    .map(|(pod, _, address)| {
                        let key = actors.kubelets.get(pod).map(|local| local.key().clone());
                        let name = key.map_or_else(|| pod.to_string(), |key| format!("{}/{}", key.namespace, key.name));
                        (name, json!([address.v4, address.v6]))
                    })
                    .collect();
                (name.to_string(), json!({"running": machine.running, "agent": agent, "endpoints": endpoints}))
            })
            .collect();
        let leader =
            actors.operators.leader().and_then(|uid| actors.kubelets.get(uid)).map(|pod| pod.key().name.to_string());
        json!({"seed": seed, "cilium": actors.helm.version(), "leader": leader, "nodes": nodes})
    }

    /// Lines that a container has written, oldest first.
    ///
    /// # Errors
    /// When there is no such pod or container, or no earlier run of it.
    pub fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        previous: bool,
    ) -> Result<Vec<LogLine>, ExecError> {
        let actors = self.lock();
        let (uid, container) = actors.locate(namespace, pod, container)?;
        if let Some(local) = actors.kubelets.get(&uid)
            && !actors.kubelets.is_running(local.node())
        {
            return Err(actors.node_down(local.node()));
        }
        match actors.cx.logs.read(&uid, &container, previous) {
            Some(lines) => Ok(lines.to_vec()),
            None => Err(ExecError::NoPrevious { container, pod: pod.to_owned() }),
        }
    }
}

impl Actors {
    /// The pod's UID and the container that is meant.
    fn locate(&self, namespace: &str, pod: &str, container: Option<&str>) -> Result<(Name, String), ExecError> {
        let Some(object) = self.cx.store.find(Resource::Pod, namespace, pod) else {
            return Err(ExecError::NoPod { name: pod.to_owned() });
        };
        let uid: Name = (*object.meta.uid).into();
        let value = object.value();
        let names: Vec<&str> = ["containers", "initContainers"]
            .into_iter()
            .flat_map(|list| value["spec"][list].as_array().into_iter().flatten())
            .filter_map(|one| one["name"].as_str())
            .collect();
        let default = value["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
        let wanted =
            container.filter(|name| !name.is_empty()).or(default).or(names.first().copied()).unwrap_or_default();
        if names.contains(&wanted) {
            Ok((uid, wanted.to_owned()))
        } else {
            Err(ExecError::NoContainer { container: wanted.to_owned(), pod: pod.to_owned() })
        }
    }

    fn node_down(&self, node: &str) -> ExecError {
        let address = self.machines.get(node).and_then(|machine| machine.addresses.first());
        ExecError::NodeDown { address: address.map_or_else(|| node.to_owned(), |ip| format!("{ip}:10250")) }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Actors> {
        // A panic elsewhere leaves the actors between two tasks: they can go on.
        self.actors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes on until the last handle is gone: it holds none itself while it waits.
async fn run(world: Weak<Inner>, mut feed: Feed, disturbed: Arc<Notify>, cancel: CancellationToken) {
    loop {
        let next = match world.upgrade() {
            Some(inner) => turn(&inner, &mut feed),
            None => return,
        };
        if cancel.is_cancelled() {
            return;
        }
        match next {
            Next::More => tokio::task::yield_now().await,
            Next::At(at) => {
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => return,
                    () = feed.ready() => {}
                    () = disturbed.notified() => {}
                    () = wait_until(at) => {}
                }
            }
        }
    }
}

/// When there is something to do again.
enum Next {
    More,
    At(Option<tokio::time::Instant>),
}

fn turn(inner: &Inner, feed: &mut Feed) -> Next {
    let mut actors = inner.lock();
    for _ in 0..TURN {
        while let Some(change) = feed.next() {
            actors.changed(&change);
        }
        match actors.cx.timers.due() {
            Some(task) => actors.perform(task),
            None => return Next::At(actors.cx.timers.next()),
        }
    }
    Next::More
}

async fn wait_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
