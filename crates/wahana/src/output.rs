//! What commands print: tables for people, JSON for programs.

use std::io::{self, Write};

use serde::Serialize;

/// Something that is printed as a row of a table, or by itself.
pub(crate) trait Row: Serialize {
    /// The names of the columns.
    const COLUMNS: &'static [&'static str];

    /// What stands in them.
    fn cells(&self) -> Vec<String>;
}

/// Where commands print, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Whether programs read it.
    pub(crate) is_json: bool,
}

impl Output {
    /// Prints a list.
    pub(crate) fn list<R: Row>(self, rows: &[R]) -> anyhow::Result<()> {
        if self.is_json {
            return print_json(&rows);
        }
        let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
        print(&table(R::COLUMNS, &cells))
    }

    /// Prints one thing.
    pub(crate) fn one<R: Row>(self, row: &R) -> anyhow::Result<()> {
        if self.is_json {
            return print_json(row);
        }
        let width = R::COLUMNS.iter().map(|column| column.len()).max().unwrap_or(0);
        let lines = R::COLUMNS
            .iter()
            .zip(row.cells())
            .map(|(column, cell)| format!("{column:width$}  {cell}\n"));
        print(&lines.collect::<String>())
    }

    /// Says that something was done; programs see it by the exit code, and get an empty object.
    pub(crate) fn done(self, sentence: &str) -> anyhow::Result<()> {
        if self.is_json {
            return print("{}\n");
        }
        print(&format!("{sentence}\n"))
    }
}

/// Prints a text as it is.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Says on standard error what the person who started the command should know, although it did its work.
pub(crate) fn warn(sentence: &str) {
    // Without standard error there is nobody to warn.
    let _ = writeln!(io::stderr(), "wahana: warning: {sentence}");
}

fn print_json<T: Serialize + ?Sized>(value: &T) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// What stands for nothing in a table.
const NOTHING: &str = "-";

/// The text of something that may be absent.
pub(crate) fn optional<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| value.to_string())
}

fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let width = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index));
        cells
            .map(|cell| cell.chars().count())
            .chain(columns.get(index).map(|column| column.len()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}", width = *width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut columns.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["ä".to_owned(), "one".to_owned()],
            vec!["long".to_owned(), String::new()],
        ];
        assert_eq!(table(&["ID", "NAME"], &rows), "ID    NAME\nä     one\nlong\n");
        assert_eq!(table(&["ID"], &[]), "ID\n");
    }
}
