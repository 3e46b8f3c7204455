//! A compact dump of a tree for reading: operators as words in front, spans left out.

use kepi_syntax::ast::*;
use std::fmt::Write;

/// Dumps all statements, one per line or block.
pub(crate) fn file(file: &File) -> String {
    let mut out = String::new();
    for statement in &file.statements {
        if let Some(doc) = &statement.doc {
            writeln!(out, "doc {doc:?}").unwrap();
        }
        writeln!(out, "{}", self::statement(&statement.kind)).unwrap();
    }
    out
}

fn statement(kind: &StatementKind) -> String {
    match kind {
        StatementKind::Module(path) => format!("module {}", self::path(path)),
        StatementKind::Use { path, plugin, alias } => {
            let kind = if plugin.is_some() { "plugin " } else { "" };
            format!("use {kind}{}{}", self::path(path), maybe(" as ", alias, name))
        }
        StatementKind::Set { name, value } => format!("set {} {}", name.text, expr(value)),
        StatementKind::Calendar(calendar) => {
            let rules: Vec<String> = calendar
                .rules
                .iter()
                .map(|rule| match rule {
                    CalendarRule::Starts(unit, start) => format!("({} {start:?})", unit.text),
                    CalendarRule::NamedByStart => "(named by start)".to_owned(),
                })
                .collect();
            format!(
                "calendar {} [{}]{}",
                calendar.name.text,
                rules.join(" "),
                maybe(" file ", &calendar.from, String::clone)
            )
        }
        StatementKind::Entity(entity) => format!(
            "entity {}{}{}{}",
            entity.name.text,
            maybe(" key ", &entity.key, name),
            maybe(" from ", &entity.from, name),
            fields(&entity.fields)
        ),
        StatementKind::Event(event) => match &event.body {
            EventBody::Stored { of, at, fields: stored } => {
                let of: Vec<String> = of.iter().map(name).collect();
                format!("event {} of [{}]{}{}", event.name.text, of.join(" "), maybe(" at ", at, name), fields(stored))
            }
            EventBody::Derived { value, with } => format!("event {} {}{}", event.name.text, scoped(value), pairs(with)),
        },
        StatementKind::State(state) => {
            let body = match &state.body {
                StateBody::From { from, until } => format!("(from {} until {})", scoped(from), scoped(until)),
                StateBody::For { from, length: long } => format!("(from {} for {})", scoped(from), length(long)),
                StateBody::Value { value, until } => {
                    format!("(value {}{})", expr(value), maybe(" until ", until, scoped))
                }
                StateBody::Stored { fields: stored } => format!("stored{}", fields(stored)),
            };
            format!("state {} of {} {body}{}", state.name.text, state.of.text, pairs(&state.with))
        }
        StatementKind::Measure(definition) => self::definition("measure", definition),
        StatementKind::Segment(definition) => self::definition("segment", definition),
        StatementKind::Dimension(definition) => self::definition("dimension", definition),
        StatementKind::Metric(definition) => self::definition("metric", definition),
        StatementKind::Function(function) => {
            format!("function {}{} {}", function.name.text, parameters(&function.parameters), expr(&function.value))
        }
        StatementKind::Source(source) => {
            let mut out = format!("source {} from {:?}{}", source.name.text, source.from, pairs(&source.with));
            for item in &source.items {
                let text = match item {
                    SourceItem::Merge { entity, column, into } => {
                        format!("merge {} {} into {}", entity.text, column.text, into.text)
                    }
                    SourceItem::Mapping(mapping) => {
                        let parts: Vec<String> = mapping.parts.iter().map(part).collect();
                        format!(
                            "map {} [{}]{}",
                            path(&mapping.target),
                            parts.join(" "),
                            maybe(" where ", &mapping.filter, expr)
                        )
                    }
                };
                write!(out, "\n  {text}").unwrap();
            }
            out
        }
        StatementKind::Target(target) => {
            let goal = match &target.goal {
                Goal::Total { during, reach, each } => {
                    format!("total during {} reach {}{}", bound(during), expr(reach), maybe(" each ", each, path))
                }
                Goal::Level { by, reach, from } => {
                    let from = maybe(" from ", from, |(value, at)| format!("{} at {}", expr(value), at.text));
                    format!("level by {} reach {}{from}", by.text, expr(reach))
                }
            };
            format!(
                "target {} on {}{} ({goal}){}{}",
                target.name.text,
                expr(&target.on),
                maybe(" where ", &target.filter, expr),
                maybe(" review ", &target.review, name),
                pairs(&target.with)
            )
        }
        StatementKind::Report(report) => {
            let queries: String = report.queries.iter().map(|query| format!("\n  {}", self::query(query))).collect();
            format!(
                "report {}{}{}{queries}",
                report.name.text,
                maybe(" every ", &report.every, path),
                pairs(&report.with)
            )
        }
        StatementKind::Test(test) => {
            let mut out = format!("test {:?}{}", test.title, maybe(" now ", &test.now, |now| now.text.clone()));
            for given in &test.given {
                let columns: Vec<String> = given.columns.iter().map(name).collect();
                write!(out, "\n  given {} [{}] {}", path(&given.event), columns.join(" "), rows(&given.rows)).unwrap();
            }
            for expect in &test.expect {
                write!(out, "\n  expect {} gives {}", self::query(&expect.query), rows(&expect.gives)).unwrap();
            }
            out
        }
        StatementKind::Query(query) => self::query(query),
    }
}

