//! Which process made something, in a way that survives reuse of process ids, reboots and shared Docker engines.

use serde::{Deserialize, Serialize};

/// A process, told apart from every later one with the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Process id.
    pub pid: i32,
    /// Start time in clock ticks since boot (`/proc/PID/stat`, field 22); none where there is no `/proc`.
    pub start: Option<u64>,
    /// The kernel's boot id; none where there is no `/proc`.
    pub boot: Option<String>,
    /// Process id namespace (`pid:[4026531836]`); none where there is no `/proc`.
    pub namespace: Option<String>,
    /// Name of the machine (or container) it runs in.
    pub host: String,
}

/// Whether an owner still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It does.
    Live,
    /// It does not.
    Dead,
    /// It cannot be seen from here: another machine or container shares the Docker engine.
    Elsewhere,
}

impl Owner {
    /// This process.
    pub fn current() -> Self {
        let pid = nix::unistd::getpid().as_raw();
        let read = |path: &str| fs_err::read_to_string(path).ok().map(|text| text.trim().to_owned());
        Self {
            pid,
            start: start_of(pid),
            boot: read("/proc/sys/kernel/random/boot_id"),
            namespace: fs_err::read_link("/proc/self/ns/pid").ok().map(|link| link.to_string_lossy().into_owned()),
            host: nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        }
    }

    /// Whether it still runs, seen from this process.
    pub fn life(&self) -> Life {
        self.judge(&Self::current(), start_of, |pid| {
            !matches!(nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None), Err(nix::errno::Errno::ESRCH))
        })
    }

    /// As [`Owner::life`], from facts: `here` is the process that asks, `start` gives a process's start time, `exists` whether one
    /// has this id.
    fn judge(&self, here: &Self, start: impl Fn(i32) -> Option<u64>, exists: impl Fn(i32) -> bool) -> Life {
        if self.host != here.host {
            return Life::Elsewhere;
        }
        if self.boot != here.boot {
            return Life::Dead;
        }
        if self.namespace != here.namespace {
            return Life::Elsewhere;
        }
        let live = match self.start {
            Some(then) => start(self.pid) == Some(then),
            None => exists(self.pid),
        };
        if live { Life::Live } else { Life::Dead }
    }
}

/// Start time of a process in clock ticks since boot; none for one that is not there, or only waits to be reaped.
fn start_of(pid: i32) -> Option<u64> {
    parse_stat(&fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The program's name stands in parentheses and may hold anything, so fields are counted from the last one.
fn parse_stat(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn owner(pid: i32, start: Option<u64>, boot: &str, namespace: &str, host: &str) -> Owner {
        Owner { pid, start, boot: Some(boot.into()), namespace: Some(namespace.into()), host: host.into() }
    }

    #[rstest]
    #[case::same_process(owner(7, Some(100), "b", "n", "h"), Life::Live)]
    #[case::id_was_reused(owner(7, Some(99), "b", "n", "h"), Life::Dead)]
    #[case::no_such_process(owner(8, Some(100), "b", "n", "h"), Life::Dead)]
    #[case::before_a_reboot(owner(7, Some(100), "a", "n", "h"), Life::Dead)]
    #[case::other_container(owner(7, Some(100), "b", "m", "h"), Life::Elsewhere)]
    #[case::other_machine(owner(7, Some(100), "a", "m", "i"), Life::Elsewhere)]
    #[case::no_proc_but_running(owner(7, None, "b", "n", "h"), Life::Live)]
    #[case::no_proc_and_gone(owner(9, None, "b", "n", "h"), Life::Dead)]
    fn judged_from_facts(#[case] it: Owner, #[case] expected: Life) {
        let here = owner(1, Some(1), "b", "n", "h");
        assert_eq!(it.judge(&here, |pid| (pid == 7).then_some(100), |pid| pid == 7), expected);
    }

    #[rstest]
    #[case("12 (cargo) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20", Some(4711))]
    #[case("12 (a ) Z (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20", Some(4711))]
    #[case("12 (cargo) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20", None)]
    #[case("12 (cargo) S 1 2", None)]
    #[case("", None)]
    fn start_time_is_field_22(#[case] stat: &str, #[case] expected: Option<u64>) {
        assert_eq!(parse_stat(stat), expected);
    }

    #[test]
    fn this_process_lives() {
        assert_eq!(Owner::current().life(), Life::Live);
    }
}
