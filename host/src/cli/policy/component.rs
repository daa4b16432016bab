//! How a command's arguments name a component.

use crate::policy::ComponentSource;

/// `builtin:NAME` or a file.
pub(super) fn source(text: &str) -> ComponentSource {
    match text.strip_prefix("builtin:") {
        Some(name) => ComponentSource::Builtin(name.to_owned()),
        None => ComponentSource::File(text.into()),
    }
}
