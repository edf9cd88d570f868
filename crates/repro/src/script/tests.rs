use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use ipnet::IpNet;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rstest::rstest;
use xshell::{Shell, cmd};

use super::*;

fn defaults() -> Defaults {
    Defaults {
        cilium: Version::new(1, 18, 4),
        node_image: "kindest/node:v1.34.4".to_owned(),
        chart_repo: "https://helm.cilium.io".to_owned(),
    }
}

fn parse(path: &Utf8Path, text: &str) -> Arc<Scenario> {
    let (scenario, problems) = scenario::parse(path, text.as_bytes());
    scenario.map(Arc::new).unwrap_or_else(|| panic!("{problems:?}"))
}

/// Every scenario of the project, and one with every form there is but for faults.
fn all() -> Vec<Arc<Scenario>> {
    let root = Utf8PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut files: Vec<Utf8PathBuf> = glob::glob(root.join("scenarios/**/*.yaml").as_str())
        .unwrap()
        .map(|path| Utf8PathBuf::from_path_buf(path.unwrap()).unwrap())
        .collect();
    files.push(root.join("crates/scenario/tests/samples/every-form.yaml"));
    files.iter().map(|path| parse(path, &std::fs::read_to_string(path).unwrap())).collect()
}

/// What a script is made of, of a scenario that is for kind.
fn made(scenario: &Scenario) -> Option<Script> {
    match script(scenario, &defaults()) {
        Ok(script) => Some(script),
        Err(error) => {
            let faults = scenario.steps.iter().any(|step| matches!(step.action, scenario::model::Action::Inject(_)));
            assert!(faults || !scenario.clusters.contains(&ClusterKind::Kind), "{}: {error}", scenario.name);
            None
        }
    }
}

