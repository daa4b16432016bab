use clap::Args;

use super::output::{self, Paint, Tone};
use super::place::located;
use super::select::Selection;
use super::{CommandError, Config, exit, log};
use crate::agent::{Opening, open_parts};
use crate::config::Settings;
use crate::ledger::{LedgerReader, StreamFilter};
use crate::sync::machine::Repair;
use crate::sync::verify::{Finding, Kind, Report, Scope, Severity, VerifyContext, repair, verify};

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
        let records = LedgerReader::open(&settings.ledger.path)?.streams(&filter)?;
        if let Some(pattern) = selection.unmatched(records.iter().map(|record| &record.stream)) {
            return Err(CommandError::Usage(format!(
                "the ledger knows no stream named `{pattern}`"
            )));
        }
        let streams = records
            .into_iter()
            .map(|record| record.stream)
            .filter(|stream| selection.takes(stream) && core.plan.of(stream).is_some());
        let ledger_failed = |error| CommandError::Other(anyhow::Error::new(error));
        let context = VerifyContext::of(core);
        let mut report = verify(
            &context,
            streams.collect(),
            Scope::WithPeers,
            &mut |_, _| {},
        )
        .await
        .map_err(ledger_failed)?;
        if self.repair {
            repair(core, &mut report, &mut |_, _| {}).await;
        }
        let text = if self.json {
            let mut text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::new)?;
            text.push('\n');
            text
        } else {
            in_words(&report, Paint::stdout())
        };
        drop(context);
        agent.close().await?;
        output::print(&text)?;
        let unreachable = |finding: &Finding| matches!(finding.kind, Kind::Unreachable { .. });
        Ok(match report.worst() {
            Some(Severity::Error) if report.open().all(unreachable) => exit::STORE,
            Some(Severity::Error) => exit::UNSETTLED,
            _ => exit::SETTLED,
        })
    }
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

fn in_words(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let tone = match finding.severity {
            Severity::Error => Tone::Bad,
            Severity::Warning => Tone::Doubtful,
            Severity::Info => Tone::Plain,
        };
        text.push_str(&paint.paint(tone, &finding.to_string()));
        text.push('\n');
    }
    text.push_str(&format!("{report}\n"));
    text
}
