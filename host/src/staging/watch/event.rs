//! One event, as far as it matters here.

/// Something that happened in a watched directory or to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'a> {
    /// The number of the directory's watch.
    pub(super) watch: i32,
    /// The entry in the directory; `None` for the directory itself.
    pub(super) name: Option<&'a [u8]>,
    /// Whether the entry is a directory.
    pub(super) is_dir: bool,
    pub(super) kind: EventKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    /// The entry was created, or moved there.
    Appeared,
    /// The entry was deleted, or moved away.
    Left,
    /// The entry was written and closed, or its permissions or times changed.
    Changed,
    /// The directory itself was moved.
    Moved,
    /// The watch ended: its directory was deleted, or unmounted.
    Ended,
    /// Events were lost.
    Overflow,
}
