//! `kepi plugin list`: a line per plugin.

use crate::context::Context;
use crate::failure::Failure;
use kepi_view::inert;

pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    let listed = context.engine()?.plugins()?;
    let rows: Vec<[String; 5]> = listed
        .iter()
        .map(|p| [&p.id, &p.version, &p.runtime, &p.provides, &p.standing].map(|text| inert(text).into_owned()))
        .collect();
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [wide(0), wide(1), wide(2), wide(3)];
    let mut out = String::new();
    for [id, version, runtime, provides, standing] in &rows {
        let [a, b, c, d] = widths;
        out.push_str(&format!("{id:a$}  {version:b$}  {runtime:c$}  {provides:d$}  {standing}"));
        out.push('\n');
    }
    context.terminal.data(out.as_bytes())
}
