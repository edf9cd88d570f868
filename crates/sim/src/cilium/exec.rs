//! Commands in containers, answered from the model.

use std::net::IpAddr;

use ipam::operator::Family;
use serde_json::{Value, json};

use crate::controllers::kubelet::Local;
use crate::world::{Actors, Name, Program};

/// How the complaint about a command begins that a container does not have.
pub(crate) const NO_PROGRAM: &str = "OCI runtime exec failed: exec failed:";

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn said(stdout: impl Into<String>) -> Answer {
    Answer { code: 0, stdout: stdout.into(), stderr: String::new() }
}

fn failed(code: i32, stderr: impl Into<String>) -> Answer {
    Answer { code, stdout: String::new(), stderr: stderr.into() }
}

/// Runs a command in a pod's container. The container runs.
pub(crate) fn run(actors: &Actors, pod: &Name, command: &[String]) -> Answer {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let Some(local) = actors.kubelets.get(pod) else { return failed(126, "no such container\n") };
    match words.as_slice() {
        [] => failed(126, "you must specify at least one command for the container\n"),
        ["sh" | "/bin/sh" | "bash" | "/bin/bash" | "ash", flag, script, ..]
            if flag.starts_with('-') && flag.ends_with('c') =>
        {
            shell(actors, pod, script)
        }
        ["cilium-dbg" | "cilium", rest @ ..] if local.program() == Program::Agent => agent(actors, local, rest),
        ["ping" | "ping6", rest @ ..] => ping(actors, local, rest),
        ["ip", rest @ ..] => ip(actors, local, rest),
        ["hostname", rest @ ..] => hostname(actors, local, rest),
        ["cat", rest @ ..] => cat(actors, local, rest),
        ["ls", rest @ ..] => ls(actors, local, rest),
        ["echo", rest @ ..] => said(format!("{}\n", rest.join(" "))),
        ["env"] => said(format!("HOSTNAME={}\nKUBERNETES_SERVICE_HOST=10.96.0.1\n", local.key().name)),
        ["date"] => said(format!("{}\n", actors.cx.store.timestamp())),
        ["true" | "sleep" | "test", ..] => said(""),
        ["false", ..] => failed(1, ""),
        [other, ..] => failed(
            126,
            format!(
                "{NO_PROGRAM} unable to start container process: exec: \"{other}\": executable file not found in $PATH\n"
            ),
        ),
    }
}

/// One simple command, or several after another; nothing else of a shell.
fn shell(actors: &Actors, pod: &Name, script: &str) -> Answer {
    let mut all = said("");
    for part in script.split([';', '\n']).flat_map(|line| line.split("&&")) {
        let words: Vec<String> =
            part.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect();
        match words.first().map(String::as_str) {
            None => continue,
            Some("exit") => {
                all.code = words.get(1).and_then(|code| code.parse().ok()).unwrap_or(all.code);
                return all;
            }
            Some("exec") => {
                let answer = run(actors, pod, &words[1..]);
                all.stdout.push_str(&answer.stdout);
                all.stderr.push_str(&answer.stderr);
                return Answer { code: answer.code, ..all };
            }
            Some(_) => {}
        }
        let answer = run(actors, pod, &words);
        all.stdout.push_str(&answer.stdout);
        all.stderr.push_str(&answer.stderr);
        all.code = answer.code;
        if all.code != 0 {
            return all;
        }
    }
    all
}

/// Whether a packet from a pod reaches an address, and its answer comes back.
pub(crate) fn reaches(actors: &Actors, from: &Local, to: IpAddr) -> bool {
    if to.is_loopback() || from.addresses().contains(&to) {
        return true;
    }
    if !actors.kubelets.is_running(from.node()) {
        return false;
    }
    // A lost endpoint's interface is down.
    if !from.host_network() && !actors.agents.is_connected(from.node(), from.uid()) {
        return false;
    }
    let machine = actors.machines.all().find(|(_, machine)| machine.addresses.contains(&to));
    if let Some((_, machine)) = machine {
        return machine.running;
    }
    actors.agents.places_of(to).chain(actors.agents.infra_place(to)).any(|node| actors.kubelets.is_running(node))
}

