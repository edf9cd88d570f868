//! `repro`: pack a scenario for another person; run, or look at, what another person packed.

use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Parser as _, ValueEnum as _};
use engine::{Judgement, Replay};
use events::{ClusterKind, Outcome, StepOutcome, exit};
use repro::archive::{self, Archive, Limits, OBSERVED, SCENARIO, SCRIPT};
use repro::redact::Identity;
use repro::script::Defaults;
use repro::{Ingredients, Observed};
use scenario::{Scenario, Severity};
use semver::Version;

use crate::cli::{Cli, Command, Repro, ReproRun, ReproShow, ReproWhat, Selection, Sources};
use crate::outcome::BadInput;
use crate::versions::versions;
use crate::{project, select};

pub(crate) fn run(args: Repro) -> Result<u8> {
    match args.what {
        Some(ReproWhat::Run(args)) => again(&args),
        Some(ReproWhat::Show(args)) => show(&args),
        None => make(&args),
    }
}

/// Packs one scenario.
fn make(args: &Repro) -> Result<u8> {
    let name = args.scenario.clone().unwrap_or_default();
    let read = select::read(&Selection { scenarios: vec![name.clone()], tag: Vec::new() })?;
    super::lint::refuse(&read.problems)?;
    let [scenario] = read.scenarios.as_slice() else {
        let names: Vec<&str> = read.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        return Err(BadInput(format!("\"{name}\" means {}: name one of them", names.join(", "))).into());
    };
    let observed = args.from.as_deref().map(|run| observed(run, &scenario.name)).transpose()?;
    let version = version(args, scenario, observed.as_ref())?;
    let sources = &args.sources;
    let defaults = Defaults {
        cilium: version.clone(),
        node_image: sources.node_image.clone().unwrap_or_else(|| versions().kubernetes.node_image().to_owned()),
        chart_repo: sources.chart_repo.clone().unwrap_or_else(|| cluster::DEFAULT_CHART_REPO.to_owned()),
    };
    let seen = observed.as_ref().map(outcome);
    let ingredients = Ingredients {
        scenario,
        defaults,
        observed,
        identity: identity(sources),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        created: jiff::Timestamp::now(),
    };
    let packed = repro::pack(ingredients)
        .map_err(|error| BadInput(format!("{}:{}: {error}", scenario.source.path, error.line)))?;

    let dir = args.out.clone().unwrap_or_else(|| project::short_root().join("target/repro"));
    fs_err::create_dir_all(&dir).with_context(|| format!("create folder {dir}"))?;
    let stem = format!("{}-{version}", scenario.name);
    let (file, text) = (dir.join(format!("{stem}.tar.gz")), dir.join(format!("{stem}.md")));
    let mut bytes = Vec::new();
    archive::write(&packed.archive, &mut bytes).context("pack the reproducer")?;
    fs_err::write(&file, &bytes).context("write the archive")?;
    fs_err::write(&text, &packed.issue).context("write the issue's text")?;
    say!("archive:  {file} ({} files, {} KiB)", packed.archive.files.len() + 1, bytes.len().div_ceil(1024));
    say!("issue:    {text}");
    match seen {
        Some(seen) => say!("observed: {seen}"),
        None => {
            say!("observed: nothing, since no run was named. To add what a run sees:");
            say!("          cargo xtask e2e {} --cilium {version}", scenario.name);
            say!("          cargo xtask repro {} --from target/e2e/RUN", scenario.name);
        }
    }
    for one in &packed.left_out {
        say!("left out: {one}");
    }
    Ok(exit::PASSED)
}

/// A run by its folder, or by its id.
fn observed(run: &str, scenario: &str) -> Result<Observed> {
    let path = Utf8PathBuf::from(run);
    let by_id = project::short_root().join("target/e2e").join(run);
    let dir = if path.is_dir() || run.contains('/') { path } else { by_id };
    if !dir.is_dir() {
        return Err(
            BadInput(format!("{dir}: there is no such run; `cargo xtask e2e` prints its folder at the end")).into()
        );
    }
    Observed::read(&dir, scenario).map_err(|error| {
        let why = std::error::Error::source(&error).map(|why| format!(": {why}")).unwrap_or_default();
        BadInput(format!("--from {run}: {error}{why}")).into()
    })
}

