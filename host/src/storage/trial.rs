//! Tries out in the scratch directory what the file system of a `file://` store can do.

use std::sync::Arc;

use tempfile::TempDir;

use crate::contract::{FailureKind, StoreFailure};

use super::file::FileStore;
use super::store::Store;

/// An empty store on the same file system, and under the same lock, as the real one; gone when dropped.
pub(super) struct Trial {
    pub(super) store: Store,
    /// Whether the lock keeps others out.
    pub(super) locks: bool,
    _directory: TempDir,
}

impl Trial {
    pub(super) async fn start(store: &Store, files: &Arc<FileStore>) -> Result<Self, StoreFailure> {
        let id = store.id();
        let failed = |error: &dyn std::fmt::Display| {
            let message = format!("can't try out the file system of {id}: {error}");
            StoreFailure::new(FailureKind::Other, message)
        };
        let (other, directory) = files.sibling().map_err(|error| failed(&error))?;
        let locks = files
            .lock_excludes()
            .await
            .map_err(|error| failed(&error))?;
        Ok(Self {
            store: store.over(Arc::new(other)),
            locks,
            _directory: directory,
        })
    }
}
