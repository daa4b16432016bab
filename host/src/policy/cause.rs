use std::fmt;

/// Why a call gave no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The guest trapped: `unreachable`, a division by zero, an access out of bounds, a panic, an import called where
    /// the contract forbids it, a result that is no UTF-8, an exit, a wait for a timer.
    Trap,
    /// `limits.fuel` was spent.
    OutOfFuel,
    /// The instance's memories together outgrew `limits.memory`.
    OutOfMemory,
    /// The instance's tables together outgrew `limits.table_elements`.
    OutOfTables,
    /// Recursion outgrew the stack. How deep that is depends on the machine's architecture.
    StackOverflow,
    /// `limits.deadline` passed.
    Deadline {
        /// Most of the time went by while the policy did not run: in the store, or on a busy machine.
        waiting: bool,
    },
    /// The guest called on after it was told that `limits.host_calls` were used up.
    HostCalls,
    /// The guest called on after it was told that `limits.bytes_returned` were used up.
    BytesReturned,
    /// The guest handed over more than `limits.bytes_accepted`, to host calls together or as one verdict.
    BytesAccepted,
    /// The guest answered with an error, in its own words.
    GuestError,
    /// The verdict breaks a bound of the contract.
    OutOfBounds,
    /// The policy is quarantined and was not asked.
    Quarantined,
    /// No slot for an instance became free within the deadline.
    PoolExhausted,
    /// The host could not make the call.
    Unavailable,
}

impl Cause {
    /// The cause's name, as it stands in outputs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Trap => "trap",
            Cause::OutOfFuel => "out-of-fuel",
            Cause::OutOfMemory => "out-of-memory",
            Cause::OutOfTables => "out-of-tables",
            Cause::StackOverflow => "stack-overflow",
            Cause::Deadline { .. } => "deadline",
            Cause::HostCalls => "host-calls",
            Cause::BytesReturned => "bytes-returned",
            Cause::BytesAccepted => "bytes-accepted",
            Cause::GuestError => "guest-error",
            Cause::OutOfBounds => "out-of-bounds",
            Cause::Quarantined => "quarantined",
            Cause::PoolExhausted => "pool-exhausted",
            Cause::Unavailable => "unavailable",
        }
    }

    /// Whether the failure counts against the policy. Time spent in the store or waiting for the machine never does.
    pub fn blames_policy(self) -> bool {
        match self {
            Cause::Trap
            | Cause::OutOfFuel
            | Cause::OutOfMemory
            | Cause::OutOfTables
            | Cause::StackOverflow
            | Cause::HostCalls
            | Cause::BytesReturned
            | Cause::BytesAccepted
            | Cause::GuestError
            | Cause::OutOfBounds => true,
            Cause::Deadline { waiting } => !waiting,
            Cause::Quarantined | Cause::PoolExhausted | Cause::Unavailable => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A call without a verdict. It leaves the decision to the next policy of the chain, and at last to the host.
///
/// The host's functions also end a call with it: inside Wasmtime it travels as the error of the trap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {}", self.details())]
pub struct CallFailure {
    /// What went wrong.
    pub cause: Cause,
    /// The details as the host knows them. Holds no control characters.
    pub message: String,
    /// The error that the policy itself logged last, such as the text of a panic or an exception; `None` if it logged
    /// none. Holds no control characters, and at most 1 KiB.
    pub said: Option<String>,
}

/// The most bytes of a guest's own words that a message repeats.
pub(super) const MAX_WORDS: usize = 1024;

/// What Wasmtime says when one call hands over more than `set_hostcall_fuel` allows; the error has no public type.
const HOSTCALL_FUEL: &str = "fuel allocated for hostcalls has been exhausted";

impl CallFailure {
    pub(super) fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
            said: None,
        }
    }

    /// The same failure with the error that the policy logged last. An error that the policy returned is its own
    /// message already.
    pub(super) fn with_said(self, said: Option<String>) -> Self {
        match self.cause {
            Cause::GuestError => self,
            _ => Self { said, ..self },
        }
    }

    /// The details without the cause: the host's, then the policy's own.
    pub fn details(&self) -> String {
        match &self.said {
            Some(said) => format!("{}; the policy logged: {said}", self.message),
            None => self.message.clone(),
        }
    }

    /// An error that the guest returned.
    pub(super) fn guest_error(words: &str) -> Self {
        Self::new(Cause::GuestError, shown(&joined(words.lines())))
    }

    /// What an error of Wasmtime's means for a call.
    pub(super) fn from_wasmtime(error: &wasmtime::Error) -> Self {
        use wasmtime::Trap;

        if let Some(failure) = error.downcast_ref::<CallFailure>() {
            return failure.clone();
        }
        let cause = match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Cause::OutOfFuel,
            Some(Trap::StackOverflow) => Cause::StackOverflow,
            Some(_) => Cause::Trap,
            None if error.is::<wasmtime::PoolConcurrencyLimitError>() => Cause::PoolExhausted,
            None if error.is::<std::io::Error>() => Cause::Unavailable,
            None if error.root_cause().to_string().contains(HOSTCALL_FUEL) => Cause::BytesAccepted,
            None => Cause::Trap,
        };
        let message = match cause {
            Cause::OutOfFuel => "the call spent its fuel (`limits.fuel`)".to_owned(),
            Cause::StackOverflow => "the call overflowed its stack".to_owned(),
            Cause::BytesAccepted => {
                "it handed over more in one piece than `limits.bytes_accepted`".to_owned()
            }
            _ => shown(&error.root_cause().to_string()),
        };
        Self::new(cause, message)
    }
}