fn version(args: &Repro, scenario: &Scenario, observed: Option<&Observed>) -> Result<Version> {
    let then = observed.and_then(Observed::circumstances).and_then(|(cilium, _, _)| cilium.parse::<Version>().ok());
    let version = match (&args.cilium, then) {
        (Some(asked), Some(then)) if *asked != then => {
            return Err(BadInput(format!("--cilium {asked}: the run was of {then}")).into());
        }
        (Some(asked), _) => asked.clone(),
        (None, Some(then)) => then,
        (None, None) => versions().cilium.default.clone(),
    };
    if scenario.cilium.versions.contains(&version) {
        Ok(version)
    } else {
        Err(BadInput(format!("{} is for Cilium {}, not for {version}", scenario.name, scenario.cilium.versions)).into())
    }
}

fn outcome(observed: &Observed) -> String {
    let (cilium, cluster) =
        observed.circumstances().map_or(("?", ClusterKind::Sim), |(cilium, cluster, _)| (cilium, cluster));
    let how = match observed.outcome() {
        Some(Outcome::Passed) => "every check held".to_owned(),
        Some(outcome) => {
            observed.failure().map_or_else(|| outcome.as_str().to_owned(), |failure| failure.message.clone())
        }
        None => "the run was not brought to its end".to_owned(),
    };
    format!("Cilium {cilium} on {cluster}: {how}")
}

/// What is known of this machine, so that it can be taken out.
fn identity(sources: &Sources) -> Identity {
    let env = |name: &str| std::env::var(name).ok();
    let host = fs_err::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| env("HOSTNAME"));
    let user = env("USER").or_else(|| env("LOGNAME"));
    let absolute = |path: &Utf8Path| path.canonicalize_utf8().ok().map(Utf8PathBuf::into_string);
    let folders = [
        (env("HOME"), "<home>"),
        (absolute(&project::root()), "<project>"),
        (absolute(Utf8Path::new(".")), "<here>"),
        (env("CARGO_HOME"), "<cargo>"),
        (env("KUBECONFIG"), "<kubeconfig>"),
        (sources.chart_dir.as_ref().map(ToString::to_string), "<charts>"),
    ];
    let given = [("registry_mirror", &sources.registry_mirror), ("chart_repo", &sources.chart_repo)];
    // The public repository is nobody's.
    let given = given
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
        .filter(|(_, value)| value.trim_end_matches('/') != cluster::DEFAULT_CHART_REPO.trim_end_matches('/'));
    let mut identity = Identity::new(host.as_deref(), user.as_deref(), &folders, std::env::vars().chain(given));
    identity.addresses = addresses();
    identity
}

