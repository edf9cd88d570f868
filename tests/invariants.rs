//! Each invariant is seen to be broken: the built command runs a scenario on a simulated cluster whose operator or agents have the flaw.

use std::path::Path;

use rstest::rstest;
use serde_json::Value;
use xshell::{Shell, cmd};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

#[rstest]
#[case::disjoint("podcidrs-disjoint", "fresh-cluster-pool", ["CiliumNode/sim-", "CiliumNode/sim-"])]
#[case::emptied("podcidrs-never-emptied", "fresh-cluster-pool", ["CiliumNode/sim-", "CiliumNode/sim-"])]
#[case::unique("pod-ips-unique", "fresh-cluster-pool", ["Pod/", "Pod/"])]
#[case::pod_ip("pod-ip-in-podcidr", "fresh-cluster-pool", ["Pod/", "CiliumNode/sim-"])]
#[case::router("router-in-podcidr", "fresh-cluster-pool", ["CiliumNode/sim-", "Pod/kube-system/cilium-"])]
#[case::foreign("foreign-podcidr-reported", "cidr-change-ignored", ["CiliumNode/sim-", "Pod/kube-system/cilium-operator-"])]
#[case::crash_loop("crash-loop-explained", "fresh-cluster-pool", ["Pod/kube-system/cilium-", "CiliumNode/sim-"])]
fn a_flaw_is_noticed(
    #[case] invariant: &str,
    #[case] scenario: &str,
    #[case] objects: [&str; 2],
    #[values("1.18.4", "1.19.1", "1.20.2")] version: &str,
) {
    let dir = tempfile::tempdir().unwrap();
    let (reports, flaw) = (dir.path(), format!("violate={invariant}"));
    let shell = Shell::new().unwrap();
    shell.change_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    let run =
        cmd!(shell, "{XTASK} e2e {scenario} --cluster sim --cilium {version} --fault {flaw} --report-dir {reports}");
    let output = run.env("NO_COLOR", "1").ignore_status().quiet().output().unwrap();
    let console = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{console}{}", String::from_utf8_lossy(&output.stderr));

    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let summary: Value = serde_json::from_str(&read("summary.json")).unwrap();
    let failure = &summary["scenarios"][0]["failure"];
    assert_eq!(
        (&failure["class"], &failure["violation"]["invariant"]),
        (&"product".into(), &invariant.into()),
        "{console}"
    );
    let witnesses = failure["violation"]["witnesses"].as_array().unwrap();
    assert_eq!(witnesses.len(), 2, "{witnesses:#?}");
    let message = failure["message"].as_str().unwrap();
    for (witness, object) in witnesses.iter().zip(objects) {
        let (name, version) = (witness["object"].as_str().unwrap(), witness["version"].as_str().unwrap());
        assert!(name.starts_with(object), "{name} instead of {object}");
        let named = format!("{name} (resourceVersion {version}, seen at {} ms)", witness["at_ms"]);
        assert!(message.contains(&named), "{named} is not in {message}");
        for (report, text) in [("console", &console), ("summary.md", &read("summary.md"))] {
            assert!(text.contains(&format!("{name}  resourceVersion {version}, seen at ")), "{report}: {text}");
        }
    }
    let junit = read("junit.xml");
    assert!(junit.contains(r#"type="invariant""#) && junit.contains(invariant), "{junit}");
    let evidence: Value = serde_json::from_str(&read(&format!("{scenario}/violation.json"))).unwrap();
    assert_eq!(evidence["objects"].as_array().map(Vec::len), Some(2));
}
