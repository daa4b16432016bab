//! Which files are scenarios.

use std::path::{Path, PathBuf};

use super::super::super::CommandError;

/// How deep directories are searched.
const MAX_DEPTH: usize = 16;

/// The files themselves, and every `.toml` file below the directories, in order of their names.
pub(super) fn scenario_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let mut files = Vec::new();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => search(path, MAX_DEPTH, &mut files)?,
            Ok(_) => files.push(path.clone()),
            Err(error) => {
                return Err(CommandError::Usage(format!(
                    "can't read {}: {error}",
                    path.display()
                )));
            }
        }
    }
    Ok(files)
}

fn search(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::Usage(format!("can't list {}: {error}", dir.display()))
    };
    let mut entries = std::fs::read_dir(dir)
        .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
        .map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            if depth > 0 {
                search(&path, depth - 1, files)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    Ok(())
}
