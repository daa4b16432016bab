//! What is logged: `debug`, or `info,object_store=debug`.

use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};

/// Tidegate's own modules.
const OWN: &str = "tidegate";

/// Prefix of the part that sets the level of all other crates.
const ALL: &str = "all=";

/// The level of other crates, unless the filter names them: Cranelift alone writes a hundred thousand lines at `debug`.
const OTHERS: LevelFilter = LevelFilter::WARN;

/// Reads a filter: parts separated by commas. A bare level is tidegate's own, `TARGET=LEVEL` is that of a crate or
/// module, and `all=LEVEL` that of all other crates. `usual` is tidegate's level if there is no bare level.
pub(super) fn parse(text: &str, usual: &str) -> Result<Targets, ParseError> {
    let mut own = LevelFilter::from_str(usual).unwrap_or(LevelFilter::INFO);
    let mut others = None;
    let mut named = Vec::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if let Ok(level) = LevelFilter::from_str(part) {
            own = level;
        } else if let Some(level) = part.strip_prefix(ALL) {
            others = Some(LevelFilter::from_str(level)?);
        } else {
            named.push(part);
        }
    }
    let named: Targets = named.join(",").parse()?;
    Ok(Targets::new()
        .with_default(others.unwrap_or(own.min(OTHERS)))
        .with_target(OWN, own)
        .with_targets(named))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn logs(filter: &str, target: &str, level: Level) -> bool {
        parse(filter, "info").unwrap().would_enable(target, &level)
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
    fn levels_that_do_not_exist_are_refused() {
        for filter in ["debug,hyper=loud", "hyper=debug=trace"] {
            assert!(parse(filter, "info").is_err(), "{filter}");
        }
    }
}