fn ping(actors: &Actors, local: &Local, words: &[&str]) -> Answer {
    let quiet = words.contains(&"-q");
    let (mut count, mut target, mut words) = (None, None, words.iter());
    while let Some(word) = words.next() {
        match *word {
            "-c" => count = words.next().and_then(|text| text.parse::<u32>().ok()),
            "-W" | "-w" | "-i" | "-s" | "-I" | "-t" => {
                words.next();
            }
            "-4" | "-6" | "-q" | "-n" => {}
            word if word.starts_with("-c") => count = word[2..].parse().ok(),
            word if word.starts_with('-') => {}
            word => target = Some(word),
        }
    }
    let Some(target) = target else {
        return failed(1, "BusyBox v1.37.0 multi-call binary.\n\nUsage: ping [OPTIONS] HOST\n");
    };
    let Ok(address) = target.parse::<IpAddr>() else { return failed(1, format!("ping: bad address '{target}'\n")) };
    // Without -c a ping has no end; a simulated one has.
    let count = count.unwrap_or(4).clamp(1, 100);
    let mut text = format!("PING {target} ({target}): 56 data bytes\n");
    if reaches(actors, local, address) {
        let hops = if local.addresses().contains(&address) { 64 } else { 63 };
        for number in (0..count).filter(|_| !quiet) {
            text.push_str(&format!("64 bytes from {address}: seq={number} ttl={hops} time=0.142 ms\n"));
        }
        text.push_str(&format!(
            "\n--- {target} ping statistics ---\n{count} packets transmitted, {count} packets received, 0% packet loss\nround-trip min/avg/max = 0.142/0.142/0.142 ms\n"
        ));
        said(text)
    } else {
        text.push_str(&format!(
            "\n--- {target} ping statistics ---\n{count} packets transmitted, 0 packets received, 100% packet loss\n"
        ));
        Answer { code: 1, stdout: text, stderr: String::new() }
    }
}

fn ip(actors: &Actors, local: &Local, words: &[&str]) -> Answer {
    let families = (!words.contains(&"-6"), !words.contains(&"-4"));
    let words: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    match words.first() {
        Some(object) if !object.is_empty() && "address".starts_with(object) => {
            let device = words.iter().skip(1).find(|word| !matches!(**word, "show" | "list" | "dev"));
            said(chosen(&addresses(actors, local), families, device.copied()))
        }
        Some(object) if !object.is_empty() && ("route".starts_with(object) || "link".starts_with(object)) => {
            let router = actors.agents.report(local.node()).and_then(|report| report.agent?.infra(Family::V4).router);
            match router {
                Some(ip) if !local.host_network() => {
                    said(format!("default via {ip} dev eth0 \n{ip} dev eth0 scope link \n"))
                }
                _ => said("default via 172.18.0.1 dev eth0 \n172.18.0.0/16 dev eth0 scope link \n"),
            }
        }
        _ => failed(1, "ip: simulated containers answer `ip addr` and `ip route`\n"),
    }
}

