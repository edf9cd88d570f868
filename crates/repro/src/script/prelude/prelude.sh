# shellcheck shell=bash disable=SC2016,SC2154,SC2317
# ---- From here to the steps: the same in every reproducer. ----------------------------------------------------------------------
#
# Exit codes: 0 every check held; 1 a check did not hold, which says something about Cilium; 2 the script was called wrongly or a
# tool is missing; 3 the machine got in the way (no image, no API server, a full disk): that says nothing about Cilium.
#
# Only `passed` and `failed` ever decide for 0 and 1. Whatever else ends this script, also a command that fails unexpectedly, is 3.

verdict=machine

# What is said goes to the terminal, wherever the output of the function that says it goes.
exec {terminal}>&1
say() { printf '%s\n' "$*" >&"$terminal"; if [ -n "${STATE:-}" ]; then printf '%s\n' "$*" >> "$STATE/steps.txt" || true; fi; }
usage() { verdict=usage; say "cannot start: $*"; exit 2; }
unreadable() { machine "$current: what was recorded cannot be read or judged"; }
machine() { verdict=machine; say "MACHINE: $*"; exit 3; }

unexpected() { # unexpected CODE LINE COMMAND
  if [ "$BASH_SUBSHELL" -eq 0 ]; then say "MACHINE: line $2: \`$3\` ended with $1 (${current:-before the first step})"; fi
}

watchers=()
made=
finish() {
  trap - ERR EXIT
  set +e
  local watcher
  for watcher in "${watchers[@]}"; do kill -- "-$watcher" 2> /dev/null; done
  wait 2> /dev/null
  if [ -n "$made" ]; then
    if [ "$KEEP" = 1 ]; then
      say "the cluster stays: export KUBECONFIG=$KUBECONFIG; kind delete cluster --name $CLUSTER"
    elif ! kind delete cluster --name "$CLUSTER" --kubeconfig "$KUBECONFIG" > "$STATE/delete.txt" 2>&1; then
      say "the cluster could not be removed: kind delete cluster --name $CLUSTER"
    fi
  fi
  [ -z "${STATE:-}" ] || say "what was recorded: $STATE"
  case $verdict in
    passed) exit 0 ;;
    failed) exit 1 ;;
    usage) exit 2 ;;
    interrupted) exit 130 ;;
    *) exit 3 ;;
  esac
}
interrupted() { verdict=interrupted; exit 130; }

