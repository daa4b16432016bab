//! What is logged: `debug`, or `info,object_store=debug`.

use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::source::suggest;

/// Tidegate's own modules.
const OWN: &str = "tidegate";

/// What stands for all other crates.
const ALL: &str = "all";

/// The level of other crates, unless the filter names them: Cranelift alone writes a hundred thousand lines at `debug`.
const OTHERS: LevelFilter = LevelFilter::WARN;

/// A dependency that logs each rejected certificate as an error, which is reported where the connection is made.
const VERIFIER: &str = "rustls_platform_verifier";

/// The levels by name.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Why a filter can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// A part that is neither a level nor a target with one.
    #[error("`{0}` is not a level: {hint}; the level of one crate is written `CRATE=LEVEL`", hint = suggest(.0, LEVELS.into_iter()))]
    Word(String),
    /// The level of a target.
    #[error("`{level}` in `{part}` is not a level: {hint}", hint = suggest(.level, LEVELS.into_iter()))]
    Level {
        /// The part of the filter.
        part: String,
        /// What is written for the level.
        level: String,
    },
    /// The name of a target.
    #[error(
        "`{target}` in `{part}` is not the name of a crate or module, such as `object_store` or `tidegate::sync`"
    )]
    Target {
        /// The part of the filter.
        part: String,
        /// What is written for the name.
        target: String,
    },
}

/// Reads a filter: parts separated by commas. A bare level is tidegate's own, `TARGET=LEVEL` is that of a crate or
/// module, and `all=LEVEL` that of all other crates. `usual` is tidegate's level if there is no bare level.
///
/// # Errors
///
/// A part is neither. Most libraries take a bare word for the name of a crate; here it is more likely a level with a
/// typo, which would silently log less than was asked for.
pub fn log_filter(text: &str, usual: &str) -> Result<Targets, BadFilter> {
    let mut own = LevelFilter::from_str(usual).unwrap_or(LevelFilter::INFO);
    let mut others = None;
    let mut named = Vec::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let Some((target, level)) = part.split_once('=') else {
            own = level_of(part).ok_or_else(|| BadFilter::Word(part.to_owned()))?;
            continue;
        };
        let level = level_of(level).ok_or_else(|| BadFilter::Level {
            part: part.to_owned(),
            level: level.to_owned(),
        })?;
        match target {
            ALL => others = Some(level),
            target if is_target(target) => named.push((target.to_owned(), level)),
            target => {
                return Err(BadFilter::Target {
                    part: part.to_owned(),
                    target: target.to_owned(),
                });
            }
        }
    }
    Ok(Targets::new()
        .with_default(others.unwrap_or(own.min(OTHERS)))
        .with_target(OWN, own)
        .with_target(VERIFIER, others.unwrap_or(LevelFilter::OFF))
        .with_targets(named))
}

/// The level of this name. The parser itself takes an empty text for `error`.
fn level_of(text: &str) -> Option<LevelFilter> {
    LevelFilter::from_str(text)
        .ok()
        .filter(|_| !text.is_empty())
}

fn is_target(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    text.split("::").all(is_name)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn logs(filter: &str, target: &str, level: Level) -> bool {
        log_filter(filter, "info")
            .unwrap()
            .would_enable(target, &level)
    }

    #[test]
    fn a_level_alone_is_for_tidegate_and_leaves_other_crates_at_warnings() {
        for level in ["debug", "trace"] {
            assert!(logs(level, "tidegate::sync", Level::DEBUG));
            assert!(!logs(level, "cranelift_codegen::timing", Level::INFO));
            assert!(logs(level, "object_store", Level::WARN));
        }
        assert!(!logs("error", "object_store", Level::WARN));
        assert!(!logs("off", "tidegate", Level::ERROR) && !logs("off", "hyper", Level::ERROR));
    }

    #[test]
    fn other_crates_and_modules_are_asked_for_by_name() {
        let filter = "debug,object_store=trace,tidegate::sync=warn";
        assert!(logs(filter, "object_store::client", Level::TRACE));
        assert!(!logs(filter, "hyper", Level::INFO));
        assert!(logs(filter, "tidegate::agent", Level::DEBUG));
        assert!(!logs(filter, "tidegate::sync::attempt", Level::INFO));
        assert!(
            logs("hyper=debug", "tidegate", Level::INFO),
            "the usual level stays"
        );
        assert!(logs("info,all=debug", "cranelift_codegen", Level::DEBUG));
    }

    #[test]
    fn the_verifier_of_certificates_is_silent_unless_it_is_asked_for() {
        let target = "rustls_platform_verifier::verification::others";
        for filter in ["info", "trace", "object_store=debug"] {
            assert!(!logs(filter, target, Level::ERROR), "{filter}");
        }
        for filter in ["info,all=error", "rustls_platform_verifier=error"] {
            assert!(logs(filter, target, Level::ERROR), "{filter}");
        }
    }

    #[test]
    fn levels_that_do_not_exist_are_refused_with_what_was_meant() {
        for (filter, told) in [
            ("loud", "`loud` is not a level: expected one of error, warn"),
            ("inf", "did you mean `info`?"),
            ("warning", "did you mean `warn`?"),
            (
                "info,debgu",
                "`debgu` is not a level: did you mean `debug`?",
            ),
            ("hyper", "written `CRATE=LEVEL`"),
            ("debug,hyper=loud", "`loud` in `hyper=loud` is not a level"),
            ("hyper=debug=trace", "`debug=trace` in"),
            ("hyper=", "`` in `hyper=` is not a level"),
            ("all=", "`` in `all=` is not a level"),
            ("=debug", "`` in `=debug` is not the name"),
            ("hy per=debug", "`hy per` in `hy per=debug` is not the name"),
        ] {
            let error = log_filter(filter, "info").unwrap_err().to_string();
            assert!(error.contains(told), "{filter}: {error}");
        }
        for filter in ["", "INFO", "off", "warn, hyper=debug"] {
            assert!(log_filter(filter, "info").is_ok(), "{filter}");
        }
    }
}
