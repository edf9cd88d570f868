//! What Cilium leaves on a node when it is uninstalled.
//!
//! What there is to remove is what `cilium-dbg post-uninstall-cleanup` removes, which cannot be asked: a scenario may well end with agents
//! that do not run.

use std::time::Duration;

use futures::future::try_join_all;

use super::create::Inner;
use crate::error::Fault;
use crate::tools::{Input, Invocation, Tool};

/// Removes it, then looks: what is left is printed, one thing a line, and the exit code is 1.
///
/// The order matters in two places. The network plugin's configuration goes first, so that kubelet notices soonest. A cgroup file system
/// is mounted in Cilium's folder: it is taken out before the folder is removed, or its control groups would be.
const SCRIPT: &str = r#"set -u
rm -f /etc/cni/net.d/*cilium* /opt/cni/bin/cilium-cni /etc/sysctl.d/*cilium*

links() { ip -o link show | sed -n 's/^[0-9]*: \(cilium[^:@]*\|lxc[^:@]*\)[:@].*/\1/p'; }
for l in $(links); do ip link delete "$l" 2> /dev/null; done

# A pin is what holds a program to its device or control group.
rm -rf /sys/fs/bpf/cilium /sys/fs/bpf/tc/globals/cilium_*
if command -v tc > /dev/null; then
  for l in $(ls /sys/class/net); do tc qdisc delete dev "$l" clsact 2> /dev/null; done
fi

# Cilium moves the rule of the table of local addresses behind its own.
for f in -4 -6; do
  for table in 2004 2005; do
    while ip $f rule delete table $table 2> /dev/null; do :; done
    ip $f route flush table $table 2> /dev/null
  done
  if ip $f rule show pref 100 2> /dev/null | grep -q 'lookup local'; then
    ip $f rule show pref 0 | grep -q 'lookup local' || ip $f rule add from all lookup local pref 0
    ip $f rule delete pref 100
  fi
done

# Jumps to its chains, then the chains; nothing else of a table is written, for kube-proxy writes to them as well.
for t in iptables ip6tables; do
  command -v $t-save > /dev/null || continue
  $t-save 2> /dev/null | awk '
    /^\*/ { table = $0; jumps = ""; chains = ""; next }
    /^:CILIUM_/ { split(substr($1, 2), c, " "); chains = chains "-F " c[1] "\n"; names = names "-X " c[1] "\n"; next }
    /^-A CILIUM_/ { next }
    /^-A / && /CILIUM_/ { sub(/^-A/, "-D"); jumps = jumps $0 "\n"; next }
    /^COMMIT/ { if (jumps chains != "") printf "%s\n%s%s%sCOMMIT\n", table, jumps, chains, names; names = "" }
  ' | $t-restore --noflush
done

for m in $(awk '$2 ~ "^/run/cilium" { print $2 }' /proc/mounts | sort -r); do umount "$m"; done
rm -rf --one-file-system /run/cilium /var/lib/cilium

left=0
found() { left=1; echo "$1"; }
for file in /etc/cni/net.d/*cilium* /opt/cni/bin/cilium-cni /run/cilium /sys/fs/bpf/cilium; do
  [ -e "$file" ] && found "$file"
done
for l in $(links); do found "link $l"; done
for t in iptables ip6tables; do
  $t-save 2> /dev/null | grep -q CILIUM_ && found "rules of $t"
done
exit $left
"#;

/// Removes it from every node of a cluster.
pub(super) async fn all(inner: &Inner) -> Result<(), Fault> {
    let bound = Duration::from_secs(60).mul_f64(inner.scale);
    let nodes = inner.nodes.iter().map(|node| async move {
        let run = Invocation::new(Tool::Docker, "scrub node", bound)
            .args(["exec", "--interactive", node, "sh"])
            .input(Input::Bytes(SCRIPT.as_bytes().to_vec()));
        inner.door.run(run).await.map(drop).map_err(|error| {
            let left = error.output().unwrap_or_default().lines().collect::<Vec<_>>().join(", ");
            let fault = Fault::tool("take what Cilium left from the nodes of", &error);
            Fault { cause: format!("{node}: {left} ({})", fault.cause), ..fault }
        })
    });
    try_join_all(nodes).await.map(drop)
}
