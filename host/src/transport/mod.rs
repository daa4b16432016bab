//! What goes wrong below HTTP, for stores and registries alike: names, connections, proxies, TLS, certificates, clocks.

mod ca;
mod cause;
mod clock;
mod explain;
mod proxy;

pub use ca::CaError;
pub(crate) use ca::read_ca_file;
pub(crate) use cause::{Cause, Leg, causes, innermost};
pub(crate) use clock::{Skew, http_date};
pub(crate) use explain::{Remedies, explain};
pub(crate) use proxy::{Proxies, Proxy};
