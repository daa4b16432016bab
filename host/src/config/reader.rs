//! A file that is being checked: what its values mean, and where in it they are written.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Length;
use super::source::{Problem, Source};

/// A file that is being checked.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) dir: &'a Path,
}

impl Reader<'_> {
    /// A path of the file, which starts from the file's directory.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.dir.join(path)
    }

    /// A file of CA certificates, which must be usable.
    pub(super) fn ca_file(
        &self,
        place: &[&str],
        path: Option<&Path>,
    ) -> Result<Option<PathBuf>, Problem> {
        let Some(path) = path else { return Ok(None) };
        let path = self.written_path(place, path)?;
        match crate::transport::read_ca_file(&path) {
            Ok(_) => Ok(Some(path)),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                Err(self.problem(place, format!("{error}{}", cause.unwrap_or_default())))
            }
        }
    }

    pub(super) fn problem(&self, path: &[&str], message: impl Into<String>) -> Problem {
        self.source.problem(path, message)
    }

    /// A path that is written at this place.
    pub(super) fn written_path(&self, place: &[&str], path: &Path) -> Result<PathBuf, Problem> {
        match path.as_os_str().is_empty() {
            true => Err(self.problem(place, format!("`{}` is empty: write a path", key_of(place)))),
            false => Ok(self.path(path)),
        }
    }

    pub(super) fn positive(
        &self,
        place: &[&str],
        length: Option<Length>,
        default: Duration,
    ) -> Result<Duration, Problem> {
        match length {
            Some(length) if length.0.is_zero() => {
                let message = format!("`{}` must be more than 0s", key_of(place));
                Err(self.problem(place, message))
            }
            Some(length) => Ok(length.0),
            None => Ok(default),
        }
    }

    pub(super) fn at_least_one(
        &self,
        place: &[&str],
        number: Option<u32>,
        default: NonZeroU32,
    ) -> Result<NonZeroU32, Problem> {
        match number {
            Some(number) => NonZeroU32::new(number).ok_or_else(|| self.too_few(place)),
            None => Ok(default),
        }
    }

    pub(super) fn too_few(&self, place: &[&str]) -> Problem {
        self.problem(place, format!("`{}` must be at least 1", key_of(place)))
    }
}

/// The key at the end of a place.
fn key_of<'a>(place: &[&'a str]) -> &'a str {
    place.last().copied().unwrap_or_default()
}
