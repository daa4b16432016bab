mod agent;
mod look;
mod report;
mod streams;

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::output::{self, Paint, Tone};
use super::select::Selection;
use super::{CommandError, Config, exit};
use agent::Agent;
pub(super) use look::changed;
pub(super) use report::{ConditionRow, condition};
use streams::{badness, table};

use crate::agent::{FirstLook, Verdict, recognize_offline};
use crate::config::Settings;
use crate::contract::Phase;
use crate::ledger::{LedgerReader, Meta, PolicyStatus, StreamFilter, StreamRecord, holder, room};
use crate::storage::Store;
use crate::text::counted;
use crate::time::{Clock, SystemClock, Timestamp, in_full};

/// How often `--watch` refreshes, unless it names an interval.
const REFRESH: &str = "2s";

/// Each refresh reads the whole ledger.
const REFRESH_MIN: Duration = Duration::from_millis(100);

/// Homes the cursor and clears the screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// The order of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// What needs attention first
    Worst,
    /// By tenant and name
    Name,
}

/// Show the state of streams.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Streams by name, tenant/name or glob; all when none is given
    #[arg(value_name = "STREAM")]
    streams: Vec<String>,
    #[command(flatten)]
    config: Config,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
    /// Only streams in this phase; may be given several times
    #[arg(long, value_name = "PHASE")]
    phase: Vec<Phase>,
    /// Only streams that are not settled
    #[arg(long)]
    unsettled: bool,
    /// The order of streams; by default the worst come first, and with `--json` they are in the order of their names
    #[arg(long, value_enum, value_name = "ORDER")]
    sort: Option<Sort>,
    /// Show it again and again, at this interval
    #[arg(
        long,
        value_name = "INTERVAL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = REFRESH,
        value_parser = interval
    )]
    watch: Option<Duration>,
}

/// What one look at the ledger shows.
struct View {
    meta: Meta,
    agent: Agent,
    /// The selected streams.
    records: Vec<StreamRecord>,
    policies: Vec<PolicyStatus>,
    /// Whether the configuration file differs from the one that the agent was started with.
    reconfigured: Option<bool>,
    /// Why no agent would work on this ledger with this configuration: it is about another store.
    other_store: Option<String>,
    /// Whether the ledger was adopted for this store and not compared with it yet.
    adopted: bool,
    /// How long the first look at new streams takes.
    ahead: Option<FirstLook>,
    now: Timestamp,
}

impl Status {
    pub(super) async fn run(self) -> Result<u8, CommandError> {
        let (_, settings) = self.config.read()?;
        let selection = Selection::parse(&self.streams)?;
        let Some(interval) = self.watch else {
            let view = View::read(&settings, &selection)?;
            output::print(&self.show(&view)?)?;
            return Ok(view.code());
        };
        let on_screen = std::io::stdout().is_terminal();
        loop {
            let view = View::read(&settings, &selection)?;
            let text = self.show(&view)?;
            let text = match on_screen {
                true => format!("{CLEAR}{text}"),
                // A blank line separates one look from the next.
                false => format!("{text}\n"),
            };
            let mut out = std::io::stdout().lock();
            match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
                // The reader has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(view.code()),
                written => written?,
            }
            drop(out);
            tokio::time::sleep(interval).await;
        }
    }

    fn show(&self, view: &View) -> Result<String, CommandError> {
        let mut shown: Vec<&StreamRecord> = view
            .records
            .iter()
            .filter(|record| self.phase.is_empty() || self.phase.contains(&record.phase))
            .filter(|record| !self.unsettled || !record.settled)
            .collect();
        let usual = if self.json { Sort::Name } else { Sort::Worst };
        if self.sort.unwrap_or(usual) == Sort::Worst {
            // The sort is stable: streams that are equally bad stay in the order of their names.
            shown.sort_by_key(|record| badness(record));
        }
        if self.json {
            let report = view.report(&shown);
            let text = match self.watch {
                Some(_) => serde_json::to_string(&report),
                None => serde_json::to_string_pretty(&report),
            };
            return Ok(format!("{}\n", text.map_err(anyhow::Error::new)?));
        }
        let paint = Paint::stdout();
        Ok(format!(
            "{}\n{}",
            view.head(paint),
            table(&shown, view.records.len(), &view.policies, view.now, paint)
        ))
    }
}

