use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A language that policies are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// By cargo, for `wasm32-unknown-unknown`.
    Rust,
    /// By the npm package componentize-js.
    JavaScript,
    /// By the PyPI package componentize-py.
    Python,
    /// By clang and wasm-ld, without a C library.
    C,
}

/// A text names no language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no language is called `{}`: there are {}", .0.escape_debug(), Language::names())]
pub struct UnknownLanguage(String);

impl Language {
    /// All languages.
    pub const ALL: [Language; 4] = [
        Language::Rust,
        Language::JavaScript,
        Language::Python,
        Language::C,
    ];

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::JavaScript => "js",
            Language::Python => "python",
            Language::C => "c",
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The file by which a project of the language is known.
    pub fn mark(self) -> &'static str {
        match self {
            Language::Rust => "Cargo.toml",
            Language::JavaScript => "package.json",
            Language::Python => "pyproject.toml",
            Language::C => "Makefile",
        }
    }

    /// The languages that a project may be of, by its files.
    pub(super) fn of_project(project: &Path) -> Vec<Self> {
        let marked = |language: &Self| project.join(language.mark()).is_file();
        let mut languages: Vec<_> = Self::ALL.into_iter().filter(marked).collect();
        // Every language may have a Makefile.
        if languages.len() > 1 {
            languages.retain(|language| *language != Language::C);
        }
        languages
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL
            .into_iter()
            .find(|language| language.name() == text)
            .ok_or_else(|| UnknownLanguage(text.to_owned()))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
