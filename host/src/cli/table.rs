//! Tables that fit the terminal: no word is broken, and no row is longer than the terminal is wide.

use super::output::{Paint, Tone};

/// The space between two columns.
const GAP: usize = 2;

/// Minimum width of the last column. With less, its text moves below the row.
const MIN_LAST: usize = 24;

/// Indentation of text below a row.
const INDENT: usize = 4;

/// A table of cells with a tone each, in columns as wide as they need.
#[derive(Debug, Default)]
pub(super) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<(Tone, String)>>,
}

impl Table {
    /// A table with this head.
    pub(super) fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|cell| (*cell).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: Vec<(Tone, String)>) {
        self.rows.push(cells);
    }

    /// The table within the width of the terminal that it is printed to.
    pub(super) fn render(&self, paint: Paint) -> String {
        self.render_within(paint, columns())
    }

    /// The table within this many columns: whole rows if they fit, else with the last column's text below the row, else
    /// a line for each cell. Without a width all rows are whole.
    fn render_within(&self, paint: Paint, width: Option<usize>) -> String {
        let widths = self.widths();
        let Some((last, before)) = widths.split_last() else {
            return String::new();
        };
        let left: usize = before.iter().map(|width| width + GAP).sum();
        let layout = match width {
            Some(width) if left + last <= width => Layout::Row(usize::MAX),
            Some(width) if left + MIN_LAST <= width => Layout::Row(width - left),
            Some(width) if left <= width + GAP => Layout::Below(width.saturating_sub(INDENT)),
            Some(width) => Layout::Cells(width),
            None => Layout::Row(usize::MAX),
        };
        let mut text = String::new();
        let head = self.head.iter().map(|cell| (Tone::Faint, cell.clone()));
        let head: Vec<_> = head.collect();
        if !head.is_empty() && !matches!(layout, Layout::Cells(_)) {
            self.lay_out(&mut text, &head, &widths, &layout, paint);
        }
        for row in &self.rows {
            self.lay_out(&mut text, row, &widths, &layout, paint);
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let rows = self.rows.iter().map(|row| {
            let cells = row.iter().map(|(_, cell)| cell.chars().count());
            cells.collect::<Vec<_>>()
        });
        let head = self.head.iter().map(|cell| cell.chars().count());
        rows.fold(head.collect(), |mut widths, row| {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell);
            }
            widths
        })
    }

    fn lay_out(
        &self,
        text: &mut String,
        row: &[(Tone, String)],
        widths: &[usize],
        layout: &Layout,
        paint: Paint,
    ) {
        let Some((last, before)) = row.split_last() else {
            return;
        };
        if let Layout::Cells(width) = layout {
            return self.cells(text, row, *width, paint);
        }
        let mut left = 0;
        for ((tone, cell), width) in before.iter().zip(widths) {
            text.push_str(&paint.paint(*tone, cell));
            pad(text, width.saturating_sub(cell.chars().count()) + GAP);
            left += width + GAP;
        }
        let (tone, cell) = last;
        let (width, indent) = match layout {
            Layout::Row(width) => (*width, left),
            Layout::Below(width) | Layout::Cells(width) => (*width, INDENT),
        };
        if matches!(layout, Layout::Below(_)) {
            text.truncate(text.trim_end().len());
            if cell.is_empty() {
                text.push('\n');
                return;
            }
            text.push('\n');
            pad(text, indent);
        }
        for (at, line) in wrap(cell, width).iter().enumerate() {
            if at > 0 {
                text.push('\n');
                pad(text, indent);
            }
            text.push_str(&paint.paint(*tone, line));
        }
        text.push('\n');
    }

    /// A line for each cell that is not empty, with its head. The first cell comes first, on a line of its own.
    fn cells(&self, text: &mut String, row: &[(Tone, String)], width: usize, paint: Paint) {
        let names = self.head.iter().skip(1);
        let widest = names.map(|name| name.chars().count()).max().unwrap_or(0);
        for (at, (tone, cell)) in row.iter().enumerate() {
            let mut indent = 0;
            if at > 0 {
                if cell.is_empty() || cell == "–" {
                    continue;
                }
                pad(text, INDENT);
                let name = self.head.get(at).map(String::as_str).unwrap_or_default();
                text.push_str(&paint.paint(Tone::Faint, name));
                pad(text, widest.saturating_sub(name.chars().count()) + GAP);
                indent = INDENT + widest + GAP;
            }
            for (at, line) in wrap(cell, width.saturating_sub(indent)).iter().enumerate() {
                if at > 0 {
                    text.push('\n');
                    pad(text, indent);
                }
                text.push_str(&paint.paint(*tone, line));
            }
            text.push('\n');
        }
    }
}