impl View {
    fn read(settings: &Settings, selection: &Selection) -> Result<Self, CommandError> {
        let path = &settings.ledger.path;
        let reader = LedgerReader::open(path)?;
        // The lock comes before the report: an agent that stops in between has reported that.
        let held = holder(path);
        let meta = reader.meta()?;
        let filter = StreamFilter {
            node: meta.node.clone(),
            ..StreamFilter::default()
        };
        let mut records = reader.streams(&filter)?;
        let (beat, policies) = (reader.heartbeat()?, reader.policies()?);
        let now = SystemClock::new().now();
        let reconfigured = beat
            .as_ref()
            .map(|beat| beat.configuration != settings.digest);
        let mut agent = Agent::judge(beat, held, room(path), now);
        if !agent.runs() {
            look::look(&mut agent, settings, meta.node.as_ref(), &records, now);
        }
        if let Some(pattern) = selection.unmatched(records.iter().map(|record| &record.stream)) {
            return Err(CommandError::Usage(format!(
                "the ledger knows no stream named `{pattern}`"
            )));
        }
        records.retain(|record| selection.takes(&record.stream));
        let ahead = FirstLook::at(agent.unjudged, settings);
        Ok(Self {
            meta,
            agent,
            records,
            policies,
            reconfigured,
            other_store: other_store(settings),
            adopted: reader.is_newly_adopted()?,
            ahead,
            now,
        })
    }

    /// The exit code. All selected streams count, even those that are not shown.
    fn code(&self) -> u8 {
        match self.other_store {
            Some(_) => exit::USAGE,
            None => self
                .agent
                .code(self.adopted || self.records.iter().any(|record| !record.settled)),
        }
    }

    /// The lines above the table: the node, the state of its agent, and what is wrong with them.
    fn head(&self, paint: Paint) -> String {
        let node = self
            .meta
            .node
            .as_ref()
            .map_or("unknown", |node| node.as_str());
        let store = self.meta.store.as_deref().unwrap_or_default();
        let mut text = format!(
            "node {node} · store {store}\n{}\n",
            self.agent.headline(self.now)
        );
        let problems = self.agent.problems(self.now);
        for problem in self.other_store.iter().chain(&problems) {
            text.push_str(&paint.paint(Tone::Bad, problem));
            text.push('\n');
        }
        if self.adopted {
            let line = "the ledger was adopted for this store, and what follows is about the former one until the agent, \
                        or `tidegate sync`, has compared every stream";
            text.push_str(&paint.paint(Tone::Doubtful, line));
            text.push('\n');
        }
        if self.agent.unjudged > 0 {
            let found = self.agent.beat.as_ref().map_or(0, |beat| beat.streams);
            let line = match self.agent.runs() {
                true => format!(
                    "{} of {} found in staging {} not judged yet",
                    self.agent.unjudged,
                    counted(found, "stream"),
                    if self.agent.unjudged == 1 {
                        "is"
                    } else {
                        "are"
                    }
                ),
                false => format!(
                    "{} changed in staging since the last look at {}",
                    counted(self.agent.unjudged, "stream"),
                    if self.agent.unjudged == 1 {
                        "it"
                    } else {
                        "them"
                    }
                ),
            };
            text.push_str(&paint.paint(Tone::Doubtful, &line));
            text.push('\n');
        }
        if let Some(ahead) = &self.ahead {
            text.push_str(&format!("{ahead}\n"));
        }
        if self.reconfigured == Some(true) && self.agent.runs() {
            let line = "the configuration file changed since the agent started: restart it to apply the changes";
            text.push_str(&paint.paint(Tone::Doubtful, line));
            text.push('\n');
        }
        text
    }
}

/// Why an agent with this configuration would refuse the ledger: it is about a store of another name. A store whose
/// settings are wrong is reported by `check`.
fn other_store(settings: &Settings) -> Option<String> {
    let store = Store::open(&settings.store, Arc::new(SystemClock::new())).ok()?;
    let recognition = recognize_offline(settings, &store).ok()??;
    let is_other = recognition.verdict() == Verdict::OtherName;
    let refusal = recognition.refusal(settings).filter(|_| is_other)?;
    Some(refusal.to_string())
}

/// How often `--watch` refreshes.
fn interval(text: &str) -> Result<Duration, String> {
    match crate::time::parse_duration(text)? {
        short if short < REFRESH_MIN => Err(format!(
            "`{text}` is too short: write at least {}",
            in_full(REFRESH_MIN)
        )),
        interval => Ok(interval),
    }
}
