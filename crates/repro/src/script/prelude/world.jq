# What is kept of each object that a watch delivers.

def name_of: .metadata | if (.namespace // "") == "" then .name else "\(.namespace)/\(.name)" end;
def condition($type): any(.status.conditions // [] | .[]; .type == $type and .status == "True");
def why_waiting:
  [(.status.initContainerStatuses // [])[], (.status.containerStatuses // [])[] | .state.waiting.reason // empty] | first;

def facts($kind):
  if $kind == "Node" then
    { podCIDRs: (.spec.podCIDRs // (if .spec.podCIDR then [.spec.podCIDR] else [] end)),
      ready: condition("Ready"), taints: [(.spec.taints // [])[] | .key], unschedulable: (.spec.unschedulable // false) }
  elif $kind == "CiliumNode" then
    { uid: .metadata.uid, podCIDRs: (.spec.ipam.podCIDRs // []),
      error: (.status.ipam["operator-status"].error // "" | if . == "" then null else . end) }
  elif $kind == "Pod" then
    { namespace: .metadata.namespace, name: .metadata.name, uid: .metadata.uid, labels: (.metadata.labels // {}),
      node: (.spec.nodeName // null), ips: [(.status.podIPs // [])[] | .ip], phase: (.status.phase // ""),
      ready: condition("Ready"), restarts: ([(.status.containerStatuses // [])[] | .restartCount] | add // 0),
      waiting: why_waiting, terminating: (.metadata.deletionTimestamp != null),
      hostNetwork: (.spec.hostNetwork // false), created: .metadata.creationTimestamp }
  elif $kind == "ConfigMap" then { data: (.data // {}), version: .metadata.resourceVersion }
  elif $kind == "Lease" then { holder: (.spec.holderIdentity // ""), acquired: (.spec.acquireTime // "" | .[0:19]) }
  elif $kind == "CiliumEndpoint" then {}
  else .
  end;

# A list and the watch events after it; one line for each change of what is kept.
def stream($kind):
  foreach inputs as $event ({known: {}};
    if $event.type == "LIST" then
      ([($event.object.items // [])[] | {key: name_of, value: facts($kind)}] | from_entries) as $all
      | {known: $all, out: {at: now, kind: $kind, what: "list", object: $all}}
    elif $event.type == "DELETED" then
      ($event.object | name_of) as $name
      | {known: (.known | del(.[$name])), out: {at: now, kind: $kind, what: "gone", name: $name}}
    elif $event.type == "ADDED" or $event.type == "MODIFIED" then
      ($event.object | name_of) as $name
      | ($event.object | facts($kind)) as $facts
      | if .known[$name] == $facts then .out = null
        else {known: (.known + {($name): $facts}), out: {at: now, kind: $kind, what: "is", name: $name, object: $facts}}
        end
    else .out = null
    end;
    .out | values);

# The world as last seen: {KIND: {NAME: facts}}, what agents said, the world at named steps, roll-outs, pings.

def nothing_seen: {up: {}, lost: {}, labels: {}, rollouts: {}, pings: {}, Agent: {}, Silent: {}};

def is_live: (.terminating | not) and .phase != "Succeeded" and .phase != "Failed";

# Pods of Cilium's own parts and of CoreDNS.
def part($name):
  { "cilium-agent": {"k8s-app": "cilium"}, "cilium-operator": {"io.cilium/app": "operator", "name": "cilium-operator"},
    "hubble-relay": {"k8s-app": "hubble-relay"}, "coredns": {"k8s-app": "kube-dns"} }[$name] as $labels
  | [ .Pod // {} | .[] | select(.namespace == "kube-system" and (. as $pod | all($labels | to_entries[]; $pod.labels[.key] == .value))) ];

# Live pods of a set that a check speaks about: those in the host's network have no address of their own and never count.
def live($set):
  [ if $set == "coredns" or $set == "hubble-relay" then part($set)[]
    else .Pod // {} | .[] | select(.namespace == $workloads[$set] and .labels["ipam-e2e.cilium.io/workload"] == $set)
    end
    | select(is_live and (.hostNetwork | not)) ];

def workload($name):
  [ .Pod // {} | .[] | select(.namespace == $workloads[$name] and .labels["ipam-e2e.cilium.io/workload"] == $name) ];

def take($event):
  if $event.kind == "Label" then .labels[$event.name] = del(.labels)
  elif $event.kind == "Rollout" then .rollouts[$event.name] = live($event.name)
  elif $event.kind == "Ping" then .pings[$event.name] = $event.object
  elif $event.kind == "Agent" then .Agent[$event.name] = $event.object | del(.Silent[$event.name])
  elif $event.what == "list" then .[$event.kind] = $event.object | .up[$event.kind] = true | del(.lost[$event.kind])
  elif $event.what == "lost" then .lost[$event.kind] = $event.object
  elif $event.what == "gone" then del(.[$event.kind][$event.name])
  else .[$event.kind][$event.name] = $event.object
  end;

# Every line that was written whole, in the order of time.
def events: [inputs | fromjson? | objects] | sort_by(.at);
def world: reduce events[] as $event (nothing_seen; take($event));

# Why what is known may be out of date.
def stale:
  . as $world
  | [ (.lost | to_entries[] | "the watch on \(.key) is down: \(.value)"),
      ("Node", "Pod", "ConfigMap", "Lease" | select($world.up[.] | not) | "the API server has not listed \(.)s yet") ]
  | first;

def node_of($role): "\($cluster)-\($role)";
def nodes($on): if ($on | length) == 0 then .Node // {} | keys else $on | map(node_of(.)) end;
def on_nodes($on): if ($on | length) == 0 then . else ($on | map(node_of(.))) as $names | map(select(.node as $node | any($names[]; . == $node))) end;

# The operator that leads: not every one gives its lease back as it ends, so whoever leads must have been there when it was got.
def leader:
  [ (.Lease // {} | .[]) as $lease
    | select($lease.acquired == "" or any(part("cilium-operator")[]; (.created // "" | .[0:19]) <= $lease.acquired))
    | $lease.holder ] | first // "";

# One run of a pod's containers.
def incarnation: "\(.uid)/\(.restarts)";

# The live agent pod of each node; while a successor starts, the younger one.
def agent_pods: part("cilium-agent") | map(select(is_live and .node != null)) | sort_by(.created) | map({key: .node, value: .}) | from_entries;
def agent_on($node): . as $world | agent_pods[$node] | if . == null then null else $world.Agent[incarnation] end;
def silence_on($node):
  . as $world
  | agent_pods[$node]
  | if . == null then "there is no agent on \($node)"
    else $world.Silent[incarnation] as $silence
      | if $silence then "\(.name) does not answer: \($silence.cause)" else "\(.name) on \($node) has not answered yet" end
    end;

# Ready agents that have not said yet what they run.
def unasked: . as $world | agent_pods | .[] | select(.ready and ($world.Agent[incarnation] | not)) | [incarnation, .name, .node] | @tsv;

# What an agent answers: its mode and the ranges that it allocates from (cilium/cilium: pkg/ipam/hostscope.go).
def answer($node; $status; $config):
  { node: $node, ipam: $config.IPAM,
    podCIDRs: [$status.ipam.status // "" | scan("IPv[46]: [0-9]+/[0-9]+ allocated from ([0-9a-fA-F.:]+/[0-9]+)") | first] }
  | if .ipam == null or (.podCIDRs | length) == 0 then error("the agent names no mode or no range") else . end;

# Waits. Each says {done: true}, or {last: how far it is}.

def done: {done: true};
def state: "\(.name) on \(.node // "no node"): \(.waiting // "\(.phase), not ready")";

def rolled_out($name; $replicas; $ready; $old):
  (workload($name) | map(select(is_live))) as $pods
  | ($pods | map(select(.uid as $uid | any($old[]; . == $uid)))) as $stale
  | ($pods | map(select(.ready))) as $good
  | if ($pods | length) == $replicas and ($stale | length) == 0 and (($ready | not) or ($good | length) == $replicas) then done
    else {last: "\($pods | length) live, \($good | length) ready, \($stale | length) not yet replaced"}
    end;

def gone($name): workload($name) | if length == 0 then done else {last: "still there: \(map(.name) | join(" "))"} end;

def agents_ready:
  . as $world
  | agent_pods as $pods
  | [ .Node // {} | keys[] | . as $node
      | if $pods[$node] == null then "no agent on \($node)"
        elif $pods[$node].ready | not then $pods[$node] | state
        elif $world.Agent[$pods[$node] | incarnation] == null then $world | silence_on($node)
        else empty
        end ]
  | if ($world.Node // {} | length) == 0 then {last: "no nodes"} elif length == 0 then done else {last: first} end;

# Whether every node has an agent that runs, whatever becomes of it, and an operator leads.
def agents_run($count):
  agent_pods as $pods
  | [ (.Node // {} | keys[] | . as $node
        | if $pods[$node] == null then "no agent on \($node)" elif $pods[$node].phase != "Running" then $pods[$node] | state else empty end),
      (if leader == "" then "no operator leads" else empty end) ]
  | if ($pods | length) < $count then {last: "\($pods | length) of \($count) nodes with an agent"} elif length == 0 then done else {last: first} end;

def cluster_ready($count):
  . as $world
  | (part("cilium-operator") | map(select(is_live))) as $operators
  | agents_ready as $agents
  | if (.Node // {} | length) < $count then {last: "\(.Node // {} | length) of \($count) Nodes"}
    elif $agents.done | not then $agents
    else
      [ (.Node | to_entries[]
          | if .value.ready | not then "node \(.key) is not Ready"
            elif any(.value.taints[]; . == "node.cilium.io/agent-not-ready") then "node \(.key) is tainted node.cilium.io/agent-not-ready"
            elif $world.CiliumNode[.key] == null then "there is no CiliumNode \(.key)"
            else empty
            end),
        (if ($operators | length) == 0 then "there is no operator" else $operators[] | select(.ready | not) | state end),
        (if leader == "" then "no operator leads" else empty end) ]
      | if length == 0 then done else {last: first} end
    end;

# Whether what a restart took away is back: $was has the old pods of the part, and who led the operators then.
def back($part; $was; $ready):
  . as $world
  | ($was.pods | map(.uid)) as $old
  | (part($part) | map(select(is_live))) as $live
  | ($live | map(select(.uid as $uid | any($old[]; . == $uid)))) as $stale
  | ($live | map(select(.uid as $uid | all($old[]; . != $uid)))) as $new
  | if ($stale | length) > 0 then {last: "\($stale[0].name) is still there"}
    elif $part == "cilium-agent" then
      (.ConfigMap["kube-system/cilium-config"].data.ipam // "cluster-pool") as $mode
      | [ $was.pods[] | .node | select(. != null and $world.Node[.] != null) as $node
          | ($new | map(select(.node == $node)) | last) as $pod
          | if $pod == null then "no new agent on \($node)"
            elif $ready | not then empty
            elif $pod.ready | not then $pod | state
            elif $world.Agent[$pod | incarnation] == null then $world | silence_on($node)
            elif $world.Agent[$pod | incarnation].ipam != $mode then "the agent on \($node) runs ipam \($world.Agent[$pod | incarnation].ipam), cilium-config says \($mode)"
            else empty
            end ]
      | if length == 0 then done else {last: first} end
    elif ($new | length) < ($old | length) then {last: "\($new | length) of \($old | length) new pods"}
    elif $ready | not then done
    elif any($new[]; .ready | not) then {last: ($new | map(select(.ready | not)) | first | state)}
    elif $part == "cilium-operator" and leader == "" then {last: "no operator leads"}
    elif $part == "cilium-operator" and leader == $was.leader then {last: "the lease is still held by \(leader)"}
    else done
    end;

# What the operator and the agents write of IPAM was unchanged for so many seconds, or since $began.
def settled($events; $began; $quiet):
  def written: .CiliumNode // {} | map_values([.podCIDRs, .error]);
  reduce $events[] as $event ({world: nothing_seen, since: $began, last: {}};
    .world |= take($event)
    | (.world | written) as $now
    | if $now != .last then .last = $now | .since = ([.since, $event.at] | max) else . end)
  | if (.last | length) == 0 then {last: "no CiliumNodes"}
    elif now - .since >= $quiet then done
    else {last: "last change \(now - .since | floor)s ago"}
    end;

# What speaks for the machine and not for Cilium.
def at_fault:
  . as $world
  | [ stale,
      (.Pod // {} | .[] | select(.waiting as $why | any("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"; . == $why))
        | "Pod \(.namespace)/\(.name): \(.waiting)"),
      (.Node // {} | to_entries[] | .key as $node | .value.taints[] | select(endswith("-pressure")) | "Node \($node): \(.)"),
      (agent_pods | .[] | select(.ready) | $world.Silent[incarnation] // empty | select(.asked | not) | "an agent could not be asked: \(.cause)") ]
  | map(values) | first // empty;
