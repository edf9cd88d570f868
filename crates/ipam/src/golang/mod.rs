//! The few pieces of Go whose texts and corner cases show in Cilium's answers: CIDR parsing, integer parsing, quoting.

mod net;
mod parse;
mod strconv;

pub(crate) use net::{Net, mask32, mask128};
pub(crate) use parse::{parse_cidr, parse_prefix};
pub(crate) use strconv::{parse_bool, parse_int, to_int};