fn name(name: &Name) -> String {
    name.text.clone()
}

fn path(path: &Path) -> String {
    path.parts.iter().map(name).collect::<Vec<_>>().join(".")
}

fn maybe<T>(before: &str, value: &Option<T>, show: impl Fn(&T) -> String) -> String {
    value.as_ref().map(|value| format!("{before}{}", show(value))).unwrap_or_default()
}

fn rows(rows: &[Vec<Expr>]) -> String {
    rows.iter()
        .map(|row| format!("({})", row.iter().map(expr).collect::<Vec<_>>().join(" ")))
        .collect::<Vec<_>>()
        .join(" ")
}

fn ty(ty: &TypeName) -> String {
    format!("{}{}{}", ty.name.text, maybe(":", &ty.argument, name), maybe("/", &ty.per, name))
}

fn fields(fields: &[Field]) -> String {
    fields
        .iter()
        .map(|field| {
            let history = if field.history { " history" } else { "" };
            format!(
                "\n  {} {}{history}{}",
                field.name.text,
                ty(&field.ty),
                maybe(" doc ", &field.doc, |doc| format!("{doc:?}"))
            )
        })
        .collect()
}

fn parameters(parameters: &[Parameter]) -> String {
    parameters
        .iter()
        .map(|parameter| {
            format!(
                " [{}{}{}]",
                parameter.name.text,
                maybe(" ", &parameter.ty, ty),
                maybe(" = ", &parameter.default, expr)
            )
        })
        .collect()
}

fn pairs(pairs: &[Pair]) -> String {
    pairs.iter().map(|pair| format!(" {{{} {}}}", pair.name.text, expr(&pair.value))).collect()
}

fn definition(word: &str, definition: &Definition) -> String {
    format!(
        "{word} {}{}{}{} {}{}",
        definition.name.text,
        parameters(&definition.parameters),
        maybe(" of ", &definition.of, name),
        maybe(" : ", &definition.ty, ty),
        expr(&definition.value),
        pairs(&definition.with)
    )
}

fn part(part: &Part) -> String {
    match part {
        Part::Role { role, column } => format!("({} {})", format!("{role:?}").to_lowercase(), column.text),
        Part::Column { field, column, of } => {
            format!("({}{} <- {})", if *of { "of " } else { "" }, field.text, column.text)
        }
        Part::Computed { field, value } => format!("({} = {})", field.text, expr(value)),
    }
}

/// Dumps a query on one line.
pub(crate) fn query(query: &Query) -> String {
    let items = |items: &[Item]| {
        let all: Vec<String> =
            items.iter().map(|item| format!("{}{}", expr(&item.value), maybe(" as ", &item.alias, name))).collect();
        all.join(", ")
    };
    let mut out = format!("show {}", items(&query.items));
    if !query.by.is_empty() {
        write!(out, " | by {}", items(&query.by)).unwrap();
    }
    out += &maybe(" | per ", &query.per, path);
    out += &maybe(" | where ", &query.filter, expr);
    out += &maybe(" | ", &query.window, window);
    out += &maybe(" | at ", &query.moment, bound);
    for against in &query.versus {
        match against {
            Against::Previous { grain, aligned, .. } => {
                let aligned = if *aligned { " aligned" } else { "" };
                write!(out, " | vs previous{}{aligned}", maybe(" ", grain, path)).unwrap();
            }
            Against::Period { calendar, text, .. } => {
                write!(out, " | vs {}{text}", maybe("", calendar, |c| c.text.clone() + ":")).unwrap()
            }
            Against::Target { name, .. } => write!(out, " | vs target{}", maybe(" ", name, path)).unwrap(),
        }
    }
    out += &maybe(" | having ", &query.having, expr);
    for key in &query.order {
        write!(out, " | order {}{}", expr(&key.value), if key.descending { " desc" } else { "" }).unwrap();
    }
    out += &maybe(" | limit ", &query.limit, |limit| {
        format!("{}{}", limit.number, if limit.with_other { " with other" } else { "" })
    });
    out += &maybe(" | fill ", &query.fill, |fill| match fill {
        Fill::Value(value) => expr(value),
        Fill::Missing => "missing".to_owned(),
        Fill::Previous => "previous".to_owned(),
    });
    out += &maybe(" | in ", &query.currency, name);
    out
}

