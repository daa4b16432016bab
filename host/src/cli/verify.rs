use std::collections::BTreeSet;

use clap::Args;
use object_store::path::Path;
use serde::Serialize;

use super::known::{self, Known};
use super::output::{self, Paint, Tone};
use super::place::located;
use super::select::Selection;
use super::{CommandError, Config, exit, log, status};
use crate::agent::{AgentError, Opening, open_parts};
use crate::config::Settings;
use crate::ledger::{Holder, LedgerReader, StreamFilter, holder};
use crate::stream::StreamId;
use crate::sync::Core;
use crate::sync::machine::Repair;
use crate::sync::verify::{Finding, Kind, Report, Scope, Severity, VerifyContext, repair, verify};
use crate::text::counted;

/// Where nothing is stored but the traces of checks.
const PROBED: &str = ".tidegate";

/// Check what the store holds against the ledger.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Streams by name, tenant/name or glob; all that the agent attends to when none is given
    #[arg(value_name = "STREAM")]
    streams: Vec<String>,
    #[command(flatten)]
    config: Config,
    /// Restore what is missing, corrupt or overwritten, with the guarantees of a sync; not beside a running agent
    #[arg(long)]
    repair: bool,
    /// Print JSON: a documented, versioned contract
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) async fn run(self, log: &log::Options) -> Result<u8, CommandError> {
        let (source, mut settings) = self.config.read()?;
        log.start(Some(&settings.log), "error")?;
        let selection = Selection::parse(&self.streams)?;
        if self.repair {
            allow_repairs(&mut settings);
        }
        let opening = Opening {
            rehearse: !self.repair,
            reports: false,
            ..Opening::default()
        };
        let agent = open_parts(&settings, opening)
            .await
            .map_err(|error| located(&source, &settings, error))?;
        let core = agent.core();
        let filter = StreamFilter {
            node: Some(core.node.clone()),
            ..StreamFilter::default()
        };
        let reader = LedgerReader::open(&settings.ledger.path)?;
        let records = reader.streams(&filter)?;
        if let Some(pattern) = selection.unmatched(records.iter().map(|record| &record.stream)) {
            return Err(CommandError::Usage(format!(
                "the ledger knows no stream named `{pattern}`"
            )));
        }
        let is_wanted =
            |stream: &StreamId| selection.takes(stream) && core.plan.of(stream).is_some();
        // Without them, a schema that was never published would count as verified.
        let mut staged = known::staged(&core.node, &settings).map_err(AgentError::from)?;
        staged.retain(is_wanted);
        let unpublished = status::changed(&settings, Some(&core.node), &records, is_wanted);
        let unpublished = unpublished.map_err(|(_, detail)| CommandError::Usage(detail))?;
        let recorded = records.into_iter().map(|record| record.stream);
        let streams: BTreeSet<_> = recorded
            .filter(is_wanted)
            .chain(staged.iter().cloned())
            .collect();
        let ledger_failed = |error| CommandError::Other(anyhow::Error::new(error));
        let context = VerifyContext::of(core);
        let mut report = verify(
            &context,
            streams.into_iter().collect(),
            Scope::WithPeers,
            &mut |_, _| {},
        )
        .await
        .map_err(ledger_failed)?;
        if !report.recognizes_a_stream() {
            report.store = doubt(core, &settings, &staged).await;
        }
        if self.repair && report.store.is_none() {
            repair(core, &mut report, &mut |_, _| {}).await;
        }
        // A condition of the agent that runs is one of the node: what it can't do is not done.
        let runs = !self.repair && matches!(holder(&settings.ledger.path), Holder::Held(_));
        let beat = reader.heartbeat()?.filter(|_| runs);
        let conditions = beat.map(|beat| beat.conditions);
        let conditions = conditions.unwrap_or_default();
        let of_node = exit::of_conditions(&conditions);
        let shown = Shown {
            report: &report,
            changed_in_staging: unpublished,
            conditions: conditions.iter().map(status::condition).collect(),
        };
        let text = if self.json {
            let mut text = serde_json::to_string_pretty(&shown).map_err(anyhow::Error::new)?;
            text.push('\n');
            text
        } else {
            shown.in_words(Paint::stdout())
        };
        drop(context);
        agent.close().await?;
        output::print(&text)?;
        let unreachable = |finding: &Finding| matches!(finding.kind, Kind::Unreachable { .. });
        Ok(match report.worst() {
            _ if report.store.is_some() => exit::STORE,
            Some(Severity::Error) if report.open().all(unreachable) => exit::STORE,
            worst => match of_node {
                Some(code) => code,
                None if worst == Some(Severity::Error) || unpublished > 0 => exit::UNSETTLED,
                None => exit::SETTLED,
            },
        })
    }
}

/// What is wrong with the store as a whole, where nothing was recognized in it. It is asked, whatever the ledger knows.
async fn doubt(core: &Core, settings: &Settings, staged: &[StreamId]) -> Option<String> {
    let known = known::ask(&core.store, &core.node, settings, staged).await;
    let failure = match known {
        Ok(Known::Some) => return None,
        Ok(Known::None(text)) => return Some(text),
        Ok(Known::NotAsked) => core.store.list(&Path::from(PROBED), 1).await.err()?,
        Err(failure) => failure,
    };
    Some(format!("the store can't be asked: {failure}"))
}

/// The command says so, whatever the configuration says about the agent.
fn allow_repairs(settings: &mut Settings) {
    settings.streams.rules.repair = Repair::All;
    for streams in settings
        .rules
        .iter_mut()
        .filter_map(|rule| rule.settings.as_mut())
    {
        streams.rules.repair = Repair::All;
    }
}

/// What is shown of a verification.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// Streams whose staged files changed since they were judged: what is there is not in the store yet.
    changed_in_staging: u64,
    /// What keeps the node from its work, if an agent runs.
    conditions: Vec<status::ConditionRow>,
}

impl Shown<'_> {
    fn in_words(&self, paint: Paint) -> String {
        let report = self.report;
        let mut text = String::new();
        let mut line = |tone, words: &str| {
            text.push_str(&paint.paint(tone, words));
            text.push('\n');
        };
        if let Some(trouble) = &report.store {
            line(Tone::Bad, trouble);
        }
        for condition in &self.conditions {
            line(Tone::Bad, &condition.to_string());
        }
        for finding in &report.findings {
            let tone = match finding.severity {
                Severity::Error => Tone::Bad,
                Severity::Warning => Tone::Doubtful,
                Severity::Info => Tone::Plain,
            };
            line(tone, &finding.to_string());
        }
        if self.changed_in_staging > 0 {
            let words = format!(
                "{} changed in staging since the last look: `tidegate sync`, or the agent, publishes what is there",
                counted(self.changed_in_staging, "stream")
            );
            line(Tone::Doubtful, &words);
        }
        text.push_str(&format!("{report}\n"));
        text
    }
}
