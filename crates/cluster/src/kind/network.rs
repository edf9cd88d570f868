//! The cluster's own Docker network, which also bears the second trace of who made the cluster.

use std::time::Duration;

use camino::Utf8PathBuf;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::containers::ASK;
use crate::error::Fault;
use crate::ledger::{Entry, Owner};
use crate::tools::{Door, ToolError};

/// Labels of the network.
const CLUSTER: &str = "ipam-e2e.cilium.io/cluster";
const RUN: &str = "ipam-e2e.cilium.io/run";
const OWNER: &str = "ipam-e2e.cilium.io/owner";
const LEDGER: &str = "ipam-e2e.cilium.io/ledger";

/// Makes the network.
pub(super) async fn create(door: &Door, entry: &Entry, ledger: &str, ip_family: &str) -> Result<(), Fault> {
    let fault = |error: &ToolError| Fault::tool("create network of", error);
    let owner =
        serde_json::to_string(&entry.owner).map_err(|error| Fault::new("create network of", error.to_string()))?;
    let mut args: Vec<String> = ["network", "create", "--driver", "bridge"].map(str::to_owned).into();
    for (key, value) in [(CLUSTER, entry.name.as_str()), (RUN, &entry.run), (OWNER, &owner), (LEDGER, ledger)] {
        args.extend(["--label".to_owned(), format!("{key}={value}")]);
    }
    args.extend(["--opt".to_owned(), "com.docker.network.bridge.enable_ip_masquerade=true".to_owned()]);
    if let Some(mtu) = default_mtu(door).await {
        args.extend(["--opt".to_owned(), format!("com.docker.network.driver.mtu={mtu}")]);
    }
    if ip_family != "ipv4" {
        args.extend(["--ipv6".to_owned(), "--subnet".to_owned(), unique_local(&entry.name)]);
    }
    args.push(entry.name.clone());
    door.docker("create network", Duration::from_secs(60), args).await.map_err(|error| fault(&error))?;
    Ok(())
}

/// Removes the network; one that is not there is no error.
pub(super) async fn remove(door: &Door, name: &str) -> Result<(), ToolError> {
    match door.docker("remove network", Duration::from_secs(60), ["network", "rm", name]).await {
        Err(error) if error.says("not found") || error.says("no such network") => Ok(()),
        other => other.map(drop),
    }
}

/// A network that says it is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The cluster, and the network's own name.
    pub(crate) cluster: String,
    /// Who made it.
    pub(crate) owner: Owner,
    /// The ledger that should know it.
    pub(crate) ledger: Utf8PathBuf,
}

/// All networks that say they are ours.
pub(crate) async fn orphans(door: &Door) -> Result<Vec<Found>, ToolError> {
    let label = format!("label={CLUSTER}");
    let ids = door.docker("list networks", ASK, ["network", "ls", "--quiet", "--filter", &label]).await?;
    let ids: Vec<&str> = ids.stdout.split_whitespace().collect();
    let mut found = Vec::new();
    for id in ids {
        // One by one, since one that has gone meanwhile would fail the rest.
        match door.docker("inspect network", ASK, ["network", "inspect", id]).await {
            Ok(out) => found.extend(parse(&out.stdout)),
            Err(error) if error.says("not found") || error.says("no such network") => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_by(|a: &Found, b: &Found| a.cluster.cmp(&b.cluster));
    Ok(found)
}

/// Networks in `docker network inspect` that are named as their label says, with an owner that can be read.
fn parse(inspect: &str) -> Vec<Found> {
    let Ok(Value::Array(networks)) = serde_json::from_str(inspect) else { return Vec::new() };
    networks
        .iter()
        .filter_map(|network| {
            let labels = &network["Labels"];
            let cluster = labels[CLUSTER].as_str()?;
            (network["Name"].as_str()? == cluster).then_some(())?;
            Some(Found {
                cluster: cluster.to_owned(),
                owner: serde_json::from_str(labels[OWNER].as_str()?).ok()?,
                ledger: labels[LEDGER].as_str()?.into(),
            })
        })
        .collect()
}

/// The MTU of Docker's default network, which matters inside tunnels. Docker's own default if it cannot be read.
async fn default_mtu(door: &Door) -> Option<u32> {
    let format = r#"{{index .Options "com.docker.network.driver.mtu"}}"#;
    let out = door.docker("inspect network", ASK, ["network", "inspect", "bridge", "--format", format]).await.ok()?;
    out.stdout.trim().parse().ok()
}

/// An IPv6 /64 from fc00::/8, different for each name.
fn unique_local(name: &str) -> String {
    let hash = digest(&SHA256, name.as_bytes());
    let b = hash.as_ref();
    format!("fc00:{:02x}{:02x}:{:02x}{:02x}:{:02x}{:02x}::/64", b[0], b[1], b[2], b[3], b[4], b[5])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn network(name: &str, label: &str, owner: &str) -> Value {
        json!({"Name": name, "Labels": {CLUSTER: label, OWNER: owner, LEDGER: "/l"}})
    }

    #[test]
    fn our_networks_are_told_by_labels_that_fit() {
        let owner = Owner { pid: 7, start: Some(1), boot: None, namespace: None, host: "h".into() };
        let text = serde_json::to_string(&owner).unwrap();
        let inspect = json!([
            network("ipam-e2e-a-1", "ipam-e2e-a-1", &text),
            network("kind", "ipam-e2e-a-1", &text),
            network("ipam-e2e-b-1", "ipam-e2e-b-1", "someone"),
            {"Name": "bridge", "Labels": {}},
        ]);
        let expected = Found { cluster: "ipam-e2e-a-1".into(), owner, ledger: "/l".into() };
        assert_eq!(parse(&inspect.to_string()), [expected]);
    }

    #[rstest]
    #[case("")]
    #[case("{}")]
    #[case("[{}]")]
    fn nonsense_is_nobodys(#[case] inspect: &str) {
        assert_eq!(parse(inspect), []);
    }

    #[test]
    fn subnets_differ_by_name_and_parse() {
        let subnet = unique_local("ipam-e2e-a-1");
        assert!(subnet.parse::<ipnet::Ipv6Net>().is_ok(), "{subnet}");
        assert_ne!(subnet, unique_local("ipam-e2e-a-2"));
    }
}
