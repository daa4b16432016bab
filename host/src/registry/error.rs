//! What can go wrong between a registry and a component.

use std::fmt;
use std::path::PathBuf;

use super::reference::{Reference, ReferenceError};
use crate::digest::Digest;
use crate::transport::CaError;

/// Why a component can't be had from a registry, or brought there.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The reference leaves open which version it means.
    #[error("{0} says neither tag nor digest: write `{0}:TAG`")]
    NoVersion(Reference),
    /// What is pushed gets its digest from what it is.
    #[error("{0} has a digest, which a push can't promise: name a tag alone")]
    PushedDigest(Reference),
    /// The configuration names a tag, and tags move.
    #[error("{}", unpinned(.reference, .digest.as_ref()))]
    Unpinned {
        /// The reference without a digest.
        reference: Box<Reference>,
        /// What its tag means now; none where the registry did not say.
        digest: Option<Digest>,
    },
    /// The registry gave no answer, or one that says that it can't answer now.
    #[error("the registry {host} can't be reached: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// The cause, and what to do about it.
        why: String,
    },
    /// The registry fails.
    #[error("the registry {host} fails ({status}{said}): try again later, or ask who runs it")]
    Failing {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What it says about that, with what stands before it.
        said: String,
    },
    /// The registry broke off in the middle of a body.
    #[error("the registry {host} broke off in the middle of {what} ({why}): try again")]
    BrokeOff {
        /// The host.
        host: String,
        /// What was read.
        what: String,
        /// Why.
        why: String,
    },
    /// The registry wants credentials, or others.
    #[error("{}", unauthorized(.host, *.had))]
    Unauthorized {
        /// The host.
        host: String,
        /// Whether the docker configuration has some for it.
        had: bool,
    },
    /// The registry does not allow it.
    #[error("the registry {host} does not allow access to {what} ({said}): {because}")]
    Denied {
        /// The host.
        host: String,
        /// What was asked for.
        what: String,
        /// The status, with what the registry says about it.
        said: String,
        /// The likely reason.
        because: Denial,
    },
    /// A proxy answered.
    #[error("no answer of the registry {host}: {proxy} answered {status}: {}", of_proxy(*.status))]
    Proxy {
        /// The host.
        host: String,
        /// The proxy.
        proxy: String,
        /// The HTTP status.
        status: u16,
    },
    /// The host speaks TLS, and was spoken to without.
    #[error(
        "the registry {host} speaks TLS: take it out of `registry.plain_http`, and leave `--plain-http` out"
    )]
    SpeaksTls {
        /// The host.
        host: String,
    },
    /// Nothing can be pushed there.
    #[error(
        "the registry {host} does not take a push to {name} ({said}): check the name; some registries want the \
         repository to be created first, and mirrors take no push at all"
    )]
    NoPush {
        /// The host.
        host: String,
        /// The repository.
        name: String,
        /// The status, with what the registry says about it.
        said: String,
    },
    /// It does not exist, or is hidden.
    #[error(
        "the registry {host} does not have {what}: check name and tag; `tidegate policy list REF` shows a repository's \
         tags{}", may_be_private(.host, *.hidden)
    )]
    NotFound {
        /// The host.
        host: String,
        /// What was looked for.
        what: String,
        /// Whether a login might show it.
        hidden: bool,
    },
    /// The repository does not exist, or is hidden.
    #[error(
        "the registry {host} does not have the repository {name}: check its name{}", may_be_private(.host, *.hidden)
    )]
    NoRepository {
        /// The host.
        host: String,
        /// The repository.
        name: String,
        /// Whether a login might show it.
        hidden: bool,
    },
    /// The registry does not accept what is pushed.
    #[error("the registry {host} does not accept {what} ({said}): {}", .because.remedy())]
    Rejected {
        /// The host.
        host: String,
        /// What was sent.
        what: String,
        /// The status, with what the registry says about it.
        said: String,
        /// The likely reason.
        because: Rejection,
    },
    /// The registry accepted a push, and does not have what was pushed.
    #[error(
        "{host} accepted {what} and does not serve it: check that it is an OCI registry, and not another web server or \
         a proxy's login page"
    )]
    NotKept {
        /// The host.
        host: String,
        /// What was pushed.
        what: String,
        /// What came instead.
        #[source]
        source: Box<RegistryError>,
    },
    /// CA certificates that can't be used.
    #[error("the CA certificates for registries can't be used")]
    Ca(#[source] CaError),
    /// An answer that no registry gives.
    #[error("the registry {host} answers {what} with {found}: is it an OCI registry?")]
    Odd {
        /// The host.
        host: String,
        /// What was asked for.
        what: String,
        /// What came.
        found: String,
    },
    /// It sends us to a host that nobody allowed.
    #[error(
        "the registry {from} redirects to {to}, which nobody allowed: if that host is theirs, write \
         `redirects = [\"{to}\"]` into [registry], or give `--allow-redirect {to}`"
    )]
    Redirect {
        /// Who sends.
        from: String,
        /// Where to.
        to: String,
    },
    /// It sends us from TLS to plain HTTP.
    #[error(
        "the registry {from} redirects to {to} without TLS, which is never followed: ask who runs it"
    )]
    Downgrade {
        /// Who sends.
        from: String,
        /// Where to.
        to: String,
    },
    /// It sends us around.
    #[error("the registry {host} redirects more than {max} times: ask who runs it", max = super::client::MAX_REDIRECTS)]
    Redirects {
        /// The host.
        host: String,
    },
    /// More than is read.
    #[error("{what} is over {max} bytes, the most that is read of it")]
    TooLarge {
        /// What it is.
        what: String,
        /// The bound.
        max: u64,
    },
    /// Other bytes than those that were asked for.
    #[error(
        "the registry {host} serves other bytes for {what}: its SHA-256 is {found}, and {expected} was asked for; \
         nothing of it is used"
    )]
    Tampered {
        /// The host.
        host: String,
        /// What it is.
        what: String,
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// It is something else than a component.
    #[error("{what} is no WebAssembly component in a registry's form: {why}")]
    NoComponent {
        /// What it is.
        what: String,
        /// Why not.
        why: String,
    },
    /// The docker configuration can't be used.
    #[error("can't take credentials for {host} from the docker configuration: {why}")]
    Credentials {
        /// The registry.
        host: String,
        /// Why.
        why: String,
    },
    /// Nowhere to keep components.
    #[error("there is no place for components: set `registry.cache`, XDG_CACHE_HOME or HOME")]
    NoCache,
    /// The cache can't be used.
    #[error("can't use the cache of components at {}: mend it, or name another directory in `registry.cache`", .path.display())]
    Cache {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What was kept is damaged and removed, and can't be had anew.
    #[error(
        "what the cache had of {reference} was damaged and is removed, and it can't be pulled anew"
    )]
    Damaged {
        /// The component.
        reference: Box<Reference>,
        /// Why not.
        #[source]
        source: Box<RegistryError>,
    },
    /// This machine can't speak HTTP.
    #[error("can't set up HTTP on this machine")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl RegistryError {
    /// Whether the registry might answer at another time, so that what the cache has may stand in for it.
    pub fn is_down(&self) -> bool {
        matches!(
            self,
            RegistryError::Unreachable { .. }
                | RegistryError::Failing { .. }
                | RegistryError::Proxy { .. }
                | RegistryError::BrokeOff { .. }
        )
    }

    /// Whether the command line or the configuration is what is wrong.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            RegistryError::Reference(_)
                | RegistryError::NoVersion(_)
                | RegistryError::PushedDigest(_)
                | RegistryError::NoCache
                | RegistryError::Ca(_)
        )
    }

    /// Whether this machine is what fails.
    pub fn is_internal(&self) -> bool {
        matches!(self, RegistryError::Cache { .. } | RegistryError::Setup(_))
    }
}

