//! A table of the demo, as the text of its CSV file.

/// A CSV file that grows row by row. The demo's values need no quotes: none has a comma.
pub(super) struct Table {
    /// The file's name in `data/`.
    pub(super) file: &'static str,
    /// What stands in it.
    pub(super) text: String,
    /// Rows without the header.
    pub(super) rows: usize,
}

impl Table {
    /// Begins with the header.
    pub(super) fn new(file: &'static str, header: &str) -> Table {
        Table { file, text: format!("{header}\n"), rows: 0 }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        debug_assert!(cells.iter().all(|cell| !cell.contains([',', '"', '\n'])), "{cells:?}");
        self.text.push_str(&cells.join(","));
        self.text.push('\n');
        self.rows += 1;
    }
}

/// An amount with cents.
pub(super) fn money(amount: f64) -> String {
    let cents = (amount * 100.0).round() as i64;
    format!("{}.{:02}", cents / 100, cents % 100)
}