fn window(window: &Window) -> String {
    match window {
        Window::Last { length: long, to_date } => format!("last {} to_date={to_date}", length(long)),
        Window::LastOf { number, grain, to_date } => format!("last {number} {} to_date={to_date}", path(grain)),
        Window::This { grain, to_date } => format!("this {} to_date={to_date}", path(grain)),
        Window::During(period) => format!("during {}", bound(period)),
        Window::Since { from, until } => format!("since {}{}", bound(from), maybe(" until ", until, bound)),
        Window::FromUntil { from, until } => format!("from {} until {}", bound(from), bound(until)),
        Window::Until(until) => format!("until {}", bound(until)),
    }
}

fn length(length: &Length) -> String {
    format!("{} {:?}", length.number, length.unit).to_lowercase()
}

fn bound(bound: &Bound) -> String {
    match bound {
        Bound::Date(date) => date.text.clone(),
        Bound::Period { calendar, text, .. } => format!("{}{text}", maybe("", calendar, |c| c.text.clone() + ":")),
        Bound::Now(_) => "now".to_owned(),
    }
}

/// Dumps an expression in prefix form.
pub(crate) fn expr(value: &Expr) -> String {
    match &value.kind {
        ExprKind::Quantity { number, unit } => match unit {
            None => number.clone(),
            Some(UnitWord::Percent) => format!("{number}%"),
            Some(UnitWord::Points) => format!("{number}_points"),
            Some(UnitWord::Time(unit)) => format!("{number}_{unit:?}").to_lowercase(),
            Some(UnitWord::Currency(currency)) => format!("{number}_{currency}"),
        },
        ExprKind::Text(text) => format!("{text:?}"),
        ExprKind::Bool(yes) => yes.to_string(),
        ExprKind::Missing => "missing".to_owned(),
        ExprKind::Date(date) => format!("@{}", date.text),
        ExprKind::List(items) => format!("[{}]", items.iter().map(expr).collect::<Vec<_>>().join(" ")),
        ExprKind::Path(path) => self::path(path),
        ExprKind::Call { function, arguments } => {
            let arguments: String = arguments.iter().map(|argument| format!(" {}", self::argument(argument))).collect();
            format!("({}{arguments})", path(function))
        }
        ExprKind::Field { of, name } => format!("(field {} {})", expr(of), name.text),
        ExprKind::Case { whens, otherwise } => {
            let whens: String = whens.iter().map(|(when, then)| format!(" ({} {})", expr(when), expr(then))).collect();
            format!("(case{whens}{})", maybe(" else ", otherwise, |value| expr(value)))
        }
        ExprKind::Binary { op, left, right } => {
            format!("({} {} {})", format!("{op:?}").to_lowercase(), expr(left), expr(right))
        }
        ExprKind::Negate(inner) => format!("(negate {})", expr(inner)),
        ExprKind::Not(inner) => format!("(not {})", expr(inner)),
        ExprKind::In { value, list, negated } => {
            format!("({}in {} {})", if *negated { "not-" } else { "" }, expr(value), expr(list))
        }
        ExprKind::IsMissing { value, negated } => {
            format!("({} {})", if *negated { "known" } else { "missing" }, expr(value))
        }
    }
}

fn argument(argument: &Argument) -> String {
    match argument {
        Argument::Within(length) => format!("within={}", expr(length)),
        Argument::Named { name, value: NamedValue::Word(word) } => format!("{}='{}", name.text, word.text),
        Argument::Named { name, value: NamedValue::Chain(chain) } => format!("{}={}", name.text, self::chain(chain)),
        Argument::Plain(chain) => self::chain(chain),
    }
}

fn chain(chain: &Chain) -> String {
    if chain.rest.is_empty() {
        return scoped(&chain.first);
    }
    let rest: String = chain
        .rest
        .iter()
        .map(|link| format!("{} -> {}", maybe(" without ", &link.without, scoped), scoped(&link.step)))
        .collect();
    format!("<{}{rest}>", scoped(&chain.first))
}

fn scoped(scoped: &Scoped) -> String {
    let per = maybe(" per ", &scoped.per, |per| {
        let grains: Vec<String> = per.grains.iter().map(path).collect();
        format!("{}{}", if per.every { "every " } else { "" }, grains.join("+"))
    });
    let over = maybe(" over ", &scoped.over, |over| match over {
        Over::Period => "period".to_owned(),
        Over::AllTime => "all time".to_owned(),
        Over::Window(window) => self::window(window),
    });
    let all = format!("{}{per}{}{over}", expr(&scoped.value), maybe(" where ", &scoped.filter, expr));
    if all.contains(' ') && !(all.starts_with('(') && per.is_empty() && over.is_empty() && scoped.filter.is_none()) {
        format!("{{{all}}}")
    } else {
        all
    }
}
