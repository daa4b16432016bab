//! `tidegate demo`: the real agent on a staging directory and a store that it makes, with faults to watch.

mod live;
mod scene;
mod timeline;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use self::live::Live;
use self::scene::{PARTS, Part, Scene};
use self::timeline::{Progress, play};
use super::output::{self, Paint, Table, Tone, tone};
use super::signals::told_to_stop;
use super::{CommandError, INTERNAL, SETTLED, environment, log};
use crate::agent::{Agent, Until};
use crate::config::Settings;
use crate::contract::Phase;
use crate::text::{counted, verb};
use crate::time::{Clock, SystemClock};

/// Watch the real agent at work.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Play in this directory, which must be empty or absent, and leave it there; else in a temporary one
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the temporary directory there
    #[arg(long)]
    keep: bool,
}

/// Where the demo plays.
enum Stage {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Stage {
    fn path(&self) -> &Path {
        match self {
            Stage::Temporary(dir) => dir.path(),
            Stage::Kept(path) => path,
        }
    }
}

impl Demo {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        log.start(None, "off")?;
        let stage = self.stage()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let scene = Scene::set(stage.path(), clock.now()).map_err(|error| {
            anyhow::Error::new(error)
                .context(format!("can't set the scene in {}", stage.path().display()))
        })?;
        output::print(&format!(
            "A node stages the schemas of {} streams, and tidegate keeps them in step with a store.\nBoth are directories in \
             {}.\n\n",
            PARTS.len(),
            stage.path().display()
        ))?;
        let progress = Arc::new(Progress::default());
        let completed = run_agent(&scene, &progress, clock).await?;
        let paint = Paint::stdout();
        let mut text = String::new();
        let astray = ended(&scene, &progress, paint, &mut text)?;
        text.push_str(&self.next(&stage, &scene));
        output::print(&text)?;
        Ok(code(astray, completed))
    }

    fn stage(&self) -> Result<Stage, CommandError> {
        let made = |error: std::io::Error, what: String| {
            anyhow::Error::new(error).context(format!("can't make {what}"))
        };
        let Some(dir) = &self.dir else {
            let dir = tempfile::Builder::new()
                .prefix("tidegate-demo-")
                .tempdir()
                .map_err(|error| made(error, "a temporary directory".to_owned()))?;
            return Ok(match self.keep {
                true => Stage::Kept(dir.keep()),
                false => Stage::Temporary(dir),
            });
        };
        let refused = |what| {
            let dir = dir.display();
            CommandError::Usage(format!(
                "{dir} {what}: name an empty directory or a new one"
            ))
        };
        match std::fs::read_dir(dir).map(Iterator::count) {
            Ok(1..) => return Err(refused("is not empty")),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(refused("is a file"));
            }
            _ => {}
        }
        std::fs::create_dir_all(dir).map_err(|error| made(error, dir.display().to_string()))?;
        Ok(Stage::Kept(dir.clone()))
    }

    /// Where to look next.
    fn next(&self, stage: &Stage, scene: &Scene) -> String {
        let Stage::Kept(_) = stage else {
            return "Look around in it: `tidegate demo --dir tidegate-demo` leaves everything there.\n\
                    Run your own: `tidegate check --config tidegate.toml --online`, then `tidegate run`.\n"
                .to_owned();
        };
        let config = scene.configuration();
        let config = config.display();
        format!(
            "Everything is still there. Look next at\n\
             \n  tidegate status --config {config}\
             \n  tidegate explain payments --config {config}\
             \n  tidegate explain metrics --config {config}\
             \n  tidegate run --config {config}\n"
        )
    }
}

