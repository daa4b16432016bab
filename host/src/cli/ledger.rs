use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{self, Paint, Table, Tone};
use super::{CommandError, Config, SETTLED};
use crate::ledger::{RecoverReport, recover};
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
}

/// Save what can be read.
#[derive(Debug, Args)]
struct Recover {
    #[command(flatten)]
    config: Config,
    /// The new ledger; the old one's name with `.recovered` behind it when none is given
    #[arg(long, value_name = "PATH")]
    into: Option<PathBuf>,
}

impl Ledger {
    pub(super) fn run(self) -> Result<u8, CommandError> {
        let Command::Recover(recover) = self.command;
        recover.run()
    }
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
