//! Nodes by their role.

use scenario::model::NodeRef;

use super::World;

impl World {
    /// Real names of the nodes, by role: the control-plane node, and workers counted in the order kind names them
    /// (`x-worker`, `x-worker2`, ..., `x-worker10`).
    pub(crate) fn roles(&self) -> Vec<(NodeRef, String)> {
        let mut control_planes: Vec<&String> = Vec::new();
        let mut workers: Vec<&String> = Vec::new();
        for (name, node) in &self.nodes {
            if node.control_plane { control_planes.push(name) } else { workers.push(name) }
        }
        workers.sort_by_key(|name| (name.len(), (*name).clone()));
        let control_plane = control_planes.first().map(|name| (NodeRef::ControlPlane, (*name).clone()));
        let workers = workers.into_iter().enumerate().map(|(i, name)| {
            let number = u32::try_from(i + 1).unwrap_or(u32::MAX);
            (NodeRef::Worker(number), name.clone())
        });
        control_plane.into_iter().chain(workers).collect()
    }
}
