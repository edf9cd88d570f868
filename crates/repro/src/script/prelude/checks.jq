# Ranges by name: `ciliumNode.podCIDRs@start`, `node.podCIDR`, `pool`, or a list of ranges. Answers {ranges}, or {why} there are none.

def go_list: "[\(join(" "))]";

def ranges_of($source; $at; $node):
  (if $at == null then . else .labels[$at] end) as $past
  | if $past == null then {why: "the step named \($at) has not ended"}
    elif $source == "ciliumNode" then
      $past.CiliumNode[$node]
      | if . == null then {why: "CiliumNode/\($node) is not there"}
        else ([.podCIDRs[] | select(range_of == null)] | first) as $bad
          | if $bad then {why: "CiliumNode/\($node) has `\($bad)`, which is not a CIDR"} else {ranges: .podCIDRs} end
        end
    elif $source == "node" then
      $past.Node[$node] | if . == null then {why: "Node/\($node) is not there"} else {ranges: [.podCIDRs[] | select(range_of)]} end
    else
      $past | agent_on($node) as $agent
      | if $agent == null then {why: silence_on($node)} else {ranges: $agent.podCIDRs} end
    end;

# The pools in cilium-config now. Up to 1.19 the list is split on white space alone, from 1.20 on commas, too.
def pools:
  (.ConfigMap["kube-system/cilium-config"].data // {}) as $data
  | [ "cluster-pool-ipv4-cidr", "cluster-pool-ipv6-cidr" | $data[.] // ""
      | if $minor < 20 or (test(",") | not) then splits("[ \t\n]+") else splits(",") | gsub("^[ \t\n]+|[ \t\n]+$"; "") end
      | select(range_of) ];

def variable: capture("^(?<source>ciliumNode|node|agent)\\.(?<field>podCIDRs?)(@(?<at>.+))?$");

def resolve($reference; $node):
  if ($reference | type) == "array" then {ranges: $reference}
  elif $reference == "pool" then {ranges: pools}
  else ($reference | variable) as $it | ranges_of($it.source; $it.at; $node)
  end;

# A text with variables, for a node. Answers {text}, or {why} it has none.
def render($template; $node):
  . as $world
  | ($template | split("${")) as $parts
  | reduce $parts[1:][] as $part ({text: $parts[0]};
      ($part | split("}")) as $pieces
      | ($pieces[1:] | join("}")) as $rest
      | ($pieces[0]) as $name
      | if .why then .
        elif $name == "node.name" then .text += $node + $rest
        else
          ($name | variable) as $it
          | ($world | ranges_of($it.source; $it.at; $node)) as $found
          | if $found.why then {why: $found.why}
            elif $it.field == "podCIDRs" then .text += ($found.ranges | go_list) + $rest
            elif ($found.ranges | length) == 0 then {why: "\($name) of \($node) is empty"}
            else .text += $found.ranges[0] + $rest
            end
        end);

# Whether all of it is so: what is not so in one part is not so, whatever the parts that cannot be told would be.
def all_of: if any(.[]; . == false) then false elif any(.[]; . == null) then null else true end;

# Subjects are {object, field, expected, observed, matches}; matches is null where it cannot be told. Nothing holds for lack of subjects.
def line($must): "\(.object): \(.field) is \(.observed), expected \($must)";

def nothing($what): {held: false, subjects: 0, against: ["\($what): there are none to look at"]};

def quantify($quantity; $what):
  . as $all
  | ($all | length) as $count
  | ([$all[] | select(.matches == true)] | length) as $matching
  | ([$all[] | select(.matches == null)] | length == 0) as $known
  | ( if $quantity == "every" then $matching == $count
      elif $quantity == "some" then $matching > 0
      elif $quantity == "none" then $matching == 0 and $known
      else $matching == $quantity.exactly and $known
      end ) as $held
  | if $count == 0 then nothing($what)
    else
      { held: $held, subjects: $count,
        against: (
          if $held then
            [$all[] | select($quantity == "none" or .matches == true)
              | if .matches then line("never \(.expected)") else line("never anything but \(.expected)") end]
          elif $quantity == "every" then [$all[] | select(.matches != true) | line(.expected)]
          elif $quantity == "none" then [$all[] | select(.matches != false) | line("not \(.expected)")]
          elif $quantity == "some" then [$all[] | line("\(.expected) (on at least one of \($count))")]
          else [$all[] | line("\(.expected) (on exactly \($quantity.exactly) of \($count))")]
          end ) }
    end;

def check_pod_ips($c):
  . as $world
  | (live($c.of) | on_nodes($c.on)) as $pods
  | any($pods[]; (.ips | length) > 0) as $any
  | [ $pods[] | . as $pod
      | (if .node == null then {why: "the pod is not scheduled"} else $world | resolve($c.within; $pod.node) end) as $found
      | { object: "Pod/\(.namespace)/\(.name)", field: "status.podIPs",
          observed: "\(if (.ips | length) == 0 then "no address" else .ips | join(" ") end) on \(.node // "no node")" }
        + if $found.why then {expected: "within \($c.within) (\($found.why))", matches: null}
          else
            { expected: "within \($c.within) \($found.ranges | go_list)",
              matches: (if $any | not then null
                else ($pod.ips | length) > 0
                  and all($pod.ips[]; single as $ip | any($found.ranges[]; range_of as $range | holds_range($range; $ip)))
                end) }
          end ]
  | quantify($c.quantity; "live pods of \($c.of)");

def check_operator_status($c):
  . as $world
  | [ nodes($c.on)[] | . as $node
      | $world.CiliumNode[$node] as $there
      | ( if $c.clear then {expected: "clear", matches: ($there.error == null)}
          elif $c.error then
            ($world | render($c.error; $node)) as $text
            | if $text.why then {expected: "\($c.error) (\($text.why))", matches: null}
              else {expected: $text.text, matches: ($there.error == $text.text)}
              end
          else {expected: "an error that matches /\($c.matches)/", matches: ($there.error != null and ($there.error | test($c.matches)))}
          end )
        + { object: "CiliumNode/\($node)", field: "status.ipam.operator-status.error",
            observed: (if $there == null then "not there" else $there.error // "clear" end) }
      | if $there == null then .matches = null else . end ]
  | quantify($c.quantity; "CiliumNodes");

def judge_ranges($of; $node; $must; $now):
  def against($verb; $reference; test):
    resolve($reference; $node) as $found
    | if $found.why then {expected: "\($verb) \($reference) (\($found.why))", matches: null}
      else
        { expected: "\($verb) \($reference) \($found.ranges | go_list)",
          matches: (if $now.why then null else ($now.ranges | length) > 0 and ({now: ($now.ranges | map(range_of)), past: ($found.ranges | map(range_of))} | test) end) }
      end;
  if $must | has("equal") then against("equal to"; $must.equal; .now == .past)
  elif $must | has("within") then
    against("within"; $must.within; .past as $past | all(.now[]; . as $one | any($past[]; holds_range(.; $one))))
  elif $must | has("disjoint") then
    against("disjoint from"; $must.disjoint; .past as $past | all(.now[]; . as $one | all($past[]; overlap(.; $one) | not)))
  elif $must | has("unchanged") then
    ranges_of($of; $must.unchanged; $node) as $past
    | if $past.why then {expected: "unchanged (\($past.why) then)", matches: null}
      else
        { expected: "unchanged from \($past.ranges | go_list)",
          matches: (if $now.why then null else ($now.ranges | map(range_of)) == ($past.ranges | map(range_of)) end) }
      end
  elif $must | has("mask") then
    { expected: "prefix length \($must.mask)",
      matches: (if $now.why then null else ($now.ranges | length) > 0 and all($now.ranges[]; range_of.prefix == $must.mask) end) }
  else
    { expected: (if $must.empty then "empty" else "not empty" end),
      matches: (if $now.why then null else (($now.ranges | length) == 0) == $must.empty end) }
  end;

def check_pod_cidrs($c):
  . as $world
  | {ciliumNode: "CiliumNode", node: "Node", agent: "Agent"}[$c.of] as $object
  | [ nodes($c.on)[] | . as $node
      | ($world | ranges_of($c.of; null; $node)) as $now
      | [$c.must[] as $must | $world | judge_ranges($c.of; $node; $must; $now)] as $judged
      | { object: "\($object)/\($node)", field: "podCIDRs", expected: ($judged | map(.expected) | join(" and ")),
          observed: ($now.why // ($now.ranges | go_list)), matches: ($judged | map(.matches) | all_of) } ]
  | quantify($c.quantity; "\($object)s");

def describe_pod: "uid \(.uid) address \(if (.ips | length) == 0 then "-" else .ips | join(" ") end) restarts \(.restarts)";

def check_pods($c):
  . as $world
  | (live($c.of) | on_nodes($c.on)) as $pods
  | def number($field; $wanted; $found):
      if $wanted == null then empty
      else {object: "pods of \($c.of)", field: $field, expected: "\($wanted)", observed: "\($found | length)", matches: (($found | length) == $wanted)}
      end;
    [ number("live pods"; $c.count; $pods),
      number("ready pods"; $c.ready; $pods | map(select(.ready))),
      number("pods with a CiliumEndpoint"; $c.endpoints; $pods | map(select($world.CiliumEndpoint["\(.namespace)/\(.name)"] != null))),
      ( if $c.unchanged == null then empty
        else
          ( if $c.unchanged == "rollout" then $world.rollouts[$c.of] // []
            else $world.labels[$c.unchanged.since] // {} | live($c.of)
            end | on_nodes($c.on) ) as $past
          | ( $past[] | . as $old
              | ([$pods[] | select(.uid == $old.uid)] | first) as $new
              | { object: "Pod/\(.namespace)/\(.name)", field: "UID, address, restarts", expected: describe_pod,
                  observed: (if $new then $new | describe_pod else "gone" end),
                  matches: ($new != null and $new.ips == .ips and $new.restarts == .restarts) } ),
            ( $pods[] | select(.uid as $uid | all($past[]; .uid != $uid))
              | {object: "Pod/\(.namespace)/\(.name)", field: "UID", expected: "no new pod", observed: describe_pod, matches: false} )
        end ) ]
    | quantify("every"; "live pods of \($c.of)")
    | if ($pods | length) > 0 then .subjects = ($pods | length)
      elif $c.count == 0 and $c.unchanged == null then .subjects = 1
      elif .held then nothing("live pods of \($c.of)")
      else .subjects = 0
      end;

def check_config($c):
  .ConfigMap["kube-system/cilium-config"].data as $data
  | if ($data // {} | length) == 0 then nothing("ConfigMap/kube-system/cilium-config")
    else
      [ $c.keys | to_entries[]
        | { object: "ConfigMap/kube-system/cilium-config", field: "data.\(.key)", expected: (.value // "no such key" | @json),
            observed: ($data[.key] // "no such key" | @json), matches: ($data[.key] == .value) } ]
      | quantify("every"; "keys of cilium-config")
    end;

def check_agents($c):
  . as $world
  | agent_pods as $pods
  | [ nodes($c.on)[] | . as $node
      | $pods[$node] as $pod
      | ($world | agent_on($node)) as $agent
      | ($world.labels.start.Pod["kube-system/\($pod.name // "")"].restarts // 0) as $restarts_then
      | ($pod != null and ($pod.waiting == "CrashLoopBackOff" or $pod.restarts > $restarts_then)) as $looping
      | { object: "Agent/\($node)", field: "running agent",
          expected: ([ (if $c.ipam then "ipam \($c.ipam)" else empty end),
                       (if $c.ready == null then empty elif $c.ready then "ready" else "not ready" end),
                       (if $c.crashLooping == null then empty elif $c.crashLooping then "crash-looping" else "not crash-looping" end) ] | join(", ")),
          observed: (if $pod == null then "no agent pod"
            else "ipam \($agent.ipam // "unknown (\($world | silence_on($node)))"), \(if $pod.ready then "ready" else "not ready" end), \($pod.restarts) restarts\(if $pod.waiting then ", \($pod.waiting)" else "" end)"
            end),
          matches: ([ (if $pod then true else null end),
                      (if $c.ipam == null then true elif $agent == null then null else $agent.ipam == $c.ipam end),
                      (if $c.ready == null then true elif $pod == null then null else $pod.ready == $c.ready end),
                      (if $c.crashLooping == null then true elif $pod == null then null else $looping == $c.crashLooping end) ] | all_of) } ]
  | quantify($c.quantity; "nodes");

# Every ordered pair of two distinct live pods, with the ping's name, or why there can be none.
def pairs($from; $to):
  live($to) as $ends
  | live($from)[] as $start
  | $ends[] | select(.uid != $start.uid)
  | {from: $start, to: .}
    + if $start.phase != "Running" then {why: "\($start.name) is \($start.phase), not Running"}
      elif (.ips | length) == 0 then {why: "\(.name) has no address"}
      else {ping: "\($start.namespace) \($start.name) \(.ips[0])"}
      end;

def check_reachability($c):
  . as $world
  | [ pairs($c.from; $c.to)
      | (if .ping then $world.pings[.ping] else null end) as $answer
      | { object: "Pod/\(.from.namespace)/\(.from.name)", field: "ping \(.to.ips[0] // .to.name) (\(.to.name)) on \(.to.node // "no node")",
          expected: (if $c.reach == "reachable" then "answered" else "no answer" end),
          observed: (.why // {answered: "answered", unanswered: "no answer"}[$answer // ""] // $answer // "not tried yet"),
          matches: (if $answer == "answered" then $c.reach == "reachable" elif $answer == "unanswered" then $c.reach == "unreachable" else null end) } ]
  | quantify($c.quantity; "pairs of pods from \($c.from) to \($c.to)");

# Objects of one kind and a condition that was translated from CEL. A condition that has no value cannot be told.
def check_cel($c):
  (if $c.name == null then null elif $c.name | type == "object" then node_of($c.name.node) else $c.name end) as $name
  | [ .[$c.kind] // {} | to_entries[]
      | (if .key | test("/") then .key | split("/") else ["", .key] end) as $key
      | select(($c.namespace == null or $c.namespace == $key[0]) and ($name == null or $name == $key[1]))
      | (.value | try [cel($c.number)] catch [null, .]) as $value
      | { object: "\($c.kind)/\(.key)", field: $c.text, expected: "true",
          observed: (if ($value[0] | type) == "boolean" then $value[0] | tostring else "without a value: \($value[1] // $value[0])" end),
          matches: (if ($value[0] | type) == "boolean" then $value[0] else null end) } ]
  | quantify($c.quantity; "\($c.kind) objects");

def check($c):
  if $c.check == "podIPs" then check_pod_ips($c)
  elif $c.check == "operatorStatus" then check_operator_status($c)
  elif $c.check == "podCIDRs" then check_pod_cidrs($c)
  elif $c.check == "pods" then check_pods($c)
  elif $c.check == "config" then check_config($c)
  elif $c.check == "agents" then check_agents($c)
  elif $c.check == "reachability" then check_reachability($c)
  elif $c.check == "cel" then check_cel($c)
  else error("there is no check named \($c.check)")
  end;

# All checks of an `expect` at one moment.
def verdict($checks):
  . as $world
  | [$checks[] as $c | $world | check($c)]
  | {held: all(.[]; .held), subjects: map(.subjects), against: ([.[] | .held as $held | .against[] | {held: $held, text: .}])}
  | .held as $held
  | .against |= [.[] | select(.held == $held) | .text];

# The verdict at $from and after every single change until $to: where it first was not $held, and how many objects each check looked at.
def through($events; $checks; $from; $to; $held):
  (reduce ($events[] | select(.at <= $from)) as $event (nothing_seen; take($event))) as $first
  | reduce ({at: $from} , ($events[] | select(.at > $from and .at <= $to))) as $event ({world: $first, looked: [$checks[] | 0], broken: null};
      if .broken then .
      else
        (if $event.kind then .world |= take($event) else . end)
        | (.world | verdict($checks)) as $now
        | .looked = ([.looked, $now.subjects] | transpose | map(max))
        | if $now.held != $held then .broken = {at: $event.at, against: $now.against} else . end
      end)
  | {broken, looked: (if any(.looked[]; . == 0) then 0 else .looked | add end)};
