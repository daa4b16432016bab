//! One grammar of durations: the host's and the policies' agree.

use anyhow::{Context, Result, ensure};
use tidegate_tests::place::Place;

use crate::USAGE;

/// Texts that are durations, and texts that are not.
const DURATIONS: [(&str, bool); 9] = [
    ("250ms", true),
    ("1m 30s", true),
    ("30s 1m", true),
    ("2m", true),
    ("1.5s", false),
    ("1min", false),
    ("30 s", false),
    ("30", false),
    ("1M", false),
];

#[test]
fn configurations_and_policies_settings_read_the_same_durations() -> Result<()> {
    let place = Place::new()?;
    for (text, is_duration) in DURATIONS {
        place.configure(&format!("[sync]\nrecheck_interval = \"{text}\"\n"))?;
        let configuration = place.run(&["check"])?;
        place.configure(&format!(
            "[policies.other]\ncomponent = \"builtin:presence\"\nsettings = {{ settle = \"{text}\" }}\n\
             [sync]\nexistence = [\"other\"]\n"
        ))?;
        let policy = place.run(&["check"])?;
        ensure!(
            (configuration.code == Some(0)) == is_duration,
            "{text}: {configuration:#?}"
        );
        ensure!(
            (policy.code == Some(0)) == is_duration,
            "{text}: {policy:#?}"
        );
    }
    Ok(())
}

#[test]
fn durations_on_the_command_line_are_those_of_the_configuration() -> Result<()> {
    let place = Place::new()?;
    for text in ["1.5s", "1min", "soon"] {
        let ran = place.run(&["run", "--for", text])?;
        ensure!(ran.code == Some(USAGE), "{ran:#?}");
        let line = ran.stderr.lines().next().context("nothing is said")?;
        ensure!(line.contains("is not a valid duration"), "{line}");
    }
    let ran = place.run(&["run", "--for", "1s 10ms", "--until-settled"])?;
    ensure!(ran.code == Some(0), "{ran:#?}");
    Ok(())
}
