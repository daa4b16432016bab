//! The demo while it runs: a line a stream on a terminal, a line an event elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::scene::PARTS;
use crate::cli::output::{Paint, complain, tone};
use crate::contract::Phase;
use crate::stream::StreamId;
use crate::sync::{Event, Outcome};
use crate::time::Clock;

/// How often the marks in front of streams move.
const TICK: Duration = Duration::from_millis(120);

/// How much is told of an event, in characters.
const TOLD: usize = 160;

/// Live progress on stderr.
#[derive(Clone)]
pub(super) struct Live {
    clock: Arc<dyn Clock>,
    start: Duration,
    /// A bar a stream; none where stderr is no terminal.
    bars: BTreeMap<&'static str, ProgressBar>,
    paint: Paint,
}

impl Live {
    pub(super) fn start(clock: Arc<dyn Clock>) -> Self {
        use std::io::IsTerminal as _;
        let mut bars = BTreeMap::new();
        if std::io::stderr().is_terminal() {
            let all = MultiProgress::new();
            // The template is ours; a slip in it leaves the plain style.
            let style = ProgressStyle::with_template("{spinner} {prefix:9} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            for part in &PARTS {
                let bar = all.add(ProgressBar::new_spinner().with_style(style.clone()));
                bar.set_prefix(part.stream);
                bar.enable_steady_tick(TICK);
                bars.insert(part.stream, bar);
            }
        }
        Self {
            start: clock.monotonic(),
            clock,
            bars,
            paint: Paint::stderr(),
        }
    }

    /// An attempt ended.
    pub(super) fn attempt(&self, id: &StreamId, outcome: &Outcome, before: Option<Phase>) {
        let why = match &outcome.failure {
            Some(failure) => failure.to_string(),
            None => outcome
                .story
                .summary()
                .split_once(": ")
                .map(|(_, what)| what.to_owned())
                .unwrap_or_default(),
        };
        let phase = self
            .paint
            .paint(tone(outcome.phase), &format!("{:11}", outcome.phase.name()));
        let text = format!("{phase} {}", shortened(&why));
        match self.bars.get(&*id.name) {
            Some(bar) => bar.set_message(text),
            // Elsewhere only what is new is worth a line.
            None if before != Some(outcome.phase) || wrote(outcome) => self.line(&id.name, &text),
            None => {}
        }
    }

    /// The node did something.
    pub(super) fn node(&self, stream: &str, what: &str) {
        let text = format!("{:11} {what}", "→");
        match self.bars.get(stream) {
            Some(bar) => bar.set_message(text),
            None => self.line(stream, &text),
        }
    }

    fn line(&self, stream: &str, text: &str) {
        let elapsed = self.clock.monotonic().saturating_sub(self.start);
        complain(&format!(
            "{:5.1}s  {stream:9} {text}\n",
            elapsed.as_secs_f64()
        ));
    }

    /// Takes the bars away: the table says it all.
    pub(super) fn end(&self) {
        for bar in self.bars.values() {
            bar.finish_and_clear();
        }
    }
}

/// Whether the attempt put an object into the store.
fn wrote(outcome: &Outcome) -> bool {
    outcome.story.steps.iter().any(|step| {
        matches!(step, Event::Request { method, .. } if matches!(&**method, "CREATE" | "UPDATE"))
    })
}

fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}
