//! Directories that must not share files.

use std::path::{Path, PathBuf};

use url::Url;

use super::reader::Reader;
use super::source::Problem;
use crate::staging::StagingSettings;
use crate::storage::StoreSettings;

/// The store option that names the directory of temporary files.
const SCRATCH: &str = "scratch";

/// Refuses a store of local files that shares files with the staging directory: the node would take what is published
/// for what is staged, and the agent the other way round. Its temporary files must not be there either.
pub(super) fn refuse_overlap(
    reader: &Reader<'_>,
    staging: &StagingSettings,
    store: &StoreSettings,
) -> Result<(), Problem> {
    let Some(directory) = local_directory(&store.url) else {
        return Ok(());
    };
    let named_by = store.names.store();
    let place = match store.names.is_of_the_file() {
        true => ["store", "url"],
        false => ["store", "from"],
    };
    let (own, other) = (resolved(&staging.dir), resolved(&directory));
    let relation = if own == other {
        "is"
    } else if other.starts_with(&own) {
        "lies inside"
    } else if own.starts_with(&other) {
        "holds"
    } else {
        return match store.options.get(SCRATCH).map(Path::new) {
            Some(scratch) if resolved(scratch).starts_with(&own) => {
                let message = format!(
                    "the scratch directory {} lies inside the staging directory {}: give `{SCRATCH}` a place elsewhere",
                    scratch.display(),
                    staging.dir.display()
                );
                Err(reader.problem(&["store", "options", SCRATCH], message))
            }
            _ => Ok(()),
        };
    };
    let message = format!(
        "the store {} {relation} the staging directory {}, and files of one would be taken for files of the other: correct \
         {named_by} or `staging.dir`",
        directory.display(),
        staging.dir.display()
    );
    Err(reader.problem(&place, message))
}

/// Refuses a cache in the staging directory, where it would be taken for a stream, and in a store of local files.
pub(super) fn refuse_inside(
    reader: &Reader<'_>,
    staging: &StagingSettings,
    store: &StoreSettings,
    key: [&str; 2],
    cache: &Path,
) -> Result<(), Problem> {
    let staging = ("the staging directory", Some(staging.dir.clone()));
    let store = ("the store", local_directory(&store.url));
    let cache = resolved(cache);
    for (what, directory) in [staging, store] {
        if let Some(directory) = directory
            && cache.starts_with(resolved(&directory))
        {
            let message = format!(
                "the cache {} lies inside {what} {}: give it a place elsewhere",
                cache.display(),
                directory.display()
            );
            return Err(reader.problem(&key, message));
        }
    }
    Ok(())
}

/// The directory of a store of local files.
pub fn local_directory(url: &str) -> Option<PathBuf> {
    let url = Url::parse(url).ok()?;
    (url.scheme() == "file").then(|| url.to_file_path().ok())?
}

/// The path without links, as far as it exists.
pub fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = absolute
        .ancestors()
        .find_map(|part| Some((part, part.canonicalize().ok()?)));
    match known {
        Some((part, real)) => match absolute.strip_prefix(part) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => absolute,
    }
}