/// What is shown of the links: those of a family (then without their own addresses), or one alone.
fn chosen(all: &str, (v4, v6): (bool, bool), device: Option<&str>) -> String {
    let mut out = String::new();
    let (mut here, mut family) = (true, true);
    for line in all.lines() {
        if !line.starts_with(' ') {
            let name = line.split(": ").nth(1).unwrap_or_default();
            here = device.is_none_or(|device| name.split('@').next() == Some(device));
            family = true;
        } else if let Some(kind) = line.trim_start().split(' ').next().filter(|k| *k != "valid_lft") {
            family = match kind {
                "inet" => v4,
                "inet6" => v6,
                _ => v4 && v6,
            };
        }
        if here && family {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

fn addresses(actors: &Actors, local: &Local) -> String {
    let mut text = String::from(
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n",
    );
    let mut link = |number: u32, name: &str, state: &str, list: &[(IpAddr, u8)]| {
        text.push_str(&format!(
            "{number}: {name}: <BROADCAST,MULTICAST,UP{}> mtu 1500 qdisc noqueue state {state} qlen 1000\n    link/ether 02:42:ac:12:00:02 brd ff:ff:ff:ff:ff:ff\n",
            if state == "UP" { ",LOWER_UP" } else { "" }
        ));
        for (ip, prefix) in list {
            let family = if ip.is_ipv4() { "inet" } else { "inet6" };
            let device = name.split('@').next().unwrap_or_default();
            text.push_str(&format!(
                "    {family} {ip}/{prefix} scope global {device}\n       valid_lft forever preferred_lft forever\n"
            ));
        }
    };
    let whole = |ip: &IpAddr| (*ip, if ip.is_ipv4() { 32 } else { 128 });
    if local.host_network() {
        let machine = actors.machines.get(local.node());
        let list: Vec<(IpAddr, u8)> = machine
            .into_iter()
            .flat_map(|machine| &machine.addresses)
            .map(|ip| (*ip, if ip.is_ipv4() { 16 } else { 64 }))
            .collect();
        link(2, "eth0", "UP", &list);
        if let Some(agent) = actors.agents.report(local.node()).and_then(|report| report.agent) {
            let routers: Vec<(IpAddr, u8)> = [Family::V4, Family::V6]
                .iter()
                .filter_map(|family| agent.infra(*family).router)
                .map(|ip| whole(&ip))
                .collect();
            link(3, "cilium_net@cilium_host", "UP", &[]);
            link(4, "cilium_host@cilium_net", "UP", &routers);
        }
    } else {
        let list: Vec<(IpAddr, u8)> = local.addresses().iter().map(whole).collect();
        let state = if actors.agents.is_connected(local.node(), local.uid()) { "UP" } else { "LOWERLAYERDOWN" };
        link(9, "eth0@if10", state, &list);
    }
    text
}

fn hostname(actors: &Actors, local: &Local, words: &[&str]) -> Answer {
    let name = if local.host_network() { local.node() } else { &local.key().name };
    match words {
        [] => said(format!("{name}\n")),
        ["-i" | "-I"] => {
            let own: Vec<String> = if local.host_network() {
                let machine = actors.machines.get(local.node());
                machine.into_iter().flat_map(|machine| &machine.addresses).map(ToString::to_string).collect()
            } else {
                local.addresses().iter().map(ToString::to_string).collect()
            };
            said(format!("{}\n", own.join(" ")))
        }
        _ => failed(1, "hostname: simulated containers answer `hostname` and `hostname -i`\n"),
    }
}

/// A file that the model knows.
fn file(actors: &Actors, local: &Local, path: &str) -> Option<String> {
    if let Some(key) = path.strip_prefix(cilium::components::CONFIG_DIR).and_then(|rest| rest.strip_prefix('/')) {
        let data = actors.agents.config_of(local.uid()).or_else(|| actors.operators.config_of(local.uid()))?;
        return data.get(key).cloned();
    }
    match path {
        "/etc/hostname" => Some(format!("{}\n", if local.host_network() { local.node() } else { &local.key().name })),
        "/etc/resolv.conf" => Some(format!(
            "search {}.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n",
            local.key().namespace
        )),
        "/etc/hosts" => {
            let own: Vec<String> = local.addresses().iter().map(|ip| format!("{ip}\t{}\n", local.key().name)).collect();
            Some(format!("127.0.0.1\tlocalhost\n{}", own.concat()))
        }
        "/host/etc/cni/net.d/05-cilium.conflist" if actors.agents.is_installed(local.node()) => Some(
            "{\n  \"cniVersion\": \"0.3.1\",\n  \"name\": \"cilium\",\n  \"plugins\": [\n    {\n       \"type\": \"cilium-cni\",\n       \"enable-debug\": false,\n       \"log-file\": \"/var/run/cilium/cilium-cni.log\"\n    }\n  ]\n}\n"
                .to_owned(),
        ),
        _ => None,
    }
}

fn cat(actors: &Actors, local: &Local, paths: &[&str]) -> Answer {
    let mut all = said("");
    for path in paths {
        match file(actors, local, path) {
            Some(text) => all.stdout.push_str(&text),
            None => {
                all.stderr.push_str(&format!("cat: can't open '{path}': No such file or directory\n"));
                all.code = 1;
            }
        }
    }
    all
}

fn ls(actors: &Actors, local: &Local, words: &[&str]) -> Answer {
    let paths: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    match paths.as_slice() {
        [path] if path.trim_end_matches('/') == cilium::components::CONFIG_DIR => {
            let data = actors.agents.config_of(local.uid()).or_else(|| actors.operators.config_of(local.uid()));
            match data {
                Some(data) => said(data.keys().map(|key| format!("{key}\n")).collect::<String>()),
                None => failed(1, format!("ls: {path}: No such file or directory\n")),
            }
        }
        [] | ["/"] => said("bin\ndev\netc\nhome\nlib\nproc\nroot\nrun\nsys\ntmp\nusr\nvar\n"),
        [path, ..] => failed(1, format!("ls: {path}: No such file or directory\n")),
    }
}

const NO_SOCKET: &str =
    "dial unix /var/run/cilium/cilium.sock: connect: no such file or directory\nIs the agent running?\n";

/// `cilium-dbg`.
fn agent(actors: &Actors, local: &Local, words: &[&str]) -> Answer {
    let json_wanted = words.windows(2).any(|pair| pair[0] == "-o" && pair[1] == "json")
        || words.iter().any(|word| matches!(*word, "-ojson" | "-o=json" | "--output=json"))
        || words.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    match words.first() {
        Some(&"status") => status(actors, local, json_wanted, words.contains(&"--brief")),
        Some(&"config") => config(actors, local, json_wanted, words),
        Some(&"endpoint") if words.get(1) == Some(&"list") => endpoints(actors, local, json_wanted),
        Some(&"version") => said(format!("Client: {}\nDaemon: {}\n", actors.helm.version(), actors.helm.version())),
        _ => failed(1, "simulated agents answer `cilium-dbg status`, `config`, `endpoint list` and `version`\n"),
    }
}

fn status(actors: &Actors, local: &Local, json_wanted: bool, brief: bool) -> Answer {
    let Some(agent) = actors.agents.report(local.node()).and_then(|report| report.agent) else {
        return failed(1, format!("Cannot get agent status: Get \"http://localhost/v1/status\": {NO_SOCKET}"));
    };
    let status = agent.status();
    let version = actors.helm.version();
    if brief {
        return said("OK\n");
    }
    let mut held: Vec<(IpAddr, String)> = Vec::new();
    for family in [Family::V4, Family::V6] {
        let own = agent.infra(family);
        held.extend(own.router.map(|ip| (ip, "router".to_owned())));
        held.extend(own.health.map(|ip| (ip, "health".to_owned())));
        held.extend(own.ingress.map(|ip| (ip, "ingress".to_owned())));
    }
    for (pod, _, address) in actors.agents.endpoints(local.node()) {
        let owner = actors
            .kubelets
            .get(pod)
            .map_or_else(|| pod.to_string(), |one| format!("{}/{}", one.key().namespace, one.key().name));
        held.extend([address.v4, address.v6].into_iter().flatten().map(|ip| (ip, owner.clone())));
    }
    held.sort();
    if json_wanted {
        let of = |v4: bool| -> Vec<String> {
            held.iter().filter(|(ip, _)| ip.is_ipv4() == v4).map(|(ip, _)| ip.to_string()).collect()
        };
        let allocations: Value = held.iter().map(|(ip, owner)| (ip.to_string(), json!(owner))).collect();
        let answer = json!({
            "cilium": {"msg": version, "state": "Ok"},
            "cluster": {"ciliumHealth": {"state": "Ok"}},
            "ipam": {"allocations": allocations, "ipv4": of(true), "ipv6": of(false), "status": status},
            "kubernetes": {"msg": "1.34 (v1.34.4) [linux/amd64]", "state": "Ok"},
            "kvstore": {"state": "Disabled"},
        });
        return said(format!("{:#}\n", answer));
    }
    let mut text = format!(
        "KVStore:                 Disabled   \nKubernetes:              Ok         1.34 (v1.34.4) [linux/amd64]\nKubeProxyReplacement:    False   \nCNI Chaining:            none\nCilium:                  Ok   {version}\nCilium health daemon:    Ok   \nIPAM:                    {status}\n"
    );
    text.push_str("Allocated addresses:\n");
    for (ip, owner) in held {
        text.push_str(&format!("  {ip} ({owner})\n"));
    }
    said(text)
}

fn config(actors: &Actors, local: &Local, json_wanted: bool, words: &[&str]) -> Answer {
    let report = actors.agents.report(local.node());
    let Some(report) = report.filter(|report| report.agent.is_some()) else {
        return failed(
            1,
            format!("Error while retrieving configuration: Get \"http://localhost/v1/config\": {NO_SOCKET}"),
        );
    };
    let mutable = json!({"Debug": "Disabled", "DropNotification": "Enabled", "PolicyEnforcement": "default"});
    let read_only = words.iter().any(|word| matches!(*word, "-r" | "--read-only"));
    let all = words.iter().any(|word| matches!(*word, "-a" | "--all"));
    let mut known = json!({
        "ClusterName": report.data.get("cluster-name").map_or("default", String::as_str),
        "EnableIPv4": report.config.ipv4,
        "EnableIPv6": report.config.ipv6,
        "IPAM": report.config.ipam,
        "RoutingMode": report.data.get("routing-mode").map_or("tunnel", String::as_str),
    });
    if let Some(agent) = report.agent {
        known["IPv4AllocCIDR"] = json!(agent.cidrs().v4.map(|cidr| cidr.to_string()));
    }
    if json_wanted {
        let shown = match (read_only, all) {
            (true, _) => known,
            (_, true) => {
                known["Realized"] = json!({"options": mutable});
                known
            }
            _ => mutable,
        };
        return said(format!("{shown:#}\n"));
    }
    let lines = |map: &Value| -> String {
        let entries = map.as_object().into_iter().flatten();
        entries
            .map(|(key, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{key:<34}: {text}\n")
            })
            .collect()
    };
    let mut text = String::new();
    if read_only || all {
        text.push_str("#### Read-only configurations ####\n");
        text.push_str(&lines(&known));
    }
    if !read_only {
        text.push_str("##### Read-write configurations #####\n");
        text.push_str(&lines(&mutable));
    }
    said(text)
}

fn endpoints(actors: &Actors, local: &Local, json_wanted: bool) -> Answer {
    let list: Vec<Value> = actors
        .agents
        .endpoints(local.node())
        .map(|(pod, id, address)| {
            let name = actors
                .kubelets
                .get(pod)
                .map_or_else(|| pod.to_string(), |one| format!("{}/{}", one.key().namespace, one.key().name));
            json!({
                "id": id,
                "status": {
                    "external-identifiers": {"pod-name": name},
                    "networking": {"addressing": [{
                        "ipv4": address.v4.map(|ip| ip.to_string()),
                        "ipv6": address.v6.map(|ip| ip.to_string()),
                    }]},
                    "state": "ready",
                },
            })
        })
        .collect();
    if json_wanted {
        return said(format!("{:#}\n", Value::Array(list)));
    }
    let mut text = String::from("ENDPOINT   POD                                      IPv4             STATUS\n");
    for one in list {
        let pod = one["status"]["external-identifiers"]["pod-name"].as_str().unwrap_or_default().to_owned();
        let ip = one["status"]["networking"]["addressing"][0]["ipv4"].as_str().unwrap_or_default().to_owned();
        text.push_str(&format!("{:<10} {pod:<40} {ip:<16} ready\n", one["id"].to_string()));
    }
    said(text)
}
