//! Where the hostile guests' components are.

use std::path::{Path, PathBuf};

/// Those of `tests/guests/bundled`, or of the directory that `TIDEGATE_GUESTS` names.
pub fn guests() -> PathBuf {
    std::env::var_os("TIDEGATE_GUESTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/bundled"),
        PathBuf::from,
    )
}
