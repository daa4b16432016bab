//! Tables on narrow terminals.

use anyhow::{Result, ensure};
use tidegate_tests::command::command;
use tidegate_tests::place::Place;

use crate::staged;

fn printed(place: &Place, arguments: &[&str], columns: usize) -> Result<String> {
    let mut command = command()?;
    command.env("COLUMNS", columns.to_string());
    let output = command.args(arguments).current_dir(place.dir()).output()?;
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn tables_fit_the_terminal_unless_a_single_word_does_not() -> Result<()> {
    let place = staged(&["app", "a-stream-with-a-long-name"])?;
    place.stage("broken", "{\"fields\": [")?;
    place.run(&["sync"])?;
    for columns in [40, 60, 80] {
        for arguments in [
            &["status"] as &[&str],
            &["sync"],
            &["check"],
            &["policy", "inspect", "builtin:presence"],
        ] {
            let text = printed(&place, arguments, columns)?;
            // The head of `status` and of `policy inspect` is no table.
            for line in text.lines().skip_while(|line| !line.contains("  ")) {
                let fits = line.chars().count() <= columns;
                let words = line.split_whitespace();
                let longest = words.map(|word| word.chars().count()).max();
                ensure!(
                    fits || longest.unwrap_or_default() + 24 > columns,
                    "{arguments:?} at {columns}: {line}\n{text}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn what_goes_into_a_pipe_keeps_a_line_for_each_stream() -> Result<()> {
    let place = staged(&[])?;
    place.stage("broken", "{\"fields\": [")?;
    place.run(&["sync"])?;
    let text = place.run(&["status"])?.stdout;
    let line = text.lines().find(|line| line.starts_with("broken"));
    ensure!(
        line.is_some_and(|line| line.contains("staged schema invalid")),
        "{text}"
    );
    Ok(())
}