/// Why a registry does not accept what is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// It is over a limit.
    Size,
    /// Another reason, which the registry gives.
    Content,
}

impl Rejection {
    fn remedy(self) -> &'static str {
        match self {
            Rejection::Size => {
                "it is larger than the registry, or a proxy in front of it, allows: have that limit raised"
            }
            Rejection::Content => {
                "ask who runs it whether it accepts WebAssembly components as OCI artifacts"
            }
        }
    }
}

/// Why a registry, or a server that it leads to, does not allow something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// This machine's clock is wrong; by how much.
    Clock(String),
    /// The credentials lack a right.
    Right,
    /// No credentials were sent.
    NoLogin,
    /// It was the signed address that a registry redirects to.
    SignedAddress,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Denial::Clock(skew) => skew,
            Denial::Right => "these credentials lack that right; ask the registry's operator for it",
            Denial::NoLogin => "log in, for example with `docker login`",
            Denial::SignedAddress => {
                "no credentials are sent to a host that a registry redirects to, and the address may have expired; try \
                 again"
            }
        })
    }
}

fn of_proxy(status: u16) -> &'static str {
    match status {
        407 => "write name and password into the variable, as http://NAME:PASSWORD@HOST:PORT",
        _ => "allow the host there, or list it in NO_PROXY",
    }
}

fn may_be_private(host: &str, hidden: bool) -> String {
    match hidden {
        true => format!(
            "; one that is private is shown after a login, for example by `docker login {host}`"
        ),
        false => String::new(),
    }
}

fn unpinned(reference: &Reference, digest: Option<&Digest>) -> String {
    let pin = match digest {
        Some(digest) => format!("write `component = \"{}\"`", reference.pinned(*digest)),
        None => format!(
            "add its digest, `@sha256:…`, which `tidegate policy list {reference}` shows when the registry answers"
        ),
    };
    format!("{reference} names a tag, and tags move: {pin}, or set `registry.allow_tags = true`")
}

fn unauthorized(host: &str, had: bool) -> String {
    match had {
        true => format!(
            "the registry {host} refuses the credentials that the docker configuration has for it: log in again, for example with `docker login {host}`"
        ),
        false => format!(
            "the registry {host} wants credentials, and the docker configuration has none for it: log in, for example with `docker login {host}`"
        ),
    }
}