#[test]
fn bash_takes_every_scenarios_script() {
    let shell = Shell::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let scripts: Vec<(String, Script)> =
        all().iter().filter_map(|scenario| Some((scenario.name.clone(), made(scenario)?))).collect();
    assert!(scripts.len() > 5);
    for (name, script) in &scripts {
        let path = dir.path().join(format!("{name}.sh"));
        std::fs::write(&path, &script.text).unwrap();
        let output = cmd!(shell, "bash -n {path}").quiet().ignore_status().output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
#[ignore = "needs shellcheck"]
fn shellcheck_is_silent() {
    let shell = Shell::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut paths = vec![
        Utf8PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/script/prelude/prelude.sh")).into_std_path_buf(),
    ];
    // Every form of a step and a check, and two as they are.
    for scenario in all() {
        let one = ["every-form", "cidr-change-ignored", "emptied-by-duplicate"].contains(&scenario.name.as_str());
        if let Some(script) = made(&scenario).filter(|_| one) {
            let path = dir.path().join(format!("{}.sh", scenario.name));
            std::fs::write(&path, &script.text).unwrap();
            paths.push(path);
        }
    }
    assert_eq!(paths.len(), 4);
    for path in &paths {
        let output = cmd!(shell, "shellcheck {path}").quiet().ignore_status().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_steps_of_a_script_read_like_the_scenario() {
    let text =
        all().iter().find(|scenario| scenario.name == "every-form").and_then(|scenario| made(scenario)).unwrap().text;
    let (_, steps) = text.split_once("# ---- The scenario.").unwrap();
    for part in [
        "create_cluster 3 <<'KIND'\n",
        "deploy alpine' deploy 120 alpine 3 true <<'MANIFEST'\n",
        "backup cilium-config' backup\n",
        "configure '{\"ipam\":\"cluster-role\"}'\n",
        "restart 90 '[{\"of\":\"cilium-agent\"",
        "remove_node 240 worker3\n",
        "add_node 240 worker3 false\n",
        "patch_object ciliumnode.v2.cilium.io node:worker - - worker <<'PATCH'\n",
        "if version_in - 1.20.0; then\nstep ",
        "\nlabel switched\n",
        "expect_holds 60 5000 <<'CHECKS'\n",
        "expect_never 3000 <<'CHECKS'\n",
        "expect_from_here holds 1000000 <<'CHECKS'\n",
        "\npassed\n",
    ] {
        assert!(steps.contains(part), "{part}\n{steps}");
    }
}

#[test]
fn a_scenario_cannot_leave_its_quotes() {
    let path = Utf8Path::new("evil.yaml");
    let text = "name: evil\nsummary: \"x\\nrm -rf /\"\nreferences: [\"cilium/cilium#1\"]\ncilium: {}\nworkloads: {a: {replicas: 1, command: [\"$(reboot)\", \"'; reboot; '\", \"\\nMANIFEST\\nreboot\"]}}\nsteps:\n  - deploy: a\n  - exec: {of: a, command: [\"';\", \"reboot\\n\"], stdout: \"'$(reboot)'\"}\n  - configure: {k: \"'\\nreboot\\n'\"}\n";
    let script = made(&parse(path, text)).unwrap().text;
    // Outside quotes and documents, which bash itself is asked about, no line begins with a scenario's words.
    let shell = Shell::new().unwrap();
    let steps = script.split_once("# ---- The scenario.").unwrap().1;
    let harmless = format!("reboot() {{ echo ESCAPED; }}; rm() {{ echo ESCAPED; }}\n{STUBS}\n{steps}");
    let output = cmd!(shell, "bash").stdin(&harmless).quiet().ignore_status().output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("passed"),
        "{stdout} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!stdout.contains("ESCAPED"), "{stdout}");
}

/// The script's functions, as ones that do nothing.
const STUBS: &str = "CILIUM_VERSION=1.18.4\nbegin() { :; }\nversion_in() { :; }\nusage() { exit 2; }\ncreate_cluster() { cat > /dev/null; }\nload_images() { :; }\ninstall() { cat > /dev/null; }\nstep() { shift; case $1 in deploy | upgrade | reinstall | refused | expect_* | patch_object) cat > /dev/null ;; esac; }\npassed() { echo passed; }\n";

#[test]
fn a_fault_of_simulated_clusters_has_no_script() {
    let text = "name: a\nsummary: x\ncilium: {}\nclusters: [sim]\nclustersReason: it needs 100 nodes\nsteps:\n  - expect: {operatorStatus: {every: clear}}\n";
    let error = script(&parse(Utf8Path::new("a.yaml"), text), &defaults()).unwrap_err().to_string();
    assert!(error.contains("line 1 cannot be put into a script") && error.contains("it needs 100 nodes"), "{error}");
}

/// jq's answer to an expression over some input, with the script's definitions of addresses.
fn jq(expression: &str, input: &serde_json::Value) -> serde_json::Value {
    let shell = Shell::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("program.jq");
    std::fs::write(&file, format!("{}\n{expression}", DEFINITIONS[0])).unwrap();
    let output = cmd!(shell, "jq -c -f {file}").stdin(input.to_string()).quiet().ignore_status().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Ranges that have something to do with each other, of both families.
fn ranges() -> impl Strategy<Value = (IpNet, IpNet)> {
    let v4 = (any::<u32>(), 0..=32_u8, 0..=32_u8, any::<u32>(), 0..32_u32).prop_map(|(bits, a, b, noise, shift)| {
        let net = |bits: u32, prefix| IpNet::new(std::net::Ipv4Addr::from_bits(bits).into(), prefix).unwrap();
        (net(bits, a), net(bits ^ (noise >> shift), b))
    });
    let v6 =
        (any::<u128>(), 0..=128_u8, 0..=128_u8, any::<u128>(), 0..128_u32).prop_map(|(bits, a, b, noise, shift)| {
            let net = |bits: u128, prefix| IpNet::new(std::net::Ipv6Addr::from_bits(bits).into(), prefix).unwrap();
            (net(bits, a), net(bits ^ (noise >> shift), b))
        });
    prop_oneof![4 => v4.clone(), 4 => v6.clone(), 1 => (v4, v6).prop_map(|(a, b)| (a.0, b.0))]
}

#[test]
#[ignore = "needs jq"]
fn jqs_ranges_are_rusts() {
    let mut runner = TestRunner::new(Config { cases: 1, failure_persistence: None, ..Config::default() });
    let many = prop::collection::vec(ranges(), 2000..2001);
    runner
        .run(&many, |pairs| {
            let input = pairs.iter().map(|(a, b)| serde_json::json!([a.to_string(), b.to_string(), b.addr()]));
            let answers = jq(
                "map((.[0] | range_of) as $a | (.[1] | range_of) as $b | (.[2] | single) as $ip
                  | [holds_range($a; $b), overlap($a; $b), $a == $b, holds_range($a; $ip)])",
                &input.collect(),
            );
            for (number, (a, b)) in pairs.iter().enumerate() {
                let overlap = a.contains(b) || b.contains(a);
                let rust = serde_json::json!([a.contains(b), overlap, a == b, a.contains(&b.addr())]);
                assert_eq!(answers[number], rust, "{a} {b}");
            }
            Ok(())
        })
        .unwrap();
}

#[rstest]
#[ignore = "needs jq"]
#[case("10.0.0.0/33")]
#[case("10.0.0/8")]
#[case("10.0.0.256/8")]
#[case("10.0.0.0")]
#[case("10.0.0.0/8/8")]
#[case("::1::/64")]
#[case("fd00:::/64")]
#[case("1:2:3:4:5:6:7:8:9/64")]
#[case("12345::/64")]
#[case("::/129")]
#[case("x::/64")]
#[case("")]
#[case("10.0.0.0/24,10.1.0.0/24")]
fn what_is_no_range_is_none_in_jq_either(#[case] text: &str) {
    assert!(text.parse::<IpNet>().is_err());
    assert_eq!(jq("range_of", &text.into()), serde_json::Value::Null);
}

#[rstest]
#[ignore = "needs jq"]
#[case("::")]
#[case("::1")]
#[case("fd00::")]
#[case("1:2:3:4:5:6:7::")]
#[case("::2:3:4:5:6:7:8")]
#[case("::ffff:10.0.0.1")]
#[case("FD00:0:0:1::ABCD")]
#[case("0.0.0.0")]
#[case("255.255.255.255")]
fn addresses_in_every_form(#[case] text: &str) {
    let bytes = match text.parse().unwrap() {
        std::net::IpAddr::V4(address) => address.octets().to_vec(),
        std::net::IpAddr::V6(address) => address.octets().to_vec(),
    };
    assert_eq!(jq("address", &text.into()), serde_json::json!(bytes));
}
