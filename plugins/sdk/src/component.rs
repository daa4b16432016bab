//! What [`export!`](crate::export) makes a component of. Nothing here is for policies themselves.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::existence::exports::tidegate::policy::existence;
use crate::bindings::fallback::exports::tidegate::policy::fallback;
use crate::bindings::lifecycle::exports::tidegate::policy::lifecycle;
use crate::bindings::retry::exports::tidegate::policy::retry;
use crate::bindings::{log, types};
use crate::imports::Imports;
use crate::{Existence, Fallback, Policy, Result, Retry, settings};

/// What a policy's package says about itself, from the environment in which cargo compiles it.
pub trait Package {
    /// Its name.
    const NAME: &'static str;
    /// Its version.
    const VERSION: &'static str;
    /// Its description, in a sentence.
    const SUMMARY: &'static str;
    /// What else there is, by name; empty values are left out.
    const METADATA: &'static [(&'static str, &'static str)];
}

/// The component of a policy.
pub struct Component<P>(PhantomData<P>);

thread_local! {
    /// The policy that `configure` made of the settings. A component has one thread.
    static CONFIGURED: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

fn ask<P: Policy, T>(question: impl FnOnce(&P) -> Result<T>) -> Result<T, String> {
    CONFIGURED.with_borrow(|policy| {
        let policy = policy.as_ref().and_then(|policy| policy.downcast_ref());
        let policy = policy.ok_or("asked for a verdict before `configure`")?;
        question(policy).map_err(|error| error.to_string())
    })
}

impl<P: Policy + Package> lifecycle::Guest for Component<P> {
    fn describe() -> lifecycle::Description {
        let metadata = P::METADATA.iter().filter(|(_, value)| !value.is_empty());
        lifecycle::Description {
            name: P::NAME.to_owned(),
            version: P::VERSION.to_owned(),
            summary: P::SUMMARY.to_owned(),
            settings_schema: settings::schema::<P>(),
            metadata: metadata
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    fn configure(text: String) -> Result<(), Vec<lifecycle::SettingsProblem>> {
        std::panic::set_hook(Box::new(|panic| {
            // A trap says nothing of what was wrong.
            log::write(log::Level::Error, &panic.to_string());
        }));
        let policy = settings::parse::<P>(&text).map_err(|problems| {
            let told = |problem: settings::Problem| lifecycle::SettingsProblem {
                pointer: problem.pointer,
                message: problem.message,
            };
            problems.into_iter().map(told).collect::<Vec<_>>()
        })?;
        CONFIGURED.set(Some(Box::new(policy)));
        Ok(())
    }
}

impl<P: Existence> existence::Guest for Component<P> {
    fn check(facts: types::StreamFacts) -> Result<existence::Presence, String> {
        ask(|policy: &P| Ok(policy.check(&facts.into(), &Imports)?.into()))
    }
}

impl<P: Fallback> fallback::Guest for Component<P> {
    fn choose(facts: types::StreamFacts, reason: String) -> Result<fallback::Choice, String> {
        ask(|policy: &P| Ok(policy.choose(&facts.into(), &reason, &Imports)?.into()))
    }
}

impl<P: Retry> retry::Guest for Component<P> {
    fn decide(
        facts: types::StreamFacts,
        failure: types::Failure,
    ) -> Result<retry::Decision, String> {
        ask(|policy: &P| {
            Ok(policy
                .decide(&facts.into(), &failure.into(), &Imports)?
                .into())
        })
    }
}

/// Makes a component of a policy that fills these roles: `export!(MyPolicy: Existence, Retry)`.
///
/// It says of itself what the package's manifest says: name, version, description (one sentence for people who choose
/// a policy), licence, authors, homepage and repository.
///
/// Outside of WebAssembly it makes nothing, and checks the same.
#[macro_export]
macro_rules! export {
    ($policy:ident: $($role:ident),+ $(,)?) => {
        const _: () = {
            impl $crate::component::Package for $policy {
                const NAME: &'static str = ::core::env!("CARGO_PKG_NAME");
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
                const SUMMARY: &'static str = ::core::env!("CARGO_PKG_DESCRIPTION");
                const METADATA: &'static [(&'static str, &'static str)] = &[
                    ("authors", ::core::env!("CARGO_PKG_AUTHORS")),
                    ("licence", ::core::env!("CARGO_PKG_LICENSE")),
                    ("homepage", ::core::env!("CARGO_PKG_HOMEPAGE")),
                    ("repository", ::core::env!("CARGO_PKG_REPOSITORY")),
                ];
            }

            $($crate::__fills!($role, $policy);)+

            #[cfg(target_family = "wasm")]
            mod component {
                type Component = $crate::component::Component<super::$policy>;
                $crate::lifecycle::export_lifecycle!(Component with_types_in $crate::lifecycle);
                $($crate::__export!($role, Component);)+
            }
        };
    };
    ($policy:ident $(:)?) => {
        ::core::compile_error!(
            "name the roles that the policy fills: `export!(MyPolicy: Existence, Fallback, Retry)`, or some of them"
        );
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __fills {
    (Existence, $policy:ident) => {
        const _: fn() = {
            fn fills<P: $crate::Existence>() {}
            fills::<$policy>
        };
    };
    (Fallback, $policy:ident) => {
        const _: fn() = {
            fn fills<P: $crate::Fallback>() {}
            fills::<$policy>
        };
    };
    (Retry, $policy:ident) => {
        const _: fn() = {
            fn fills<P: $crate::Retry>() {}
            fills::<$policy>
        };
    };
    ($other:ident, $policy:ident) => {
        ::core::compile_error!(::core::concat!(
            "`",
            ::core::stringify!($other),
            "` is no role; the roles are `Existence`, `Fallback` and `Retry`"
        ));
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    (Existence, $component:ident) => {
        $crate::existence::export_existence!($component with_types_in $crate::existence);
    };
    (Fallback, $component:ident) => {
        $crate::fallback::export_fallback!($component with_types_in $crate::fallback);
    };
    (Retry, $component:ident) => {
        $crate::retry::export_retry!($component with_types_in $crate::retry);
    };
    ($other:ident, $component:ident) => {};
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::lifecycle::Guest as _;
    use super::*;
    use crate::Span;

    /// Waits as long as it is told.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Steady {
        delay: Span,
    }

    impl Policy for Steady {}

    impl Package for Steady {
        const NAME: &'static str = "steady";
        const VERSION: &'static str = "1.2.3";
        const SUMMARY: &'static str = "Waits.";
        const METADATA: &'static [(&'static str, &'static str)] =
            &[("authors", ""), ("licence", "MIT")];
    }

    #[test]
    fn a_component_describes_its_package_and_its_settings() {
        let told = Component::<Steady>::describe();
        assert_eq!(
            (told.name.as_str(), told.version.as_str()),
            ("steady", "1.2.3")
        );
        assert_eq!(told.metadata, [("licence".to_owned(), "MIT".to_owned())]);
        assert!(told.settings_schema.contains("\"delay\""));
    }

    #[test]
    fn the_latest_settings_count_and_none_is_an_error() {
        let ask = || ask(|policy: &Steady| Ok(policy.delay));
        assert!(ask().unwrap_err().contains("before `configure`"));
        // The hook that logs a panic is for components, where nothing else would tell of it.
        let configure = |text| {
            settings::parse::<Steady>(text).map(|policy| CONFIGURED.set(Some(Box::new(policy))))
        };
        configure(r#"{"delay": "1s"}"#).unwrap();
        configure(r#"{"delay": "2s"}"#).unwrap();
        assert_eq!(ask(), Ok(Span::secs(2)));
    }
}
