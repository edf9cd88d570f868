//! Cilium on the simulated cluster: its processes, and what Helm makes of its chart.

pub(crate) mod agents;
mod config;
mod crds;
mod exec;
pub(crate) mod helm;
mod identity;
pub(crate) mod operators;

pub(crate) use agents::{AgentStep, Agents};
pub(crate) use config::Configs;
pub(crate) use exec::{Answer, NO_PROGRAM, run};
pub(crate) use helm::Helm;
pub(crate) use operators::{OperatorStep, Operators};

use ipam::operator::LogLine;

/// A line as Cilium logs it (`log/slog`, text).
pub(crate) fn log_text(time: &str, line: &LogLine, fields: &[(&str, &str)]) -> String {
    let mut text = format!("time={time} level={} msg={}", line.level, quoted(&line.message));
    for (key, value) in fields {
        text.push_str(&format!(" {key}={}", quoted(value)));
    }
    if let Some(error) = &line.error {
        text.push_str(&format!(" error={}", quoted(error)));
    }
    text
}

/// Quoted where Go's text handler quotes.
fn quoted(value: &str) -> String {
    let plain =
        !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"' || c == '=' || c.is_control());
    if plain { value.to_owned() } else { format!("{value:?}") }
}

/// A log line without an error.
pub(crate) fn info(message: impl Into<String>) -> LogLine {
    LogLine { level: "info", message: message.into(), error: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_cilium_writes_them() {
        let line = LogLine {
            level: "warn",
            message: "Waiting for k8s node information".to_owned(),
            error: Some("required IPv4 PodCIDR not available".to_owned()),
        };
        assert_eq!(
            log_text("2026-01-02T03:04:05.000000Z", &line, &[("module", "agent")]),
            "time=2026-01-02T03:04:05.000000Z level=warn msg=\"Waiting for k8s node information\" module=agent error=\"required IPv4 PodCIDR not available\""
        );
    }
}
