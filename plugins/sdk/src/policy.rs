use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Choice, Decision, Facts, Failure, Host, Presence, Problems, Result};

/// A policy: a type whose fields are the settings that an operator writes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no policy",
    label = "not a policy",
    note = "write `impl Policy for {Self} {{}}`"
)]
pub trait Policy: Settings {
    /// Tells what is wrong with settings whose types are right: a value out of range, two that don't go together. They
    /// are refused as long as anything is told here.
    fn validate(&self, problems: &mut Problems) {
        let _ = problems;
    }
}

/// What can be read as settings, and described: any type that derives `serde::Deserialize` and `schemars::JsonSchema`.
pub trait Settings: DeserializeOwned + JsonSchema + 'static {}

impl<T: DeserializeOwned + JsonSchema + 'static> Settings for T {}

/// Role: is the stream's schema there, and if not, should it be?
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not fill the role `Existence`",
    label = "no `impl Existence for {Self}`",
    note = "implement `tidegate_policy::Existence`, or leave `Existence` out of `export!`"
)]
pub trait Existence: Policy {
    /// Called when something changed in staging, when a delay is over, or when an operator asks; never for a stream
    /// that is gone or whose staged schema the store is known to hold.
    ///
    /// # Errors
    ///
    /// Leave the stream to the host's default, and are reported.
    fn check(&self, facts: &Facts, host: &impl Host) -> Result<Presence>;
}

/// Role: what is published for a stream whose schema is absent?
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not fill the role `Fallback`",
    label = "no `impl Fallback for {Self}`",
    note = "implement `tidegate_policy::Fallback`, or leave `Fallback` out of `export!`"
)]
pub trait Fallback: Policy {
    /// Called each time an existence policy says `absent`, with its reason.
    ///
    /// # Errors
    ///
    /// Publish nothing this time, and are reported.
    fn choose(&self, facts: &Facts, reason: &str, host: &impl Host) -> Result<Choice>;
}

/// Role: an attempt failed; when is the next one?
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not fill the role `Retry`",
    label = "no `impl Retry for {Self}`",
    note = "implement `tidegate_policy::Retry`, or leave `Retry` out of `export!`"
)]
pub trait Retry: Policy {
    /// Called after a failed attempt, and after one that found the schema absent and placed no fallback.
    ///
    /// # Errors
    ///
    /// Leave the delay to the host's default, and are reported.
    fn decide(&self, facts: &Facts, failure: &Failure, host: &impl Host) -> Result<Decision>;
}