# Milliseconds since 1970, and the same as jq's `now`.
clock() { local now=${EPOCHREALTIME//[.,]/}; printf '%s\n' "${now%???}"; }
seconds() { local now=${EPOCHREALTIME//,/.}; printf '%s\n' "$now"; }

bounded() { # bounded SECONDS COMMAND...: nothing may hang where there is `timeout`
  if command -v timeout > /dev/null; then timeout "$@"; else shift; "$@"; fi
}

expect_no_errors() { trap 'unexpected $? $LINENO "$BASH_COMMAND"' ERR; }

begin() {
  local tool
  for tool in kind helm kubectl jq; do
    command -v "$tool" > /dev/null || usage "$tool is not in PATH"
  done
  [ "${BASH_VERSINFO[0]}" -ge 5 ] || usage "bash 5 is needed, this is $BASH_VERSION"
  [[ $CILIUM_VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+ ]] || usage "CILIUM_VERSION=$CILIUM_VERSION is not a version: write three numbers, such as 1.18.4"
  [[ $TIMEOUT_SCALE =~ ^[1-9][0-9]*$ ]] || usage "TIMEOUT_SCALE=$TIMEOUT_SCALE is not a whole number above 0"
  trap finish EXIT
  trap interrupted INT TERM
  expect_no_errors
  STATE=${STATE_DIR:-$(mktemp -d)}
  mkdir -p "$STATE/facts" "$STATE/raw"
  : > "$STATE/facts/script.ndjson"
  STATE=$(cd "$STATE" && pwd)
  # Neither the user's kubeconfig nor the user's caches are read or written.
  export KUBECONFIG=$STATE/kubeconfig KUBECACHEDIR=$STATE/cache HELM_CACHE_HOME=$STATE/helm HELM_CONFIG_HOME=$STATE/helm HELM_DATA_HOME=$STATE/helm
  minor=${CILIUM_VERSION#*.}
  minor=${minor%%.*}
  say "Cilium $CILIUM_VERSION, $(kind version), Helm $(helm version --short), $(kubectl version --client 2> /dev/null | head -n 1)"
}

version_in() { # version_in FROM BELOW: whether FROM <= CILIUM_VERSION < BELOW; `-` is no bound. A pre-release counts as its release.
  jq -ne --arg version "$CILIUM_VERSION" --arg from "$1" --arg below "$2" '
    def parts: split("-")[0] | split(".") | map(tonumber);
    ($from == "-" or ($from | parts) <= ($version | parts)) and ($below == "-" or ($version | parts) < ($below | parts))' > /dev/null
}

with_jq() { # with_jq [JQ-OPTION...] EXPRESSION: jq with the definitions above
  jq --arg cluster "$CLUSTER" --argjson minor "$minor" --argjson workloads "$WORKLOADS" "${@:1:$#-1}" "$JQ ${*: -1}"
}

# ---- Looking: the API is listed and watched from the first second, so that what was written and then erased is seen, too. ------------

record() { # record KIND NAME JSON: something that this script itself found out
  jq -nc --arg kind "$1" --arg name "$2" --argjson object "$3" '{at: now, kind: $kind, what: "is", name: $name, object: $object}' >> "$STATE/facts/script.ndjson"
}

query() { # query EXPRESSION [JQ-OPTION...]: over everything that was recorded
  local expression=$1 file
  shift
  # Files of their own, since a long line is not written at once. A last line that is not whole yet is left out.
  for file in "$STATE"/facts/*.ndjson; do cat "$file"; echo; done | with_jq -nRcr "$@" "$expression"
}

watch_kind() { # watch_kind KIND PATH [SELECTOR]: list, then watch from that list on, for ever
  local kind=$1 path=$2 selector=${3:-} why version
  trap - ERR EXIT INT TERM
  set +e
  while :; do
    if kubectl get --raw "$path?$selector" --request-timeout=20s > "$STATE/raw/$kind.list" 2> "$STATE/raw/$kind.error"; then
      version=$(jq -r .metadata.resourceVersion "$STATE/raw/$kind.list")
      { jq -c '{type: "LIST", object: .}' "$STATE/raw/$kind.list"
        kubectl get --raw "$path?watch=true&resourceVersion=$version&$selector" 2> "$STATE/raw/$kind.error"
      } | tee -a "$STATE/raw/$kind.ndjson" \
        | with_jq -nc --unbuffered --arg kind "$kind" 'stream($kind)' >> "$STATE/facts/$kind.ndjson"
      why="it ended: $(tail -n 1 "$STATE/raw/$kind.error")"
    else
      why="it cannot be listed: $(tail -n 1 "$STATE/raw/$kind.error")"
    fi
    # A kind that the API server does not have yet is not a watch that is down.
    if ! grep -q 'could not find the requested resource' "$STATE/raw/$kind.error"; then
      jq -nc --arg kind "$kind" --arg why "$why" '{at: now, kind: $kind, what: "lost", object: $why}' >> "$STATE/facts/$kind.ndjson"
    fi
    sleep 0.5
  done
}

watch() { # in a process group of its own, so that all of it can be ended
  set -m
  watch_kind "$@" &
  watchers+=($!)
  set +m
}

watch_all() {
  watch Node /api/v1/nodes
  watch Pod /api/v1/pods
  watch ConfigMap /api/v1/namespaces/kube-system/configmaps fieldSelector=metadata.name%3Dcilium-config
  watch Lease /apis/coordination.k8s.io/v1/namespaces/kube-system/leases fieldSelector=metadata.name%3Dcilium-operator-resource-lock
  watch CiliumNode /apis/cilium.io/v2/ciliumnodes
  watch CiliumEndpoint /apis/cilium.io/v2/ciliumendpoints
}

ask_agents() { # every ready agent is asked once, for each run of its process, which mode and which ranges it uses
  local incarnation pod node status config error=$STATE/raw/ask.error
  query 'world | unasked' > "$STATE/unasked"
  while IFS=$'\t' read -r incarnation pod node <&3; do
    if status=$(bounded 20 kubectl -n kube-system exec "$pod" -c cilium-agent -- cilium-dbg status -o json 2> "$error") \
      && config=$(bounded 20 kubectl -n kube-system exec "$pod" -c cilium-agent -- cilium-dbg config --read-only -o json 2> "$error") \
      && status=$(with_jq -nc --arg node "$node" --argjson status "$status" --argjson config "$config" 'answer($node; $status; $config)' 2> "$error"); then
      record Agent "$incarnation" "$status"
    else
      # Whether the question came as far as the agent: if not, its silence says nothing about Cilium.
      if grep -q -e 'command terminated with exit code' -e 'the agent names no' "$error"; then status=true; else status=false; fi
      record Silent "$incarnation" "$(jq -Rsc --argjson asked "$status" '{cause: ., asked: $asked}' "$error")"
    fi
  done 3< "$STATE/unasked"
}

until_so() { # until_so SECONDS WHAT EXPRESSION [JQ-OPTION...]: until the expression over the world answers {done: true}
  local end=$(($(clock) + $1 * 1000 * TIMEOUT_SCALE)) what=$2 expression=$3 answer
  shift 3
  while :; do
    ask_agents
    answer=$(query 'events as $events | (reduce $events[] as $event (nothing_seen; take($event))) | stale as $stale
      | ('"$expression"') | if .done and $stale then {last: "so as last seen, but \($stale)"} else . end
      | if .done then "done" else .last end' "$@")
    if [ "$answer" = "done" ]; then return 0; fi
    [ "$(clock)" -lt "$end" ] || failed "waited for $what: $answer"
    sleep 0.5
  done
}

seen() { # seen VERSION: until the watch has delivered this version of cilium-config
  until_so 30 "the change of cilium-config to be seen" \
    'if (.ConfigMap["kube-system/cilium-config"].version // "0" | tonumber) >= $version then done else {last: "not yet"} end' --argjson version "$1"
}

# ---- Judging ---------------------------------------------------------------------------------------------------------------------

machine_at_fault() { # prints why, if what is missing may be missing because of the machine
  local why kind
  if ! head -c 100000 /dev/zero > "$STATE/probe" 2> /dev/null || ! rm "$STATE/probe"; then
    echo "nothing can be written to $STATE: is the disk full?"
    return
  fi
  if ! bounded 15 kubectl get --raw /readyz --request-timeout=10s > /dev/null 2> "$STATE/raw/readyz.error"; then
    echo "the API server does not answer: $(tail -n 1 "$STATE/raw/readyz.error")"
    return
  fi
  why=$(query 'world | at_fault')
  if [ -n "$why" ]; then
    echo "$why"
    return
  fi
  # What was judged must be what is there: the recording has to be as new as the API server.
  for kind in CiliumNode Node; do
    why=$(behind "$kind")
    if [ -n "$why" ]; then echo "$why"; return; fi
  done
}

behind() { # behind KIND: prints why, if the recording of this kind does not become as new as the API server
  local live known="" try
  for try in 1 2 3 4 5 6 7 8 9 10; do
    if ! bounded 25 kubectl get "$1" -o json --request-timeout=20s > "$STATE/live" 2> "$STATE/raw/live.error"; then
      echo "the API server does not list ${1}s: $(tail -n 1 "$STATE/raw/live.error")"
      return
    fi
    live=$(with_jq -c --arg kind "$1" '[.items[] | {key: name_of, value: facts($kind)}] | from_entries' < "$STATE/live")
    known=$(query 'world | .[$kind] == $live' --arg kind "$1" --argjson live "$live")
    [ "$known" != true ] || return 0
    sleep 0.5
  done
  echo "the recording of ${1}s is behind the API server, after $try looks"
}

as_new() { # as_new KIND: what was just written has been seen
  local why
  why=$(behind "$1")
  [ -z "$why" ] || machine "$current: $why"
}

failed() { # failed MESSAGE: a failure is Cilium's only where the machine is in order
  local why
  why=$(machine_at_fault)
  [ -z "$why" ] || machine "$current: $1, but $why"
  say "FAILED  $current: $1"
  cilium_nodes_were
  bounded 20 kubectl -n kube-system logs deployment/cilium-operator > "$STATE/operator.log" 2>&1 || true
  verdict=failed
  exit 1
}

cilium_nodes_were() { # what each CiliumNode was, version by version
  query 'events[] | select(.kind == "CiliumNode") as $e
    | (if $e.what == "list" then $e.object | to_entries[] else {key: $e.name, value: $e.object} end)
    | "  \($e.at | todate)  CiliumNode/\(.key)  \(if .value then "podCIDRs [\(.value.podCIDRs | join(" "))]  operator-status: \(.value.error // "clear")" else "deleted" end)"' \
    > "$STATE/history.txt"
  say "what the CiliumNodes were:"$'\n'"$(tail -n 40 "$STATE/history.txt")"
}

ping_all() { # ping_all CHECKS: one round of pings for every `reachability` among the checks, eight at a time
  local namespace pod ip code count=0
  query 'world | [$checks[] as $c | select($c.check == "reachability") | pairs($c.from; $c.to) | .ping | values] | unique | .[]' --argjson checks "$1" > "$STATE/pings"
  while read -r namespace pod ip <&3; do
    ( trap - ERR EXIT
      set +e
      error=$STATE/raw/ping-$pod-${ip//[:.]/-}.error
      bounded 10 kubectl -n "$namespace" exec "$pod" -- ping -c 1 -W 1 "$ip" > /dev/null 2> "$error"
      code=$?
      # kubectl's own errors end with 1, too: only this text says that the command was run.
      if [ "$code" -eq 0 ]; then answer='"answered"'
      elif grep -q 'command terminated with exit code 1$' "$error"; then answer='"unanswered"'
      else answer=$(jq -Rsc '"could not be tried: \(.)"' "$error")
      fi
      record Ping "$namespace $pod $ip" "$answer" ) &
    count=$((count + 1))
    if [ $((count % 8)) -eq 0 ]; then wait_for_pings; fi
  done 3< "$STATE/pings"
  wait_for_pings
}
wait_for_pings() { # the watchers are children, too, and never end
  local job
  for job in $(jobs -pr); do
    case " ${watchers[*]} " in *" $job "*) ;; *) wait "$job" || true ;; esac
  done
}

with_pings() { case $1 in *'"reachability"'*) return 0 ;; *) return 1 ;; esac; }

# Pings that could not be sent say nothing about the network.
untried='(.pings | to_entries | map(select(.value | startswith("could not be tried"))) | first // empty | "the ping \(.key) \(.value)")'

reach() { # reach MILLISECONDS CHECKS: until all checks hold at one moment; sets `answer`
  local end=$(($(clock) + $1)) checks=$2 why held
  while :; do
    ask_agents
    if with_pings "$checks"; then ping_all "$checks"; fi
    answer=$(query 'world | stale as $stale | verdict($checks) | if .held and $stale then .held = false | .against = ["so as last seen, but \($stale)"] else . end' --argjson checks "$checks") || unreadable
    held=$(jq -er '.held | tostring' <<< "$answer") || unreadable
    if [ "$held" = true ]; then return 0; fi
    if [ "$(clock)" -ge "$end" ]; then
      if with_pings "$checks"; then
        why=$(query "world | $untried") || unreadable
        [ -z "$why" ] || machine "$current: $why"
      fi
      return 1
    fi
    sleep 0.5
  done
}

against() { jq -r '.against[] | "  \(.)"' <<< "$1"; }
looked() { jq -r '.subjects | add' <<< "$1"; }

expect_eventually() { # expect_eventually SECONDS < CHECKS
  local checks answer
  checks=$(cat)
  if ! reach $(($1 * 1000 * TIMEOUT_SCALE)) "$checks"; then failed "what is expected was not so within $1 s:"$'\n'"$(against "$answer")"; fi
  note="$(looked "$answer") objects looked at"
}

keep() { # keep HELD FROM MILLISECONDS CHECKS: judged after every single change in that span; sets `answer`
  local held=$1 from=$2 end=$(($(clock) + $3)) checks=$4 now stays down
  while :; do
    ask_agents
    if with_pings "$checks"; then ping_all "$checks"; fi
    now=$(clock)
    # What arrived in the last moment is judged in the next round, when all files have it.
    answer=$(query 'events as $events | through($events; $checks; $from; $to; $held)' --argjson checks "$checks" --argjson held "$held" \
      --argjson from "$from" --argjson to "$(jq -n --argjson now "$now" '($now - 300) / 1000')") || unreadable
    stays=$(jq -er '.broken == null | tostring' <<< "$answer") || unreadable
    if [ "$stays" = false ]; then return 1; fi
    # 300 ms for that moment.
    if [ "$now" -ge $((end + 300)) ]; then
      down=$(query 'world | stale // empty') || unreadable
      if [ -z "$down" ]; then return 0; fi
      # Where a watch is down at the end, what it missed is waited for: it may tell that it did not stay so.
      [ "$now" -lt $((end + 60000)) ] || machine "$current: $down"
    fi
    sleep 0.5
  done
}

broken() { # what a span that did not stay so says
  if [ "$(jq -r '.broken != null' <<< "$answer")" = true ]; then
    failed "$1 at $(jq -r '.broken.at | todate' <<< "$answer"):"$'\n'"$(jq -r '.broken.against[] | "  \(.)"' <<< "$answer")"
  fi
  [ "$(jq -r .looked <<< "$answer")" -gt 0 ] || failed "there was nothing to look at"
  note="$(jq -r .looked <<< "$answer") objects looked at"
}

expect_holds() { # expect_holds SECONDS MILLISECONDS < CHECKS: they hold within so many seconds (0: at once), and from then on for that span
  local checks answer from
  checks=$(cat)
  if ! reach $(($1 * 1000 * TIMEOUT_SCALE)) "$checks"; then failed "what is expected was not so:"$'\n'"$(against "$answer")"; fi
  from=$(seconds)
  keep true "$from" "$2" "$checks" || true
  broken "it did not hold"
}

expect_never() { # expect_never MILLISECONDS < CHECKS: at no moment of that span do they all hold
  local checks answer
  checks=$(cat)
  keep false "$(seconds)" "$1" "$checks" || true
  broken "it must never be so, and it was"
}

# Checks that go on while later steps run.
monitors=()
expect_from_here() { # expect_from_here holds|never LAST-STEP < CHECKS
  local checks answer held=true
  checks=$(cat)
  [ "$1" = holds ] || held=false
  if [ "$held" = true ] && ! reach 0 "$checks"; then failed "what must hold from here on is not so:"$'\n'"$(against "$answer")"; fi
  monitors+=("$held $2 $(seconds) $current"$'\n'"$checks")
  note="watched from here on"
}

end_monitors() { # end_monitors STEP: judges all of them up to now, and ends those that end with this step
  local monitor held until from begun checks answer rest=() now
  [ "${#monitors[@]}" -gt 0 ] || return 0
  now=$(seconds)
  sleep 0.3
  for monitor in "${monitors[@]}"; do
    read -r held until from begun <<< "${monitor%%$'\n'*}"
    checks=${monitor#*$'\n'}
    answer=$(query 'events as $events | through($events; $checks; $from; $to; $held)' --argjson checks "$checks" --argjson held "$held" --argjson from "$from" --argjson to "$now")
    if [ "$(jq -r '.broken != null' <<< "$answer")" = true ]; then current=$begun; broken "what it says did not stay so"; fi
    if [ "$1" -ge "$until" ]; then current=$begun; broken "what it says did not stay so"; else rest+=("$monitor"); fi
  done
  monitors=("${rest[@]}")
}

# ---- Steps -----------------------------------------------------------------------------------------------------------------------

current=
note=
number=0
step() { # step TITLE COMMAND...: one step of the scenario
  local began
  current=$1
  shift
  note=
  began=$(clock)
  "$@"
  end_monitors "$number"
  say "ok      $current ($((($(clock) - began + 500) / 1000)) s)${note:+: $note}"
  number=$((number + 1))
}
skip() { say "skipped $1: not for Cilium $CILIUM_VERSION"; end_monitors "$number"; number=$((number + 1)); }
step_left_out() { end_monitors "$number"; number=$((number + 1)); }
not_checked() { say "NOT CHECKED by this script: $1"; }
label() { record Label "$1" null; }

node() { printf '%s-%s\n' "$CLUSTER" "$1"; }
# Real names of nodes for `${CLUSTER}` in a manifest.
named() { jq -c --arg cluster "$CLUSTER" 'walk(if type == "string" then gsub("\\$\\{CLUSTER\\}"; $cluster) else . end)'; }

create_cluster() { # create_cluster WORKERS < kind's configuration
  current="create cluster"
  cat > "$STATE/kind.json"
  if kind get clusters 2> /dev/null | grep -qx "$CLUSTER"; then usage "there is a kind cluster named $CLUSTER already: set CLUSTER to another name"; fi
  say "kind create cluster --name $CLUSTER --image $NODE_IMAGE"
  made=1
  kind create cluster --name "$CLUSTER" --config "$STATE/kind.json" --image "$NODE_IMAGE" --kubeconfig "$KUBECONFIG" --wait 0s > "$STATE/create.txt" 2>&1 \
    || machine "kind create cluster: $(tail -n 5 "$STATE/create.txt")"
  workers=$1
}

load_images() { # load_images IMAGE...: those that Docker has; the nodes pull the others
  local image have=()
  current="load images"
  for image in "$@"; do
    if command -v docker > /dev/null && docker image inspect "$image" > /dev/null 2>&1; then have+=("$image"); else say "not in Docker, left to the nodes to pull: $image"; fi
  done
  [ "${#have[@]}" -gt 0 ] || return 0
  say "kind load docker-image ${have[*]}"
  kind load docker-image --name "$CLUSTER" "${have[@]}" > "$STATE/load.txt" 2>&1 || machine "kind load docker-image: $(tail -n 3 "$STATE/load.txt")"
}

chart() { # chart < values: the release as these values make it
  local source=("$CHART" --version "$CILIUM_VERSION")
  if [ -n "$CHART_REPO" ]; then source+=(--repo "$CHART_REPO"); fi
  cat > "$STATE/values.json"
  helm upgrade --install cilium "${source[@]}" --namespace kube-system --values "$STATE/values.json" > "$STATE/helm.txt" 2>&1 \
    || machine "helm upgrade: $(tail -n 3 "$STATE/helm.txt")"
}

install() { # install READY < values: until every node has a ready agent, or (false) one that runs
  current="install Cilium"
  say "helm upgrade --install cilium $CHART --version $CILIUM_VERSION"
  chart
  watch_all
  if [ "$1" = true ]; then
    until_so 600 "the cluster to be ready for the first step" 'cluster_ready($count)' --argjson count $((workers + 1))
  else
    until_so 600 "a running agent on every node" 'agents_run($count)' --argjson count $((workers + 1))
  fi
  label start
}

rolled_out() { # rolled_out SECONDS NAME REPLICAS READY OLD-UIDS
  until_so "$1" "$3 pods of $2" 'rolled_out($name; $replicas; $ready; $old)' --arg name "$2" --argjson replicas "$3" --argjson ready "$4" --argjson old "$5"
  record Rollout "$2" null
  note=$(query 'world | live($name) | map("\(.ips[0] // "no address") on \(.node // "no node")") | join(", ")' --arg name "$2")
}

deploy() { # deploy SECONDS NAME REPLICAS READY < manifest
  local namespace
  namespace=$(jq -r --arg name "$2" '.[$name]' <<< "$WORKLOADS")
  kubectl get namespace "$namespace" > /dev/null 2>&1 || kubectl create namespace "$namespace" > /dev/null
  named | kubectl create --namespace "$namespace" -f - > /dev/null
  rolled_out "$1" "$2" "$3" "$4" '[]'
}

scale_operator() { # scale_operator SECONDS REPLICAS READY: a cluster can be without it for a while
  kubectl -n kube-system scale deployment cilium-operator --replicas "$2" > /dev/null
  until_so "$1" "$2 pods of cilium-operator" 'part("cilium-operator") as $pods | ($pods | map(select(.ready)) | length) as $good
    | if ($pods | length) != $replicas or ($ready and $good != $replicas) then {last: "\($pods | length) there, \($good) ready"}
      elif $ready and $replicas > 0 and leader == "" then {last: "no operator leads"}
      else done end' --argjson replicas "$2" --argjson ready "$3"
}

scale() { # scale SECONDS NAME REPLICAS READY
  kubectl --namespace "$(jq -r --arg name "$2" '.[$name]' <<< "$WORKLOADS")" scale deployment "$2" --replicas "$3" > /dev/null
  rolled_out "$1" "$2" "$3" "$4" '[]'
}

delete_workload() { # delete_workload SECONDS NAME
  kubectl --namespace "$(jq -r --arg name "$2" '.[$name]' <<< "$WORKLOADS")" delete deployment "$2" --wait=false > /dev/null
  until_so "$1" "the pods of $2 to be gone" 'gone($name)' --arg name "$2"
}

merge_config() { # merge_config DATA: a merge patch of cilium-config
  local version
  version=$(kubectl -n kube-system patch configmap cilium-config --type merge --patch "$(jq -nc --argjson data "$1" '{data: $data}')" -o json | jq -r .metadata.resourceVersion)
  seen "$version"
}

configure() { merge_config "$1"; }

upgrade() { # upgrade < values, all of them
  chart
  seen "$(kubectl -n kube-system get configmap cilium-config -o json | jq -r .metadata.resourceVersion)"
}

reinstall() { # reinstall SECONDS < values, all of them: what Helm did not make stays
  helm uninstall cilium --namespace kube-system > "$STATE/helm.txt" 2>&1 || machine "helm uninstall: $(tail -n 3 "$STATE/helm.txt")"
  until_so "$1" "Cilium's pods to be gone" '[("cilium-agent", "cilium-operator", "hubble-relay") as $name | part($name)[] | .name] | if length == 0 then done else {last: "still there: \(join(" "))"} end'
  chart
  seen "$(kubectl -n kube-system get configmap cilium-config -o json | jq -r .metadata.resourceVersion)"
  until_so "$1" "Cilium to be ready again" 'cluster_ready(0)'
}

refused() { # refused TEXT COMMAND...: the API server or Helm must refuse it, with this text; then nothing has changed
  local text=$1 code=0
  shift
  trap - ERR
  set +e
  # What it says goes into the file, too.
  ( trap - EXIT
    set -e
    exec {terminal}>> "$STATE/refused.txt"
    "$@" ) > "$STATE/refused.txt" 2>&1
  code=$?
  set -e
  expect_no_errors
  if grep -qF -- "$text" "$STATE/refused.txt"; then
    note="refused: $(grep -m 1 -F -- "$text" "$STATE/refused.txt")"
  elif [ "$code" -eq 0 ]; then
    failed "this was to be refused with \"$text\", and was not"
  else
    machine "$current: $(tail -n 1 "$STATE/refused.txt")"
  fi
}

backup() { kubectl -n kube-system get configmap cilium-config -o json | jq -c .data > "$STATE/backup.json"; }

restore() { # what was changed is put back, what was added is removed
  local data
  data=$(kubectl -n kube-system get configmap cilium-config -o json | jq -c --slurpfile kept "$STATE/backup.json" '
    .data as $now | $kept[0] as $kept
    | ($kept | with_entries(select($now[.key] != .value))) + ($now | with_entries(select(.key as $key | $kept | has($key) | not) | .value = null))')
  if [ "$data" = '{}' ]; then note="nothing differs from the backup"; else merge_config "$data"; note="put back: $data"; fi
}

restart() { # restart SECONDS ITEMS: [{of, on, ready}]; the parts' pods all at once, then workloads
  local item part was
  local -a items olds=()
  mapfile -t items < <(jq -c '.[]' <<< "$2")
  for item in "${items[@]}"; do
    part=$(jq -r .of <<< "$item")
    was=null
    if [ "$(jq -r .workload <<< "$item")" = false ]; then
      was=$(query 'world | {leader: leader, pods: (part($item.of) | map(select(is_live)) | on_nodes($item.on))}' --argjson item "$item")
      [ "$(jq '.pods | length' <<< "$was")" -gt 0 ] || failed "there is no pod of $part to restart"
      # shellcheck disable=SC2046 # One word for each pod.
      kubectl -n kube-system delete pod --wait=false $(jq -r '.pods[].name' <<< "$was") > /dev/null
    fi
    olds+=("$was")
  done
  local index
  for index in "${!items[@]}"; do
    item=${items[$index]}
    part=$(jq -r .of <<< "$item")
    if [ "${olds[$index]}" != null ]; then
      until_so "$1" "$part to be back" 'back($item.of; $was; $item.ready)' --argjson item "$item" --argjson was "${olds[$index]}"
      case $part in coredns | hubble-relay) record Rollout "$part" null ;; esac
    fi
  done
  for item in "${items[@]}"; do
    if [ "$(jq -r .workload <<< "$item")" = true ]; then restart_workload "$1" "$(jq -r .of <<< "$item")" "$(jq -r .ready <<< "$item")"; fi
  done
}

restart_workload() { # restart_workload SECONDS NAME READY
  local namespace old replicas
  namespace=$(jq -r --arg name "$2" '.[$name]' <<< "$WORKLOADS")
  old=$(query 'world | workload($name) | map(select(is_live) | .uid)' --arg name "$2")
  [ "$old" != '[]' ] || failed "$2 has no live pods to restart"
  kubectl --namespace "$namespace" rollout restart "deployment/$2" > /dev/null
  replicas=$(kubectl --namespace "$namespace" get deployment "$2" -o 'jsonpath={.spec.replicas}')
  rolled_out "$1" "$2" "$replicas" "$3" "$old"
}

delete_cilium_node() { # delete_cilium_node SECONDS ROLE
  local name uid
  name=$(node "$2")
  uid=$(kubectl get ciliumnode "$name" -o 'jsonpath={.metadata.uid}')
  kubectl delete ciliumnode "$name" --wait=false > /dev/null
  until_so "$1" "CiliumNode $name to be gone" 'if .CiliumNode[$name].uid == $uid then {last: "still there"} else done end' --arg name "$name" --arg uid "$uid"
}

cordon() {
  kubectl cordon "$(node "$1")" > /dev/null
  as_new Node
}
uncordon() {
  kubectl uncordon "$(node "$1")" > /dev/null
  as_new Node
}

remove_node() { # remove_node SECONDS ROLE: as one takes out a machine for good
  local name movable
  name=$(node "$2")
  kubectl cordon "$name" > /dev/null
  # First what can move: its successor must not come back here. Then the machine, then what was bound to it.
  movable=$(query 'world | [.Pod[] | select(.node == $name and (.hostNetwork | not)) | {namespace, name, uid}]' --arg name "$name")
  jq -r '.[] | "\(.namespace) \(.name)"' <<< "$movable" > "$STATE/movable"
  delete_pods "$STATE/movable"
  until_so "$1" "pods to leave $name" '[.Pod[] | select(.uid as $uid | any($movable[]; .uid == $uid))] | if length == 0 then done else {last: "still there: \(map(.name) | join(" "))"} end' --argjson movable "$movable"
  docker stop --time 10 "$name" > /dev/null || machine "docker stop $name"
  kubectl delete node "$name" --wait=false > /dev/null
  query 'world | .Pod[] | select(.node == $name) | "\(.namespace) \(.name)"' --arg name "$name" > "$STATE/movable"
  delete_pods "$STATE/movable" --force --grace-period=0
  until_so "$1" "$name to be gone" 'if .Node[$name] == null and .CiliumNode[$name] == null then done else {last: "its Node or its CiliumNode is still there"} end' --arg name "$name"
}
delete_pods() { # delete_pods FILE [OPTION...]
  local file=$1 namespace pod
  shift
  while read -r namespace pod <&3; do
    kubectl -n "$namespace" delete pod "$pod" --ignore-not-found --wait=false "$@" > /dev/null
  done 3< "$file"
}

add_node() { # add_node SECONDS ROLE READY
  local name
  name=$(node "$2")
  docker start "$name" > /dev/null || machine "docker start $name"
  until_so "$1" "$name to be back" '
    if .Node[$name] == null then {last: "not registered"}
    elif $ready | not then done
    elif .Node[$name].ready | not then {last: "registered, not Ready"}
    elif agent_on($name) == null then {last: silence_on($name)}
    elif .CiliumNode[$name] == null then {last: "agent ready, no CiliumNode"}
    elif any(.Node[$name].taints[]; . == "node.cilium.io/agent-not-ready") then {last: "tainted node.cilium.io/agent-not-ready"}
    else done end' --arg name "$name" --argjson ready "$3"
}

patch_object() { # patch_object RESOURCE NAME NAMESPACE SUBRESOURCE OWN-ROLE < merge patch with variables; `-` for none
  local resource=$1 name=$2 options=() patch
  case $name in node:*) name=$(node "${name#node:}") ;; esac
  [ "$3" = - ] || options+=(--namespace "$3")
  [ "$4" = - ] || options+=(--subresource "$4")
  # `${worker2.ciliumNode.podCIDR}` is worker2's; without a role it is that of the node whose object this is.
  patch=$(query 'world | . as $world
    | def fill: split("${") as $parts
        | reduce $parts[1:][] as $part ($parts[0];
            ($part | split("}")) as $pieces
            | ($pieces[0] | capture("^((?<role>control-plane|worker[0-9]*)\\.)?(?<name>.+)$")) as $it
            | ($world | render("${\($it.name)}"; node_of($it.role // $own))) as $value
            | if $value.why then error("`${\($pieces[0])}` has no value: \($value.why)") else . + $value.text + ($pieces[1:] | join("}")) end);
      $merge | walk(if type == "string" then fill else . end)' --argjson merge "$(cat)" --arg own "$5")
  kubectl patch "$resource" "$name" --type merge "${options[@]}" --patch "$patch" > /dev/null
  case $resource in ciliumnode.*) as_new CiliumNode ;; node) as_new Node ;; esac
  note=$patch
}

exec_in() { # exec_in SET EXIT-CODE STDOUT-PATTERN COMMAND...: in every live pod of the set; pattern `-` for none
  local set=$1 wanted=$2 pattern=$3 namespace pod code output bad="" count=0
  shift 3
  query 'world | live($set)[] | "\(.namespace) \(.name)"' --arg set "$set" > "$STATE/exec"
  while read -r namespace pod <&3; do
    count=$((count + 1))
    code=0
    output=$(bounded 60 kubectl -n "$namespace" exec "$pod" -- "$@" 2> "$STATE/raw/exec.error") || code=$?
    if [ "$code" -ne 0 ] && ! grep -q 'command terminated with exit code' "$STATE/raw/exec.error"; then
      machine "$current: nothing can be run in $pod: $(tail -n 1 "$STATE/raw/exec.error")"
    fi
    [ "$code" -eq "$wanted" ] || bad+=$'\n'"  Pod/$namespace/$pod: exit code is $code, expected $wanted"
    if [ "$pattern" != - ] && ! jq -ne --arg text "$output" --arg pattern "$pattern" '$text | test($pattern)' > /dev/null; then
      bad+=$'\n'"  Pod/$namespace/$pod: standard output is $output, expected a match of /$pattern/"
    fi
  done 3< "$STATE/exec"
  [ "$count" -gt 0 ] || failed "there is no live pod of $set to run a command in"
  [ -z "$bad" ] || failed "\`$*\` did not end as expected:$bad"
  note="as expected in $count pods"
}

wait_settled() { # wait_settled SECONDS QUIET: until every CiliumNode was left alone for so many seconds
  until_so "$1" "CiliumNodes quiet for $2 s" 'settled($events; $began; $quiet)' --argjson began "$(seconds)" --argjson quiet "$2"
}

wait_ready() { # wait_ready SECONDS component|workload NAME...: until each is
  local seconds=$1
  shift
  while [ $# -gt 0 ]; do
    case $1:$2 in
      component:cilium-agent) until_so "$seconds" "a ready agent on every node" agents_ready ;;
      *) until_so "$seconds" "$2 to be ready" '(if $what == "component" then part($name) else workload($name) end) | map(select(is_live))
          | if length == 0 then {last: "no pods"} elif all(.[]; .ready) then done else {last: (map(select(.ready | not)) | first | state)} end' --arg what "$1" --arg name "$2" ;;
    esac
    shift 2
  done
}

wait_log() { # wait_log SECONDS COMPONENT CONTAINER TEXT: until a line of its log has the text, for any node that it may speak of
  local end=$(($(clock) + $1 * 1000 * TIMEOUT_SCALE)) pod text unread=""
  local -a texts pods
  mapfile -t texts < <(query 'world | . as $world | .Node | keys[] | . as $node | $world | render($text; $node) | .text // empty' --arg text "$4")
  mapfile -t pods < <(query 'world | part($name)[] | select(is_live) | .name' --arg name "$2")
  if [ "${#pods[@]}" -eq 0 ] || [ "${#texts[@]}" -eq 0 ]; then failed "there is no log of $2 to read, or no node to name"; fi
  while :; do
    unread=
    for pod in "${pods[@]}"; do
      bounded 20 kubectl -n kube-system logs "$pod" -c "$3" > "$STATE/log" 2> "$STATE/raw/log.error" || unread=$(tail -n 1 "$STATE/raw/log.error")
      for text in "${texts[@]}"; do
        if grep -qF -- "$text" "$STATE/log"; then note=$(grep -m 1 -F -- "$text" "$STATE/log"); return 0; fi
      done
    done
    if [ "$(clock)" -ge "$end" ]; then
      [ -z "$unread" ] || machine "$current: the log of $2 could not be read: $unread"
      failed "the log of $2 has no line with \"$4\""
    fi
    sleep 1
  done
}

passed() {
  end_monitors 1000000
  verdict=passed
  say "PASSED  every check held"
  exit 0
}
