use std::fmt;

/// Why a policy gave no verdict. The host reports it and falls back to its own default.
///
/// Any error becomes one by `?`, with the causes behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

/// What a policy's methods answer with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error in words.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// `Error` is no `std::error::Error` itself, or this would overlap with `From<Error> for Error`.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            message.push_str(": ");
            message.push_str(&next.to_string());
            cause = next.source();
        }
        Self(message)
    }
}