/// How the rows of a table are laid out.
enum Layout {
    /// All cells in a line; the last is wrapped at this width.
    Row(usize),
    /// The last cell below the others, wrapped at this width.
    Below(usize),
    /// A line for each cell, at most this long.
    Cells(usize),
}

fn pad(text: &mut String, by: usize) {
    text.extend(std::iter::repeat_n(' ', by));
}

/// The width of standard output in columns: `COLUMNS` if that is set, else the terminal's. `None` if neither is known,
/// as in a pipe; rows stay whole there.
pub(super) fn columns() -> Option<usize> {
    let set = std::env::var("COLUMNS").ok();
    let set = set.and_then(|text| text.trim().parse().ok());
    set.filter(|columns| *columns > 0).or_else(|| {
        let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
        Some(usize::from(width.0))
    })
}

/// The text in lines of at most this width, broken between words. A word that is longer has a line of its own.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for part in text.split('\n') {
        if part.chars().count() <= width {
            lines.push(part.to_owned());
            continue;
        }
        let (mut line, mut length) = (String::new(), 0_usize);
        for word in part.split_whitespace() {
            let long = word.chars().count();
            if length > 0 && length + 1 + long > width {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += long;
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["STREAM", "PHASE", "LAST FAILURE"]);
        table.row(vec![
            (Tone::Plain, "äpp".into()),
            (Tone::Good, "synced".into()),
            (Tone::Faint, String::new()),
        ]);
        table.row(vec![
            (Tone::Plain, "checkout".into()),
            (Tone::Bad, "conflicted".into()),
            (
                Tone::Faint,
                "schema conflict: `mixed` is Utf8 here and Float64 on n2".into(),
            ),
        ]);
        table
    }

    fn rendered(width: Option<usize>) -> String {
        table().render_within(Paint::plain(), width)
    }

    #[test]
    fn columns_are_as_wide_as_they_need() {
        insta::assert_snapshot!(rendered(None), @r"
        STREAM    PHASE       LAST FAILURE
        äpp       synced      
        checkout  conflicted  schema conflict: `mixed` is Utf8 here and Float64 on n2
        ");
        assert_eq!(rendered(Some(100)), rendered(None));
    }

    #[test]
    fn the_last_column_is_wrapped_between_words() {
        insta::assert_snapshot!(rendered(Some(60)), @r"
        STREAM    PHASE       LAST FAILURE
        äpp       synced      
        checkout  conflicted  schema conflict: `mixed` is Utf8 here
                              and Float64 on n2
        ");
    }

    #[test]
    fn on_a_narrow_terminal_the_last_column_moves_below_its_row() {
        insta::assert_snapshot!(rendered(Some(40)), @r"
        STREAM    PHASE
            LAST FAILURE
        äpp       synced
        checkout  conflicted
            schema conflict: `mixed` is Utf8
            here and Float64 on n2
        ");
    }

    #[test]
    fn on_a_very_narrow_terminal_each_cell_has_a_line() {
        insta::assert_snapshot!(rendered(Some(19)), @r"
        äpp
            PHASE         synced
        checkout
            PHASE         conflicted
            LAST FAILURE  schema
                          conflict:
                          `mixed`
                          is
                          Utf8
                          here
                          and
                          Float64
                          on
                          n2
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_unless_a_word_is() {
        for width in 30..120 {
            for line in rendered(Some(width)).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn text_that_is_too_long_is_wrapped_between_words() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("  a bc\nd", 100), ["  a bc", "d"]);
        assert_eq!(wrap("longer than that", 3), ["longer", "than", "that"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
