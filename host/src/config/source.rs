use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problems::Found;
use super::{file, locate, simulated};
use crate::digest::Digest;
use crate::files::read_regular;

/// The largest configuration file, in bytes.
pub const CONFIG_MAX: u64 = 1 << 20;

/// How many problems with the shape of a file are reported at once.
const MAX_PROBLEMS: usize = 50;

/// Names that differ by less than this (Jaro-Winkler, 1 is equal) are taken for a slip of the pen.
const SIMILAR: f64 = 0.8;

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("could not read the configuration {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is too large to be a configuration.
    #[error("the configuration {} is over {CONFIG_MAX} bytes: name another file", .0.display())]
    TooLarge(PathBuf),
    /// Something in the file is wrong.
    #[error(transparent)]
    Problem(#[from] Problem),
}

/// Something that is wrong at one place of a configuration file.
///
/// Displays as `FILE:LINE:COLUMN: MESSAGE` and an excerpt with the place marked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong, and what would be right; a lower-case fragment.
    pub message: String,
    /// The line itself.
    text: String,
    /// How many characters from `column` on it is about.
    width: usize,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            column,
            message,
            text,
            width,
        } = self;
        writeln!(f, "{}:{line}:{column}: {message}", path.display())?;
        let gutter = line.to_string().len();
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{line} | {text}")?;
        write!(
            f,
            "{:gutter$} | {:indent$}{:^<width$}",
            "",
            "",
            "",
            indent = column.saturating_sub(1)
        )
    }
}

/// A configuration file's text, which knows where its keys stand.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
    /// The table of the file that is the configuration; the whole file where there is none.
    table: Option<&'static str>,
    /// Whether the places of the node's real parts are left out, since a simulated world has its own.
    simulated: bool,
}

