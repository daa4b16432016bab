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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the state is no number")
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn an_error_tells_the_causes_behind_it() {
        let read = || -> Result<u32> { Ok("x".parse().map_err(Outer)?) };
        assert_eq!(
            read().unwrap_err().to_string(),
            "the state is no number: invalid digit found in string"
        );
    }
}
