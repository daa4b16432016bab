use std::cell::RefCell;

/// The settings that `configure` left for the decisions after it: all that a bundled policy keeps in its instance, so
/// that fresh and reused instances answer alike.
///
/// Make it a `thread_local!`; a component has one thread.
#[derive(Debug)]
pub struct Configured<T>(RefCell<Option<T>>);

impl<T> Configured<T> {
    /// Nothing configured yet.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Keeps these settings, in place of any before.
    pub fn set(&self, settings: T) {
        *self.0.borrow_mut() = Some(settings);
    }

    /// Answers with the settings; an error when the host skipped `configure`, which the contract rules out.
    pub fn with<R>(&self, answer: impl FnOnce(&T) -> R) -> Result<R, String> {
        match &*self.0.borrow() {
            Some(settings) => Ok(answer(settings)),
            None => Err("asked for a verdict before `configure`".to_owned()),
        }
    }
}

impl<T> Default for Configured<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Generates a component's bindings for one of the contract's worlds over this crate's types, and implements its
/// `lifecycle` for a policy whose settings parse from JSON by `Settings::parse(&str) -> Result<_, Vec<Problem>>`.
///
/// Leaves `Policy` (to implement the role on), `exports`, and `settings(|settings| …)` in scope.
#[macro_export]
macro_rules! component {
    // `generate!` takes no `$crate`, so this crate goes by its name in there.
    (world: $world:literal, settings: $settings:ty, summary: $summary:expr, schema: $schema:expr $(,)?) => {
        wit_bindgen::generate!({
            path: "../../wit/0.1",
            world: $world,
            with: {
                "tidegate:policy/types@0.1.0": common::types,
                "tidegate:policy/object-reader@0.1.0": common::object_reader,
                "tidegate:policy/staging@0.1.0": common::staging,
                "tidegate:policy/state@0.1.0": common::state,
                "tidegate:policy/log@0.1.0": common::log,
            },
        });

        use exports::tidegate::policy::lifecycle;

        struct Policy;

        std::thread_local! {
            static SETTINGS: $crate::Configured<$settings> = const { $crate::Configured::new() };
        }

        fn settings<R>(answer: impl FnOnce(&$settings) -> R) -> Result<R, String> {
            SETTINGS.with(|configured| configured.with(answer))
        }

        impl lifecycle::Guest for Policy {
            fn describe() -> lifecycle::Description {
                lifecycle::Description {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    summary: $summary.to_owned(),
                    settings_schema: $schema.to_owned(),
                    metadata: vec![
                        ("licence".to_owned(), env!("CARGO_PKG_LICENSE").to_owned()),
                        ("repository".to_owned(), env!("CARGO_PKG_REPOSITORY").to_owned()),
                    ],
                }
            }

            fn configure(text: String) -> Result<(), Vec<lifecycle::SettingsProblem>> {
                let parsed = <$settings>::parse(&text).map_err(|problems| {
                    problems
                        .into_iter()
                        .map(|problem| lifecycle::SettingsProblem {
                            pointer: problem.pointer,
                            message: problem.message,
                        })
                        .collect::<Vec<_>>()
                })?;
                SETTINGS.with(|configured| configured.set(parsed));
                Ok(())
            }
        }

        export!(Policy);
    };
}

#[cfg(test)]
mod tests {
    use super::Configured;

    #[test]
    fn the_latest_settings_count_and_none_is_an_error() {
        let configured = Configured::new();
        assert!(configured.with(|n: &u32| *n).is_err());
        configured.set(1);
        configured.set(2);
        assert_eq!(configured.with(|n| *n), Ok(2));
    }
}
