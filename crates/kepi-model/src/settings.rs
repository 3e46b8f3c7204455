//! What `set` and `calendar` say, with what kepi.toml says before them.

use crate::calendar::{self, CalendarTable, Grain, TABLE_UNITS, TimeUnit, Zone};
use crate::value::Currency;
use kepi_syntax::ast::{Calendar, CalendarRule, Expr, ExprKind, Name};
use kepi_syntax::{Code, Diagnostic};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The settings of a project.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The time zone's IANA name.
    pub zone: String,
    /// The currency of plain `money`.
    pub currency: Option<Currency>,
    /// Named calendars.
    pub calendars: BTreeMap<String, Rules>,
    /// First day of the ordinary week: that of the first calendar which says one, else Monday.
    pub week_start: i8,
    /// What the files hold from which calendars come, by the file as the model names it; else why it could not be read, in
    /// words that follow its name. The caller reads them: nothing here opens a file.
    pub tables: BTreeMap<String, Result<Arc<CalendarTable>, String>>,
    first_week: Option<i8>,
}

/// The rules of a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// First month of the year.
    pub year_start: i8,
    /// First day of the week, where it says one.
    pub week_start: Option<i8>,
    /// Whether a year is named by the calendar year it starts in.
    pub named_by_start: bool,
    /// The table that it comes from, instead of rules.
    pub table: Option<Arc<CalendarTable>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            zone: "UTC".to_string(),
            currency: None,
            calendars: BTreeMap::new(),
            week_start: 1,
            tables: BTreeMap::new(),
            first_week: None,
        }
    }
}

const SETTINGS: &[&str] = &["timezone", "currency"];

impl Settings {
    /// The grain of a unit in the ordinary calendar of this project.
    pub fn grain(&self, unit: TimeUnit) -> Grain {
        Grain { week_start: self.week_start, ..Grain::ordinary(unit) }
    }

    /// The grain of a unit in a named calendar; none: there is no such calendar, or its table has no such column.
    pub fn grain_in(&self, calendar: &str, unit: TimeUnit) -> Option<Grain> {
        let rules = self.calendars.get(calendar)?;
        let of_table = TABLE_UNITS.contains(&unit);
        if rules.table.as_ref().is_some_and(|table| of_table && !table.has(unit)) {
            return None;
        }
        Some(Grain {
            unit,
            calendar: Some(calendar.to_string()),
            week_start: rules.week_start.unwrap_or(self.week_start),
            year_start: rules.year_start,
            named_by_start: rules.named_by_start,
            table: rules.table.clone().filter(|_| of_table),
        })
    }

    pub(crate) fn finish(&mut self) {
        if let Some(week) = self.first_week {
            self.week_start = week;
        }
    }

    pub(crate) fn set(&mut self, name: &Name, value: &Expr, file: u32, diagnostics: &mut Vec<Diagnostic>) {
        let mut error = |span, message: String, help: String| {
            let mut diagnostic = Diagnostic::error(Code::BadSetting, span, message).help(help);
            diagnostic.file = file;
            diagnostics.push(diagnostic);
        };
        let text = match &value.kind {
            ExprKind::Text(text) => text.as_str(),
            _ => {
                error(value.span, format!("`{}` takes a text", name.text), "write it in quotes".to_string());
                return;
            }
        };
        match name.text.as_str() {
            "timezone" => match Zone::named(text) {
                Some(_) => self.zone = text.to_string(),
                None => error(
                    value.span,
                    format!("there is no time zone `{text}`"),
                    "use an IANA name such as `Europe/Amsterdam` or `UTC`".to_string(),
                ),
            },
            "currency" => match Currency::parse(text) {
                Some(currency) => self.currency = Some(currency),
                None => error(
                    value.span,
                    format!("`{text}` is no currency code"),
                    "use three capitals such as `EUR`".to_string(),
                ),
            },
            other => {
                let help = crate::names::suggestion(other, SETTINGS.iter().copied())
                    .unwrap_or_else(|| format!("settings are {}", SETTINGS.join(" and ")));
                error(name.span, format!("there is no setting `{other}`"), help);
            }
        }
    }

    pub(crate) fn calendar(&mut self, calendar: &Calendar, file: u32, diagnostics: &mut Vec<Diagnostic>) {
        let mut error = |code, span, message: String, help: String| {
            let mut diagnostic = Diagnostic::error(code, span, message).help(help);
            diagnostic.file = file;
            diagnostics.push(diagnostic);
        };
        if self.calendars.contains_key(&calendar.name.text) {
            error(
                Code::DeclaredTwice,
                calendar.name.span,
                format!("the calendar `{}` is declared twice", calendar.name.text),
                "rename one of them".to_string(),
            );
            return;
        }
        let mut rules = Rules { year_start: 1, week_start: None, named_by_start: false, table: None };
        if let Some(from) = &calendar.from {
            let unread = Err("nobody has read it".to_string());
            match self.tables.get(from).unwrap_or(&unread) {
                Ok(table) => rules.table = Some(table.clone()),
                Err(reason) => {
                    error(
                        Code::BadSetting,
                        calendar.name.span,
                        format!("the calendar `{}` cannot be taken from {from}: {reason}", calendar.name.text),
                        "its columns are day, and one or more of week, month, quarter and year".to_string(),
                    );
                    return;
                }
            }
        }
        for rule in &calendar.rules {
            match rule {
                CalendarRule::NamedByStart => rules.named_by_start = true,
                CalendarRule::Starts(unit, start) => match unit.text.trim_end_matches('s') {
                    "year" => match calendar::month_named(start) {
                        Some(month) => rules.year_start = month,
                        None => error(
                            Code::BadSetting,
                            unit.span,
                            format!("`{start}` is no month"),
                            "write a month's English name, such as `year starts \"april\"`".to_string(),
                        ),
                    },
                    "week" => match calendar::weekday_named(start) {
                        Some(day) => rules.week_start = Some(day),
                        None => error(
                            Code::BadSetting,
                            unit.span,
                            format!("`{start}` is no day of the week"),
                            "write a day's English name, such as `week starts \"sunday\"`".to_string(),
                        ),
                    },
                    other => error(
                        Code::BadSetting,
                        unit.span,
                        format!("a calendar cannot say when a {other} starts"),
                        "say when the year or the week starts".to_string(),
                    ),
                },
            }
        }
        if self.first_week.is_none() {
            self.first_week = rules.week_start;
        }
        self.calendars.insert(calendar.name.text.clone(), rules);
    }
}
