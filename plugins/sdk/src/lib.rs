//! Write sync policies for Tidegate.
//!
//! A policy is a type: its fields are the settings that an operator writes, its methods are the verdicts. It implements
//! [`Policy`] and one, two or three roles ([`Existence`], [`Fallback`], [`Retry`]), and [`export!`] makes a component
//! of it.
//!
//! ```
//! use tidegate_policy::{Decision, Facts, Failure, Host, Policy, Result, Retry, Span};
//!
//! /// Tries again after the same delay, always.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
//! struct Steady {
//!     /// The delay.
//!     delay: Span,
//! }
//!
//! impl Default for Steady {
//!     fn default() -> Self {
//!         Self { delay: Span::secs(30) }
//!     }
//! }
//!
//! impl Policy for Steady {}
//!
//! impl Retry for Steady {
//!     fn decide(&self, facts: &Facts, _: &Failure, _: &impl Host) -> Result<Decision> {
//!         // Streams that failed together must not come back together.
//!         let half = self.delay / 2;
//!         Ok(Decision::After(facts.entropy.between(half, self.delay)))
//!     }
//! }
//!
//! tidegate_policy::export!(Steady: Retry);
//! ```
//!
//! What a policy reads of the world comes through [`Host`], so that the same code runs in a plain `#[test]`:
//!
//! ```
//! # use tidegate_policy::{Decision, Facts, Failure, Host, Policy, Result, Retry, Span};
//! # #[derive(serde::Deserialize, schemars::JsonSchema)]
//! # #[serde(default)]
//! # struct Steady { delay: Span }
//! # impl Default for Steady { fn default() -> Self { Self { delay: Span::secs(30) } } }
//! # impl Policy for Steady {}
//! # impl Retry for Steady {
//! #     fn decide(&self, facts: &Facts, _: &Failure, _: &impl Host) -> Result<Decision> {
//! #         Ok(Decision::After(facts.entropy.between(self.delay / 2, self.delay)))
//! #     }
//! # }
//! use tidegate_policy::testing::{self, FakeHost};
//!
//! # fn main() -> Result<()> {
//! let policy: Steady = testing::settings(r#"{ "delay": "1m" }"#);
//! let failure = Failure::Other("no luck".to_owned());
//! let verdict = policy.decide(&testing::facts(), &failure, &FakeHost::new())?;
//! assert!(matches!(verdict, Decision::After(delay) if delay >= Span::secs(30)));
//! # Ok(())
//! # }
//! ```
//!
//! # Settings
//!
//! They are read by serde, and `describe` shows their JSON Schema, which schemars derives from the same type: doc
//! comments become descriptions, defaults become defaults. `#[serde(default, deny_unknown_fields)]` on the type makes
//! every key optional and tells of a key that is misspelt. Everything that is wrong is told at once, each with its
//! place.
//!
//! # What an instance may remember
//!
//! Nothing but its settings: the host may throw an instance away after every decision. What a policy wants to remember
//! belongs into [`Host::load`] and [`Host::swap`].

mod bindings;
mod entropy;
mod error;
mod facts;
mod failure;
#[cfg(target_family = "wasm")]
mod heap;
mod host;
mod imports;
mod policy;
mod settings;
mod span;
mod timestamp;
mod verdict;

#[doc(hidden)]
pub mod component;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use entropy::Entropy;
pub use error::{Error, Result};
pub use facts::{
    Facts, LocalFile, LocalState, ObjectInfo, Phase, RemoteInfo, RemoteState, StoreHealth, Trigger,
};
pub use failure::{Failure, FailureKind, StoreFailure};
pub use host::{
    Host, Level, ObjectContent, ObjectEntry, ObjectPage, Objects, ReadError, Scope, StagedFile,
    StagingError, StateError, WriteError, WriteMode,
};
pub use policy::{Existence, Fallback, Policy, Retry, Settings};
pub use settings::{Problem, Problems};
pub use span::Span;
pub use timestamp::Timestamp;
pub use verdict::{Choice, Decision, Presence};

// What `export!` writes into a policy's crate needs these by name.
#[doc(hidden)]
pub use bindings::{existence, fallback, lifecycle, retry};