/// The addresses by which this machine reaches others. Nothing is sent: a datagram's socket only looks up its route.
fn addresses() -> Vec<IpAddr> {
    [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")]
        .into_iter()
        .filter_map(|(from, to)| {
            let socket = UdpSocket::bind(from).ok()?;
            socket.connect(to).ok()?;
            Some(socket.local_addr().ok()?.ip())
        })
        .filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
        .collect()
}

/// Reads an archive that a stranger may have sent.
fn open(path: &Utf8Path) -> Result<Archive> {
    let refuse = |why: String| BadInput(format!("{path}: {why}"));
    let file = fs_err::File::open(path).map_err(|error| refuse(error.to_string()))?;
    let size = file.metadata().map_err(|error| refuse(error.to_string()))?.len();
    Ok(archive::read(std::io::BufReader::new(file), size, Limits::default())
        .map_err(|error| refuse(error.to_string()))?)
}

/// Its scenario, which is data as any other.
fn scenario_of(path: &Utf8Path, archive: &Archive) -> Result<Arc<Scenario>> {
    let text = archive.files.get(SCENARIO).ok_or_else(|| BadInput(format!("{path}: there is no {SCENARIO} in it")))?;
    let inside = path.join(format!("{}.yaml", archive.manifest.scenario));
    let (scenario, problems) = scenario::parse(&inside, text);
    super::lint::refuse(&problems)?;
    let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    match scenario.filter(|_| !errors) {
        Some(scenario) => Ok(Arc::new(scenario)),
        None => Err(BadInput(format!("{path}: its scenario cannot be read")).into()),
    }
}

/// Runs an archive's scenario here.
fn again(args: &ReproRun) -> Result<u8> {
    let archive = open(&args.archive)?;
    let scenario = scenario_of(&args.archive, &archive)?;
    let cilium = args.cilium.as_ref().map_or_else(|| archive.manifest.cilium.clone(), ToString::to_string);
    let images: Vec<&str> = scenario.workloads.values().map(|workload| workload.image.as_str()).collect();
    say!(
        "{}: scenario {}, Cilium {cilium}. Its script is not run; the cluster runs these images: {}",
        args.archive,
        scenario.name,
        images.join(", ")
    );
    // The same command line as that of `e2e`, with its defaults.
    let scale = args.timeout_scale.to_string();
    let cluster = args.cluster.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut line =
        vec!["xtask", "e2e", "--record", "--cluster", &cluster, "--cilium", &cilium, "--timeout-scale", &scale];
    if let Some(context) = &args.context {
        line.extend(["--context", context]);
    }
    if let Some(dir) = &args.report_dir {
        line.extend(["--report-dir", dir.as_str()]);
    }
    let cli = Cli::try_parse_from(line).map_err(|error| BadInput(error.to_string()))?;
    let Command::E2e(e2e) = cli.command else { return Err(BadInput("e2e takes no such line".to_owned()).into()) };
    super::e2e::these(e2e, &[scenario])
}

/// Judges an archive's recording again.
fn show(args: &ReproShow) -> Result<u8> {
    let archive = open(&args.archive)?;
    let scenario = scenario_of(&args.archive, &archive)?;
    let manifest = &archive.manifest;
    say!("{}", scenario.name);
    say!("  {}", scenario.summary);
    say!("  Cilium {}, packed {} by version {}", manifest.cilium, manifest.created, manifest.tool);
    say!(
        "  {} files; the script: tar xzf {} --to-stdout {}-{}/{SCRIPT}",
        archive.files.len() + 1,
        args.archive,
        manifest.scenario,
        manifest.cilium
    );
    let Some(text) = archive.text(&format!("{OBSERVED}{}", engine::recording::FILE_NAME)) else {
        say!("\nNothing was recorded: there is nothing to judge again.");
        return Ok(exit::NOTHING_SELECTED);
    };
    let replay = engine::replay(&scenario, &text)
        .map_err(|error| BadInput(format!("{}: its recording: {error}", args.archive)))?;
    say!("  recorded on {} with Cilium {}: {} observations\n", replay.cluster, replay.cilium, replay.entries);
    told(&scenario, &replay);
    let differ = replay.steps.iter().filter(|step| !step.agrees()).count();
    let broken = replay.steps.iter().any(|step| matches!(step.judgement, Some(Judgement::Broken { .. })));
    let judged = replay.steps.iter().filter(|step| step.judgement.is_some()).count();
    say!("\n{judged} checks judged again, {differ} of them otherwise than then");
    if differ > 0 {
        return Err(anyhow::anyhow!("the recording does not bear out what the run said of {differ} steps"));
    }
    Ok(if broken { exit::FAILED } else { exit::PASSED })
}

fn told(scenario: &Scenario, replay: &Replay) {
    for (index, step) in scenario.steps.iter().enumerate() {
        let title = step.title();
        let Some(seen) = replay.steps.iter().find(|seen| seen.index == index) else {
            let range = step.versions.as_ref().filter(|range| !range.contains(&replay.cilium));
            match range {
                Some(range) => say!("{:>3}. {title}  [skipped: for Cilium {range}]", index + 1),
                None => say!("{:>3}. {title}  [not reached]", index + 1),
            }
            continue;
        };
        let then = match seen.recorded {
            Some(StepOutcome::Passed) => "passed",
            Some(StepOutcome::Failed) => "failed",
            Some(StepOutcome::Skipped) => "skipped",
            None => "cut off",
        };
        say!(
            "{:>3}. {title}  [{then}, {:.1} s to {}]",
            index + 1,
            seconds(seen.began_ms),
            seen.ended_ms.map_or_else(|| "?".to_owned(), |ms| format!("{:.1} s", seconds(ms)))
        );
        match &seen.judgement {
            None => {}
            Some(Judgement::Held { at_ms, subjects }) => {
                say!("     judged again: held, {subjects} objects, at {:.1} s", seconds(*at_ms));
            }
            Some(Judgement::Broken { at_ms, mismatches }) => {
                say!("     judged again: not so, at {:.1} s", seconds(*at_ms));
                for one in mismatches {
                    say!("       {}: {} is {}, expected {}", one.object, one.field, one.observed, one.expected);
                }
            }
        }
        if !seen.agrees() {
            say!("     THIS IS NOT WHAT THE RUN SAID");
        }
    }
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}
