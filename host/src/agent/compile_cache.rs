//! Where the agent keeps compiled policies if the configuration does not say.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::place::node_directory_of;
use crate::config::{RuntimePart, Settings};
use crate::policy::{CompileCache, RuntimeSettings};
use crate::registry::user_cache;

/// The default directory, next to the ledger.
const NEXT_TO_LEDGER: &str = "cache";

/// The directory in the user's cache, for users who do not own the ledger's directory and for commands without a
/// configuration.
const OF_USER: &str = "compiled";

/// The same settings with the default compile cache, unless the configuration names one or turns it off.
#[must_use]
pub fn with_compile_cache(runtime: RuntimeSettings, settings: &Settings) -> RuntimeSettings {
    let max_size = settings.runtime.cache_max;
    let default = || default_directory(settings).filter(|_| max_size > 0);
    RuntimeSettings {
        cache: runtime.cache.or_else(|| {
            default().map(|directory| CompileCache {
                directory,
                max_size,
            })
        }),
        ..runtime
    }
}

/// As [`with_compile_cache`], for a command that may be run by another user than the agent's: a directory that does not
/// exist yet is left for the agent to make, who could not use it otherwise.
#[must_use]
pub fn with_compile_cache_of_agent(
    runtime: RuntimeSettings,
    settings: &Settings,
) -> RuntimeSettings {
    let runtime = with_compile_cache(runtime, settings);
    let is_ours =
        |cache: &CompileCache| cache.directory.exists() || owns(ledger_directory(settings));
    RuntimeSettings {
        cache: match runtime.cache {
            Some(cache) if !is_ours(&cache) => user_compile_cache(),
            cache => cache,
        },
        ..runtime
    }
}

/// The compile cache in the user's own cache directory; `None` for a user without one.
pub fn user_compile_cache() -> Option<CompileCache> {
    user_cache(OF_USER).map(CompileCache::new)
}

/// The settings for a simulated world. Its ledger is never created, so nothing can be kept next to it.
#[must_use]
pub fn with_user_compile_cache(settings: Settings) -> Settings {
    let cache = settings.runtime.cache.or_else(|| user_cache(OF_USER));
    Settings {
        runtime: RuntimePart {
            cache,
            ..settings.runtime
        },
        ..settings
    }
}

/// Returns the directory next to the ledger if this user owns the ledger's directory, else one in the user's cache. If
/// `check` created it next to the ledger as another user, the agent could not use it.
fn default_directory(settings: &Settings) -> Option<PathBuf> {
    let beside = ledger_directory(settings);
    let directory = beside.join(NEXT_TO_LEDGER);
    match owns(beside) && node_directory_of(&directory, settings).is_none() {
        true => Some(directory),
        false => user_cache(OF_USER),
    }
}

fn ledger_directory(settings: &Settings) -> &Path {
    match settings.ledger.path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether this user owns the directory and may write there.
fn owns(directory: &Path) -> bool {
    let own = tempfile::tempfile_in(directory).and_then(|file| file.metadata());
    match (own, fs::metadata(directory)) {
        (Ok(own), Ok(found)) => own.uid() == found.uid(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::runtime_settings;
    use super::*;
    use crate::config::Source;
    use crate::time::SystemClock;

    fn cache(root: &Path, ledger: &str, lines: &str) -> Option<CompileCache> {
        cache_by(with_compile_cache, root, ledger, lines)
    }

    fn cache_by(
        with: fn(RuntimeSettings, &Settings) -> RuntimeSettings,
        root: &Path,
        ledger: &str,
        lines: &str,
    ) -> Option<CompileCache> {
        let text = format!(
            "[staging]\ndir = \"staging\"\n[store]\nurl = \"memory:///\"\n[ledger]\npath = {ledger:?}\n{lines}"
        );
        let source = Source::new(root.join("tidegate.toml"), text);
        let settings = Settings::from_source(&source, &|_| None).unwrap();
        let runtime = runtime_settings(&settings, Arc::new(SystemClock::new()));
        with(runtime, &settings).cache
    }

    #[test]
    fn a_cache_that_the_agent_has_still_to_make_is_not_made_by_another_user() {
        let lines = "[runtime]\ncache = \"own\"\n";
        let made_for = |owner: u32| {
            let root = tempfile::tempdir().unwrap();
            if std::os::unix::fs::chown(root.path(), Some(owner), None).is_err() {
                return None;
            }
            let own = Some(CompileCache::new(root.path().join("own")));
            let found = cache_by(with_compile_cache_of_agent, root.path(), "ledger.db", lines);
            Some(found == own)
        };
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(made_for(own), Some(true));
        // Only the superuser can give a directory away.
        assert_ne!(made_for(own + 1), Some(true));
    }

    #[test]
    fn compiled_policies_are_kept_next_to_the_ledger() {
        let root = tempfile::tempdir().unwrap();
        let kept = cache(root.path(), "ledger.db", "").unwrap();
        assert_eq!(kept, CompileCache::new(root.path().join("cache")));
    }

    #[test]
    fn the_configuration_names_another_directory_and_bound_or_none() {
        let root = tempfile::tempdir().unwrap();
        let lines = "[runtime]\ncache = \"own\"\ncache_max = \"10MiB\"\n";
        let kept = cache(root.path(), "ledger.db", lines).unwrap();
        assert_eq!(
            (kept.directory, kept.max_size),
            (root.path().join("own"), 10 << 20)
        );
        for lines in [
            "[runtime]\ncache_max = 0\n",
            "[runtime]\ncache = \"own\"\ncache_max = 0\n",
        ] {
            assert_eq!(cache(root.path(), "ledger.db", lines), None);
        }
    }

    #[test]
    fn a_ledger_directory_that_does_not_exist_yet_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        let beside = root.path().join("new");
        let kept = cache(root.path(), "new/ledger.db", "");
        assert_ne!(kept, Some(CompileCache::new(beside.join("cache"))));
        assert!(!beside.exists());
    }
}