/// The lines of an error as one line, without empty ones.
pub(crate) fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        match text.chars().next_back() {
            None => {}
            // A heading, such as the place of a panic.
            Some(':') => text.push(' '),
            Some(_) => text.push_str(" | "),
        }
        text.push_str(line);
    }
    text
}

/// A guest's words, cut to [`MAX_WORDS`] and with control characters escaped, so that they can't disturb a terminal.
pub(crate) fn shown(words: &str) -> String {
    if words.len() <= MAX_WORDS {
        return escaped(words);
    }
    let mut end = MAX_WORDS;
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", escaped(words.get(..end).unwrap_or_default()))
}

/// The text with its control characters escaped, and those that reorder what a terminal shows.
pub(super) fn escaped(text: &str) -> String {
    if !text.chars().any(disturbs) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if disturbs(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

fn disturbs(character: char) -> bool {
    // The marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm, and its line separators.
    let reorders = matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || reorders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_words_are_cut_and_escaped() {
        assert_eq!(shown("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(shown("a\u{202e}b"), "a\\u{202e}b");
        let long = "é".repeat(MAX_WORDS);
        let cut = shown(&long);
        assert_eq!(cut.chars().count(), MAX_WORDS / 2 + 1);
        assert!(cut.ends_with("é…"));
    }

    #[test]
    fn an_error_of_several_lines_is_one_line() {
        let joined = |text: &str| joined(text.lines());
        assert_eq!(
            joined("panicked at src/lib.rs:8:9:\nno luck\n"),
            "panicked at src/lib.rs:8:9: no luck"
        );
        assert_eq!(
            joined("Error: no luck\r\n\n  decide@src/logic.js:9:35"),
            "Error: no luck | decide@src/logic.js:9:35"
        );
        assert_eq!(joined("\n \n"), "");
    }

    #[test]
    fn a_slow_store_is_not_the_policys_fault() {
        assert!(Cause::Deadline { waiting: false }.blames_policy());
        assert!(!Cause::Deadline { waiting: true }.blames_policy());
        assert!(!Cause::PoolExhausted.blames_policy());
        assert!(!Cause::Unavailable.blames_policy());
    }
}
