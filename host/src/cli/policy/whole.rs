//! Files that are there as a whole or not at all.

use std::fs::Permissions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

use super::super::CommandError;
use crate::files::is_replaceable;

/// Writes a file in the place of what may be there; a device, a pipe or a link is written through.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    if !is_replaceable(path) {
        return std::fs::write(path, bytes).map_err(|error| refused(path, &error));
    }
    let file = beside(path, bytes).map_err(|error| refused(path, &error))?;
    file.persist(path)
        .map_err(|error| refused(path, &error.error))?;
    Ok(())
}

/// Writes a file that is not there yet.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let file = beside(path, bytes).map_err(|error| refused(path, &error))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            Err(CommandError::Usage(format!(
                "{} is there already: remove it, or name another file",
                path.display()
            )))
        }
        Err(error) => Err(refused(path, &error.error)),
    }
}

fn beside(path: &Path, bytes: &[u8]) -> std::io::Result<NamedTempFile> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    // It is for whoever may read files of this user's, as any other output.
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn refused(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Usage(format!("can't write {}: {error}", path.display()))
}
