//! Queries whose answer is a table of its own: `funnel` and `retention`.

use super::cells::Cell;
use super::names::dotted;
use super::query::Column;
use super::{Oracle, Value};
use kepi_syntax::ast::{Argument, ExprKind, Query};

/// The call that makes a table, where the query shows nothing else.
pub(super) fn call(query: &Query) -> Option<(String, &[Argument])> {
    let [item] = &query.items[..] else { return None };
    let ExprKind::Call { function, arguments } = &item.value.kind else { return None };
    let aged = arguments.iter().any(|one| matches!(one, Argument::Named { name, .. } if name.text == "age"));
    match &dotted(function)[..] {
        "funnel" => Some(("funnel".to_string(), arguments)),
        "retention" if !aged => Some(("retention".to_string(), arguments)),
        _ => None,
    }
}

/// The columns of the table.
pub(super) fn columns(query: &Query) -> Option<Vec<Column>> {
    let labels = match &call(query)?.0[..] {
        "funnel" => 1,
        _ => 2,
    };
    let values = 6 - labels - (labels - 1);
    let labels = std::iter::repeat_n(Column::Label, labels);
    Some(labels.chain(std::iter::repeat_n(Column::Value, values)).collect())
}

impl Oracle {
    /// The rows of a cell's table; none where the query is no such table.
    pub(super) fn table_in(&self, cell: &Cell<'_>) -> Result<Option<Vec<Vec<Value>>>, String> {
        match call(&cell.asking.query) {
            Some((name, arguments)) if name == "funnel" => cell.funnel(arguments).map(Some),
            Some((_, arguments)) => cell.retention(arguments).map(Some),
            None => Ok(None),
        }
    }
}