/// Runs the agent while the timeline plays. False when the operator stopped it.
async fn run_agent(
    scene: &Scene,
    progress: &Arc<Progress>,
    clock: Arc<dyn Clock>,
) -> Result<bool, CommandError> {
    let (_, settings) = Settings::read(&scene.configuration(), &environment)?;
    let mut agent = Agent::open(&settings).await?;
    let live = Live::start(Arc::clone(&clock));
    let (shown, seen) = (live.clone(), Arc::clone(progress));
    agent.scheduler().observe(Box::new(move |id, outcome| {
        let Ok(outcome) = outcome else { return };
        let before = seen.of(&id.name).map(|seen| seen.phase);
        shown.attempt(id, &outcome, before);
        seen.saw(id, &outcome);
    }));
    let tell = |stream: &str, what: &str| live.node(stream, what);
    let mut played = None;
    let stop = async {
        tokio::select! {
            result = play(scene, progress, &clock, &tell) => played = Some(result),
            () = told_to_stop() => {}
        }
    };
    let ran = agent.run(Until::Told, stop).await;
    live.end();
    ran?;
    agent.close().await?;
    match played {
        Some(result) => result.map(|()| true).map_err(|error| {
            anyhow::Error::new(error)
                .context("can't play the node")
                .into()
        }),
        None => Ok(false),
    }
}

/// What the demo ends with: a stream that went astray fails it, and so does an operator who stopped it.
fn code(astray: usize, completed: bool) -> u8 {
    match astray == 0 && completed {
        true => SETTLED,
        false => INTERNAL,
    }
}

/// Tells how the streams ended, and counts those that ended otherwise than told.
fn ended(
    scene: &Scene,
    progress: &Progress,
    paint: Paint,
    text: &mut String,
) -> Result<usize, CommandError> {
    let mut table = Table::new(&["STREAM", "PHASE", "SCHEMA FROM", "WHAT HAPPENED"]);
    let mut astray = 0;
    for part in &PARTS {
        let Some(seen) = progress.of(part.stream) else {
            astray += 1;
            let cells = [
                part.stream,
                "unseen",
                "nowhere",
                "NOT AS IT SHOULD: the agent never saw it",
            ];
            table.row(cells.map(|cell| (Tone::Bad, cell.to_owned())).to_vec());
            continue;
        };
        let stored = scene
            .stored(part.stream)
            .map_err(|error| anyhow::Error::new(error).context("can't read the store"))?;
        let phase = (tone(seen.phase), seen.phase.to_string());
        if is_as_told(part, seen.phase, stored.as_deref()) {
            table.row(vec![
                (Tone::Plain, part.stream.to_owned()),
                phase,
                (Tone::Plain, part.from.to_owned()),
                (Tone::Faint, part.story.to_owned()),
            ]);
        } else {
            astray += 1;
            let why = seen.failure.map(|failure| format!(": {failure}"));
            table.row(vec![
                (Tone::Bad, part.stream.to_owned()),
                phase,
                (Tone::Plain, "–".to_owned()),
                (
                    Tone::Bad,
                    format!(
                        "NOT AS IT SHOULD (told: {}){}",
                        part.ends,
                        why.unwrap_or_default()
                    ),
                ),
            ]);
        }
    }
    text.push_str(&table.render(paint));
    let synced = PARTS
        .iter()
        .filter(|part| part.ends == Phase::Synced)
        .count();
    let verdict = match astray {
        0 => format!(
            "{} {} in step with the store. The others were kept from harm: nothing that is broken or contradicts\nanother \
             node was published.\n",
            counted(synced, "stream"),
            verb(&synced, "is", "are")
        ),
        _ => format!(
            "{} did not end as {} should.\n",
            counted(astray, "stream"),
            verb(&astray, "it", "they")
        ),
    };
    text.push_str(&format!("\n{verdict}\n"));
    Ok(astray)
}

fn is_as_told(part: &Part, phase: Phase, stored: Option<&[String]>) -> bool {
    phase == part.ends
        && match (part.stored, stored) {
            (Some(told), Some(stored)) => told
                .iter()
                .all(|field| stored.iter().any(|name| name == field)),
            (told, stored) => told.is_none() && stored.is_none(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_that_did_not_end_as_told_fail_the_demo() {
        let dir = tempfile::tempdir().unwrap();
        let scene = Scene::set(dir.path(), SystemClock::new().now()).unwrap();
        let mut text = String::new();
        let astray = ended(&scene, &Progress::default(), Paint::plain(), &mut text).unwrap();
        assert_eq!(astray, PARTS.len());
        assert!(text.contains("NOT AS IT SHOULD"), "{text}");
        assert!(
            text.contains("7 streams did not end as they should"),
            "{text}"
        );
        assert_eq!(code(astray, true), INTERNAL);
        assert_eq!(code(0, false), INTERNAL);
        assert_eq!(code(0, true), SETTLED);
    }
}
