//! The configuration file: its shape, and errors that point into it.
//!
//! A file is read in two steps: the private shape holds what was written and nothing else, [`Settings`] what it means,
//! defaults included. Both report with file, line and column.

mod duration;
mod file;
mod locate;
mod log_filter;
mod places;
mod policies;
mod problems;
mod reader;
mod registry;
mod settings;
mod simulated;
mod size;
mod source;
mod staging;
mod store;
mod streams;

pub use duration::Length;
pub use log_filter::{BadFilter, log_filter};
pub use places::{local_directory, resolved};
pub use problems::Problems;
pub use settings::{
    LedgerSettings, LogSettings, Refused, RuntimePart, Settings, Usable, VerifySettings,
};
pub use size::Size;
pub use source::{CONFIG_MAX, ConfigError, Problem, Source, suggest};
pub use store::StoreEnvironment;
pub use streams::{RuleSettings, StreamSettings};

/// The annotated example: every key, with what it means and its default.
///
/// A line that begins with `#` and a letter or a bracket is a setting that is switched off; a comment has a space
/// there.
pub const EXAMPLE: &str = include_str!("example.toml");

/// The example with every setting switched on.
pub fn example_with_every_key() -> String {
    EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting)
                if setting.starts_with(|first: char| first.is_alphabetic() || first == '[') =>
            {
                setting
            }
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[cfg(test)]
mod meaning_tests;
#[cfg(test)]
mod tests;
