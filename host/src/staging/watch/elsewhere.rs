//! Systems without inotify: nothing is watched, and scans find every change.

use std::path::Path;

use super::cause::{Cause, WatchError};
use super::event::Event;

/// Not available; never constructed.
#[derive(Debug)]
pub(super) enum Inotify {}

/// Why a directory got no watch.
pub(super) enum Refused {
    /// It went away.
    Vanished,
    /// It exists.
    Because(Cause),
}

/// The events of one read.
pub(super) enum Batch {}

impl Inotify {
    pub(super) fn open() -> Result<Self, WatchError> {
        Err(WatchError::Unsupported)
    }

    pub(super) fn add(&self, _: &Path, _: bool) -> Result<i32, Refused> {
        match *self {}
    }

    pub(super) fn remove(&self, _: i32) {
        match *self {}
    }

    pub(super) fn remote(_: &Path) -> Option<&'static str> {
        None
    }

    pub(super) async fn run(&self, _: impl Fn(&mut Batch)) -> std::io::Result<()> {
        match *self {}
    }
}

impl Batch {
    pub(super) fn each(&mut self, _: impl FnMut(&Event<'_>)) {
        match *self {}
    }
}
