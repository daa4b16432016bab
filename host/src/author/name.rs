use std::fmt;
use std::str::FromStr;

/// The longest name of a policy, in bytes.
const LONGEST: usize = 64;

/// A policy's name: lower-case words of letters and digits, each beginning with a letter, joined by `-`.
///
/// So it is a name in every place where it stands: in TOML, in WIT, as a file, as a package of each language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyName(String);

/// A text is no name for a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is no name for a policy: write lower-case words of letters and digits, joined by `-`, such as `wait-longer`; \
     {LONGEST} characters at most",
    .0.escape_debug()
)]
pub struct BadName(String);

impl PolicyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PolicyName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        match text.len() <= LONGEST && text.split('-').all(is_word) {
            true => Ok(Self(text.to_owned())),
            false => Err(BadName(text.to_owned())),
        }
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kebab_case() {
        for good in ["a", "wait-longer", "v2", "a-b2-c"] {
            assert_eq!(good.parse(), Ok(PolicyName(good.to_owned())));
        }
        let long = "a".repeat(LONGEST + 1);
        for bad in [
            "",
            "-",
            "A",
            "wait_longer",
            "wait-",
            "-wait",
            "a--b",
            "2a",
            "a-2b",
            "a b",
            "ä",
            "../up",
            "a/b",
            ".",
            "a\n",
            &long,
        ] {
            assert_eq!(bad.parse::<PolicyName>(), Err(BadName(bad.to_owned())));
        }
    }
}
