//! What a killed agent leaves: a file without a trailer, whose last lines may be cut off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{BadRecording, RecordError};
use super::file::Lines;
use super::line::Line;
use super::read::{Ending, FileReader};

/// Writes what is complete in the unsealed file to a sealed one of this name, and removes it. What is no recording at all
/// is left alone, and so is the number in its name.
pub(super) fn seal(path: &Path, name: &Path) -> Result<(), RecordError> {
    // A kill between the rename and the removal leaves both.
    if !name.exists() && !rewrite(path, name)? {
        return Ok(());
    }
    std::fs::remove_file(path).map_err(RecordError::io("remove", path))
}

/// False when the file could not be read.
fn rewrite(path: &Path, name: &Path) -> Result<bool, RecordError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".sealing");
    let aside = PathBuf::from(aside);
    let mut lines = Lines::create(aside.clone())?;
    match copy(path, &mut lines) {
        Ok(()) => {}
        Err(Trouble::Write(error)) => return Err(error),
        Err(Trouble::Read(error)) => {
            tracing::warn!(
                "a file that an earlier agent left is no recording, and stays as it is: {error}"
            );
            std::fs::remove_file(&aside).map_err(RecordError::io("remove", &aside))?;
            return Ok(false);
        }
    }
    if lines.trailer().lines == 0 {
        std::fs::remove_file(&aside).map_err(RecordError::io("remove", &aside))?;
        return Ok(true);
    }
    let decisions = lines.trailer().decisions;
    lines.trailer().recovered = true;
    lines.seal(name)?;
    tracing::warn!(file = %name.display(), decisions, "sealed what an agent had recorded before it was killed");
    Ok(true)
}

enum Trouble {
    Read(BadRecording),
    Write(RecordError),
}

fn copy(path: &Path, lines: &mut Lines) -> Result<(), Trouble> {
    let mut reader = FileReader::open(path, Ending::Open, Arc::default()).map_err(Trouble::Read)?;
    while let Some((line, text)) = reader.next().map_err(Trouble::Read)? {
        match line {
            // It was complete, and only its new name is missing.
            Line::Trailer(trailer) => {
                lines.trailer().dropped = trailer.dropped;
                lines.trailer().oversized = trailer.oversized;
            }
            line => lines
                .add_text(text, matches!(line, Line::Decision(_)))
                .map_err(Trouble::Write)?,
        }
    }
    Ok(())
}
