use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::output::{self, Paint, Table, Tone};
use super::place::located;
use super::{CommandError, Config, SETTLED, STORE};
use crate::agent::{Finding, Recognition, recognize};
use crate::ledger::{LedgerReader, RecoverReport, adopt, recover};
use crate::storage::Store;
use crate::text::counted;
use crate::time::{Clock, SystemClock};

/// Look after the ledger.
#[derive(Debug, Args)]
pub(super) struct Ledger {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Save what can be read of a damaged ledger into a new file
    ///
    /// Reads the ledger that the configuration names, row by row, and leaves out what makes no sense. The damaged one
    /// is never touched: read the report, stop the agent, then put the new file in its place.
    #[command(
        after_help = "Exit codes: 0 a new ledger was made, 2 configuration, or there is nothing to save."
    )]
    Recover(Recover),
    /// Use the ledger for the configured store, though it was made for another one
    ///
    /// For a store whose bucket, prefix or server has another name than before and holds the same objects. A new address
    /// of the same store needs no adoption: the agent recognizes it by what the store holds. Shows both stores and what
    /// the configured one holds of the streams that the ledger knows. Changes nothing without `--yes`; afterwards the
    /// agent compares every stream with the store.
    #[command(
        after_help = "Exit codes: 0 shown or adopted, 1 internal, 2 configuration or no ledger, 4 the store does not answer."
    )]
    Adopt(Adopt),
}

/// Use the ledger for another store.
#[derive(Debug, Args)]
struct Adopt {
    #[command(flatten)]
    config: Config,
    /// Write it into the ledger
    #[arg(long)]
    yes: bool,
}

/// Save what can be read.
#[derive(Debug, Args)]
struct Recover {
    #[command(flatten)]
    config: Config,
    /// The new ledger; by default the old one's name with `.recovered` appended
    #[arg(long, value_name = "PATH")]
    into: Option<PathBuf>,
}

impl Ledger {
    pub(super) async fn run(self) -> Result<u8, CommandError> {
        match self.command {
            Command::Recover(recover) => recover.run(),
            Command::Adopt(adopt) => adopt.run().await,
        }
    }
}

impl Adopt {
    async fn run(self) -> Result<u8, CommandError> {
        let (source, settings) = self.config.read()?;
        let path = &settings.ledger.path;
        // Reports what is wrong with the ledger, if anything is.
        drop(LedgerReader::open(path)?);
        let store = Store::open(&settings.store, Arc::new(SystemClock::new()))
            .map_err(|error| located(&source, &settings, error.into()))?;
        let Some(found) = recognize(&settings, &store, true).await? else {
            let text = format!(
                "the ledger {} is about the store {} already: there is nothing to adopt\n",
                path.display(),
                store.id()
            );
            output::print(&text)?;
            return Ok(SETTLED);
        };
        let mut text = compared(&found, Paint::stdout());
        let failed = found.count(|finding| matches!(finding, Finding::Failed(_)));
        let code = if failed > 0 {
            text.push_str("\nnothing was changed, since the store did not answer: see above\n");
            STORE
        } else if self.yes {
            adopt(path, &found.recorded, &found.configured)?;
            text.push_str(
                "\nadopted: the ledger is about the configured store now; start the agent, which compares every stream \
                 with it\n",
            );
            SETTLED
        } else {
            text.push_str(
                "\nnothing was changed: to use the ledger for the configured store, stop the agent and run this with \
                 `--yes`\n",
            );
            SETTLED
        };
        output::print(&text)?;
        Ok(code)
    }
}