impl Source {
    /// A text that was read from `path`.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
            table: None,
            simulated: false,
        }
    }

    /// The configuration that is this table of the file.
    #[must_use]
    pub fn table(self, table: &'static str) -> Self {
        Self {
            table: Some(table),
            ..self
        }
    }

    /// The configuration as a simulated world takes it: where the staging directory and the store really are does not
    /// matter, and nothing is asked of the environment.
    #[must_use]
    pub fn simulated(self) -> Self {
        Self {
            simulated: true,
            ..self
        }
    }

    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read {
            path: path.to_owned(),
            source,
        };
        let bytes = read_regular(path, CONFIG_MAX).map_err(failed)?;
        if bytes.len() as u64 > CONFIG_MAX {
            return Err(ConfigError::TooLarge(path.to_owned()));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(path, text)),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let source = Self::new(path, String::from_utf8_lossy(error.as_bytes()));
                Err(source.at(valid..valid + 1, "not UTF-8 text").into())
            }
        }
    }

    /// SHA-256 of the file's text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// The file it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration that is written, by its shape.
    ///
    /// Each part that does not fit becomes a problem, and the rest is read without it. `None` if the rest is not
    /// enough.
    pub(super) fn parse(&self, found: &Found) -> Option<file::File> {
        let (mut root, broken) = DeTable::parse_recoverable(&self.text);
        if !broken.is_empty() {
            for error in broken.iter().take(MAX_PROBLEMS) {
                found.keep::<()>(Err(self.refused(error)));
            }
            return None;
        }
        if let Some(name) = self.table {
            root = table_in(root.get_mut(), name);
        }
        if self.simulated {
            simulated::replace_places(root.get_mut());
        }
        let mut removed = Vec::new();
        let mut is_enough = true;
        for _ in 0..MAX_PROBLEMS {
            let deserializer = toml::de::Deserializer::from(root.clone());
            let error = match file::File::deserialize(deserializer) {
                Ok(file) => return is_enough.then_some(file),
                Err(error) => error,
            };
            let missing = error
                .message()
                .strip_prefix("missing field `")
                .and_then(|rest| rest.split('`').next());
            is_enough &= missing.is_none();
            // What was taken out is missing for a reason that is known.
            if !missing.is_some_and(|key| removed.iter().any(|removed| removed == key)) {
                found.keep::<()>(Err(self.refused(&error)));
            }
            let path = error
                .span()
                .and_then(|span| locate::path_of(&self.text, &span));
            // In a file of scenarios the configuration is a table itself.
            let mut path = path.iter().flatten();
            if let Some(table) = path.nth(usize::from(self.table.is_some())) {
                found.left_out_of(table.split('[').next().unwrap_or(table));
                if let Some(part) = path.next() {
                    found.left_out_of(&format!("{table}.{part}"));
                }
            }
            match error
                .span()
                .and_then(|span| locate::remove(root.get_mut(), &span))
            {
                Some(key) => removed.push(key),
                None => return None,
            }
        }
        None
    }

    /// What is written in the whole file, by a shape of the caller's.
    ///
    /// # Errors
    ///
    /// The first thing that does not fit, with its place.
    pub fn parse_as<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        toml::from_str(&self.text).map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &toml::de::Error) -> Problem {
        let span = error.span().unwrap_or_default();
        let message = self.explain(error.message(), &span);
        self.at(span, message)
    }

    /// A problem with the value at this path of keys and array positions (`["sync", "bounds", "min_delay"]`), or with
    /// the nearest table around it where it is not written.
    pub fn problem(&self, path: &[&str], message: impl Into<String>) -> Problem {
        let whole: Vec<_> = self.table.iter().chain(path).copied().collect();
        self.at(
            locate::span_of(&self.text, &whole).unwrap_or_default(),
            message,
        )
    }

    /// As [`Source::problem`], where at least the outermost table is written.
    pub fn written_problem(&self, path: &[&str], message: impl Into<String>) -> Option<Problem> {
        let whole: Vec<_> = self.table.iter().chain(path).copied().collect();
        let span = locate::span_of(&self.text, &whole)?;
        Some(self.at(span, message))
    }

    fn at(&self, span: Range<usize>, message: impl Into<String>) -> Problem {
        let start = self.text.floor_char_boundary(span.start);
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self
            .text
            .get(line_start..)
            .and_then(|rest| rest.lines().next())
            .unwrap_or_default();
        let end = self
            .text
            .floor_char_boundary(span.end)
            .max(start)
            .min(line_start + line.len());
        let marked = self.text.get(start..end).unwrap_or_default();
        Problem {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message: message.into(),
            // A tab, or something worse, would push the mark away from what it marks.
            text: without_secrets(line).replace(char::is_control, " "),
            width: marked.chars().count().max(1),
        }
    }

    /// What the parser said, in the words of a configuration file.
    fn explain(&self, message: &str, span: &Range<usize>) -> String {
        let path = locate::path_of(&self.text, span).unwrap_or_default();
        let (key, table) = path
            .split_last()
            .map_or(("", &[][..]), |(key, table)| (key, table));
        let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        match names.split_first() {
            Some((unknown, known)) if message.starts_with("unknown field") => {
                format!(
                    "unknown key `{unknown}`{}; {}",
                    place(table),
                    suggest(unknown, known.iter().copied())
                )
            }
            Some((unknown, known)) if message.starts_with("unknown variant") => {
                format!(
                    "unknown value `{unknown}` for `{key}`{}; {}",
                    place(table),
                    suggest(unknown, known.iter().copied())
                )
            }
            Some((missing, _)) if message.starts_with("missing field") => {
                format!("missing key `{missing}`{}", place(&path))
            }
            _ => {
                let message = message
                    .lines()
                    .map(str::trim)
                    .collect::<Vec<_>>()
                    .join("; ");
                match path.is_empty() {
                    true => message,
                    false => format!("`{key}`{}: {message}", place(table)),
                }
            }
        }
    }
}

/// The table of this name; an empty one where there is none.
fn table_in<'t>(root: &mut DeTable<'t>, name: &str) -> Spanned<DeTable<'t>> {
    match root.remove(name) {
        Some(value) => {
            let span = value.span();
            match value.into_inner() {
                DeValue::Table(table) => Spanned::new(span, table),
                _ => Spanned::new(span, DeTable::new()),
            }
        }
        None => Spanned::new(0..0, DeTable::new()),
    }
}

/// The line up to what looks like a secret: the value of a key that is named like one, or of an address with a password.
fn without_secrets(line: &str) -> String {
    const WORDS: [&str; 5] = ["secret", "token", "key", "password", "sas"];
    let lower = line.to_ascii_lowercase();
    let named = WORDS
        .iter()
        .filter_map(|word| {
            let name = lower.find(word)?;
            Some(name + lower.get(name..)?.find('=')?)
        })
        .min();
    let address = lower
        .find("://")
        .filter(|at| lower.get(*at..).is_some_and(|rest| rest.contains('@')));
    match [named, address]
        .into_iter()
        .flatten()
        .min()
        .and_then(|end| line.get(..=end))
    {
        Some(shown) => format!("{shown} …"),
        None => line.to_owned(),
    }
}

fn place(table: &[String]) -> String {
    match table {
        [] => String::new(),
        table => format!(" in [{}]", table.join(".")),
    }
}

/// What was probably meant, else what there is.
pub fn suggest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let closest = known
        .iter()
        .map(|name| (strsim::jaro_winkler(unknown, name), name))
        .filter(|(likeness, _)| *likeness >= SIMILAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match closest {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("expected one of {}", known.join(", ")),
    }
}
