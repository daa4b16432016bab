//! Why staging, or one directory of it, can't be watched.

use std::io;

/// Why no directory can be watched. Scans still find every change, only later.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The user has used up the inotify instances.
    #[error(
        "the user has no inotify instances left: raise the sysctl `fs.inotify.max_user_instances`"
    )]
    Instances,
    /// The process has used up its file descriptors.
    #[error(
        "the process has no file descriptors left: raise its limit of open files (`ulimit -n`)"
    )]
    OpenFiles,
    /// The system has used up its open files.
    #[error("the system has no open files left: raise the sysctl `fs.file-max`")]
    SystemFiles,
    /// The system has no inotify, or doesn't let this process use it.
    #[error("this system offers no inotify")]
    Unsupported,
    /// Anything else.
    #[error("inotify can't be set up")]
    Other(#[source] io::Error),
}

impl WatchError {
    /// Whether another try can succeed while the process runs.
    pub fn may_pass(&self) -> bool {
        !matches!(self, WatchError::Unsupported)
    }
}

/// Why changes in one directory aren't reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Cause {
    /// The agent's user may not read it, so a scan can't list it either.
    #[error("permission denied: give the agent's user read access")]
    Permission,
    /// The user has used up the inotify watches.
    #[error("the user has no inotify watches left: raise the sysctl `fs.inotify.max_user_watches`")]
    SystemLimit,
    /// The operator's own limit is reached.
    #[error("the limit `staging.max_watches` is reached: raise it")]
    OwnLimit,
    /// The kernel has no memory for another watch.
    #[error("the kernel has no memory for another inotify watch")]
    Memory,
    /// The stream's schema is a symbolic link, whose target may be anywhere.
    #[error("the schema is a symbolic link, and its target may be anywhere")]
    Link,
    /// Other machines may change the file system, and inotify reports this machine's changes only.
    #[error("inotify does not report what other machines change on {0}")]
    Remote(&'static str),
    /// The directory went away, or its file system was unmounted.
    #[error("the directory is gone")]
    Gone,
    /// Anything else, as the system words it.
    #[error("{0}")]
    Other(String),
}

impl Cause {
    /// Whether the directory must be scanned at short intervals. An unreadable one need not be: a scan sees no more
    /// than the watch, and its parent's watch reports when its permissions change.
    pub fn needs_scans(&self) -> bool {
        *self != Cause::Permission
    }

    /// Whether an operator should do something about it.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Cause::Link | Cause::Remote(_))
    }
}