/// Both stores, what was compared, and what that means.
fn compared(found: &Recognition, paint: Paint) -> String {
    let mut text = format!(
        "the ledger's store   {}\nthe configured one   {}\n\n",
        found.recorded, found.configured
    );
    if !found.compared.is_empty() {
        let mut table = Table::new(&["STREAM", "OBJECT", "IN THE CONFIGURED STORE"]);
        for compared in &found.compared {
            let finding = &compared.finding;
            let tone = match (finding.is_proof(), finding.is_contradiction()) {
                (true, _) => Tone::Good,
                (_, true) => Tone::Bad,
                _ => Tone::Doubtful,
            };
            table.row(vec![
                (Tone::Plain, compared.stream.to_string()),
                (Tone::Plain, compared.key.clone()),
                (tone, finding.to_string()),
            ]);
        }
        text.push_str(&table.render(paint));
        text.push('\n');
    }
    let (proofs, contradictions) = (
        found.count(Finding::is_proof),
        found.count(Finding::is_contradiction),
    );
    let (tone, verdict) = match (found.claims, proofs, contradictions) {
        (0, _, _) => (
            Tone::Good,
            "the ledger knows nothing of its store, so it can be used for any".to_owned(),
        ),
        (_, 0, 0) => (
            Tone::Doubtful,
            "nothing shows that the stores hold the same objects".to_owned(),
        ),
        (_, _, 0) => (
            Tone::Good,
            "the configured store holds what the ledger knows".to_owned(),
        ),
        (_, _, contradictions) => (
            Tone::Bad,
            format!(
                "compared streams that are missing or differ: {contradictions} of {}; after an adoption the agent takes \
                 a stream without its marker for a deleted one, and a missing schema for a lost one",
                found.compared.len()
            ),
        ),
    };
    text.push_str(&paint.paint(tone, &verdict));
    text.push('\n');
    text
}

impl Recover {
    fn run(self) -> Result<u8, CommandError> {
        let (_, settings) = self.config.read()?;
        let path = settings.ledger.path;
        let into = self.into.unwrap_or_else(|| {
            let mut name = path.clone().into_os_string();
            name.push(".recovered");
            name.into()
        });
        let report = recover(&path, &into, SystemClock::new().now())?;
        let mut text = told(&report, Paint::stdout());
        // Writing into a String can't fail.
        let _ = write!(
            text,
            "\n{} was not touched. To go on with what was saved, stop the agent, then\n\n",
            path.display()
        );
        for end in ["", "-wal", "-shm"] {
            let mut old = path.clone().into_os_string();
            old.push(end);
            let old = PathBuf::from(old);
            if old.exists() {
                let path = path.display();
                let _ = writeln!(text, "  mv {} {path}.damaged{end}", old.display());
            }
        }
        let _ = writeln!(text, "  mv {} {}", into.display(), path.display());
        output::print(&text)?;
        Ok(SETTLED)
    }
}

/// What was saved, table by table, and what that means.
fn told(report: &RecoverReport, paint: Paint) -> String {
    let mut table = Table::new(&["TABLE", "ROWS SAVED", "UNREADABLE PLACES", "ROWS REFUSED"]);
    for part in &report.tables {
        let tone = match part.gaps + part.refused {
            0 => Tone::Plain,
            _ => Tone::Doubtful,
        };
        table.row(vec![
            (tone, part.table.to_owned()),
            (tone, part.rows.to_string()),
            (tone, part.gaps.to_string()),
            (tone, part.refused.to_string()),
        ]);
    }
    let mut text = format!("{}\n", table.render(paint));
    let verdict = match report.is_complete() {
        true => (Tone::Good, "every row was saved".to_owned()),
        false => (
            Tone::Doubtful,
            format!(
                "some rows are lost, and {} that streams named; the agent looks at the store again for what it no longer \
                 knows",
                counted(report.documents_missing, "schema")
            ),
        ),
    };
    text.push_str(&paint.paint(verdict.0, &verdict.1));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::TableReport;

    #[test]
    fn losses_are_told_and_nothing_lost_is_told_too() {
        let part = |gaps| TableReport {
            table: "streams",
            rows: 7,
            gaps,
            refused: 0,
        };
        let mut report = RecoverReport {
            into: "new.db".into(),
            tables: vec![part(0)],
            documents_missing: 0,
        };
        insta::assert_snapshot!(told(&report, Paint::plain()), @r"
        TABLE    ROWS SAVED  UNREADABLE PLACES  ROWS REFUSED
        streams  7           0                  0

        every row was saved
        ");
        report.tables = vec![part(2)];
        report.documents_missing = 3;
        insta::assert_snapshot!(told(&report, Paint::plain()), @r"
        TABLE    ROWS SAVED  UNREADABLE PLACES  ROWS REFUSED
        streams  7           2                  0

        some rows are lost, and 3 schemas that streams named; the agent looks at the store again for what it no longer knows
        ");
    }
}
