//! Tables, views and queries of an SQLite database file, read only.

use super::keyset::{Place, Rows, clauses, page};
use super::options::{Known, Options, schema};
use super::{config_error, failed, transient};
use kepi_extension::{Connector, ConnectorError, ConnectorHost, Page, PageRequest, StreamField, StreamShape};
use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use serde_json::{Map, Value};
use std::time::Duration;

/// The id of the plugin.
pub(super) const ID: &str = "kepi.sqlite";

const OPTIONS: &[Known] = &[
    ("file", "The database, as a path from the project's folder on."),
    ("query", "A select in the place of the table or view that the stream names."),
    ("cursor", "The column that rises when a row is added or changed; without it every run reads all rows."),
    ("key", "The columns that tell rows apart, where they are not the primary key."),
    ("deleted", "The column that is filled, or true, in rows that are deleted."),
];

/// How long a database that another program writes is waited for.
const BUSY: Duration = Duration::from_secs(5);
/// How many tables a message names.
const NAMED_MAX: usize = 20;
/// The name by which a row without a primary key is known.
const ROWID: &str = "rowid";

/// Reads SQLite databases.
#[derive(Debug)]
pub(super) struct Sqlite;

impl Connector for Sqlite {
    fn config_schema(&self) -> Result<Option<String>, ConnectorError> {
        Ok(Some(schema(OPTIONS, &["file"])))
    }

    fn check(&self, config: &str, host: &dyn ConnectorHost) -> Result<(), ConnectorError> {
        let options = Options::parse(ID, config, OPTIONS)?;
        tables(&open(&options, host)?).map(|_| ())
    }

    fn discover(&self, config: &str, host: &dyn ConnectorHost) -> Result<Vec<StreamShape>, ConnectorError> {
        let options = Options::parse(ID, config, OPTIONS)?;
        let database = open(&options, host)?;
        tables(&database)?
            .into_iter()
            .map(|name| {
                let columns = columns(&database, &name)?;
                let primary_key = primary_key(&columns);
                let field = |column: Column| StreamField { name: column.name, kind: column.kind, doc: String::new() };
                let fields = columns.into_iter().map(field).collect();
                Ok(StreamShape { name, fields, primary_key, cursor_field: None })
            })
            .collect()
    }

    fn read(&self, request: &PageRequest, host: &dyn ConnectorHost) -> Result<Page, ConnectorError> {
        let options = Options::parse(ID, &request.config, OPTIONS)?;
        let database = open(&options, host)?;
        let table = Table::of(&database, &request.stream, &options)?;
        let since = match (request.cursor.is_none(), request.since, &table.moment) {
            (true, Some(since), Some(moment)) => table.since(&database, moment, since)?,
            _ => None,
        };
        let place = Place::begin(request.cursor.as_deref(), table.moment.is_some(), since)
            .map_err(|reason| config_error(ID, reason))?;
        page(place, request.page_size, |place, wanted| table.page(&database, place, wanted))
    }
}

/// A column of a table.
struct Column {
    name: String,
    /// A word of the language, from what was declared.
    kind: String,
    /// Its place in the primary key, from 1; 0: it is not in it.
    key: i64,
}

/// What a stream reads.
struct Table {
    /// What stands behind `from`.
    relation: String,
    moment: Option<String>,
    key: Vec<String>,
    /// Whether rows are known by SQLite's own number.
    by_rowid: bool,
    deleted: Option<String>,
}

impl Table {
    fn of(database: &Connection, stream: &str, options: &Options) -> Result<Table, ConnectorError> {
        let query = options.get("query").map(|query| query.trim_end_matches(';'));
        let (relation, columns) = match query {
            Some(query) => {
                let relation = format!("({query})");
                let statement = database.prepare(&format!("select * from {relation}"));
                let statement = statement.map_err(|error| said("the query", &error))?;
                let column = |name: &str| Column { name: name.to_string(), kind: String::new(), key: 0 };
                (relation, statement.column_names().map(column).collect())
            }
            None => {
                let known = tables(database)?;
                let same = |name: &&String| name.eq_ignore_ascii_case(stream);
                let Some(name) = known.iter().find(same) else {
                    let more = if known.len() > NAMED_MAX { ", …" } else { "" };
                    let known: Vec<&str> = known.iter().take(NAMED_MAX).map(String::as_str).collect();
                    let message = format!("there is no table `{stream}`; there are {}{more}", known.join(", "));
                    return Err(config_error(ID, message));
                };
                (quoted(name), columns(database, name)?)
            }
        };
        let column = |what: &str, name: &str| match columns.iter().find(|c| c.name.eq_ignore_ascii_case(name)) {
            Some(column) => Ok(column.name.clone()),
            None => {
                let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                let message = format!("`{what}`: there is no column `{name}`; there are {}", known.join(", "));
                Err(config_error(ID, message))
            }
        };
        let moment = options.get("cursor").map(|name| column("cursor", name)).transpose()?;
        let deleted = options.get("deleted").map(|name| column("deleted", name)).transpose()?;
        let mut key: Vec<String> =
            options.names("key").iter().map(|name| column("key", name)).collect::<Result<_, _>>()?;
        if key.is_empty() {
            key = primary_key(&columns);
        }
        let by_rowid = key.is_empty();
        if by_rowid {
            let has = database.prepare(&format!("select {ROWID} from {relation}")).is_ok();
            if query.is_some() || !has {
                let message =
                    "nothing tells the rows of a view or query apart: write `key = \"…\"` with the columns that do";
                return Err(config_error(ID, message));
            }
            key.push(ROWID.to_string());
        }
        Ok(Table { relation, moment, key, by_rowid, deleted })
    }

    /// Where reading begins for an instant, in the way in which the column writes moments; none: it has no moments.
    ///
    /// A text may be local time of any zone, so that it begins a day earlier: nothing that is wanted is left out.
    fn since(&self, database: &Connection, moment: &str, since: i64) -> Result<Option<String>, ConnectorError> {
        const DAY: i64 = 86_400_000_000;
        let sql = format!("select max({}) from {}", quoted(moment), self.relation);
        let largest: Sql = database.query_row(&sql, [], |row| row.get(0)).map_err(|error| said("the table", &error))?;
        let text = |micros: i64| {
            let sql = "select datetime(?1, 'unixepoch')";
            database.query_row(sql, [micros.div_euclid(1_000_000)], |row| row.get::<_, String>(0))
        };
        Ok(match largest {
            Sql::Integer(largest) => {
                // Microseconds, milliseconds or seconds: what the largest can only be.
                let unit = [(100_000_000_000_000, 1), (100_000_000_000, 1_000)];
                let unit = unit.iter().find(|(from, _)| largest.abs() >= *from).map_or(1_000_000, |(_, unit)| *unit);
                Some(written(ValueRef::Integer(since.div_euclid(unit))))
            }
            Sql::Text(_) => {
                let text = text(since.saturating_sub(DAY)).map_err(|error| said("the moment", &error))?;
                Some(written(ValueRef::Text(text.as_bytes())))
            }
            _ => None,
        })
    }

    fn page(&self, database: &Connection, place: &Place, wanted: usize) -> Result<Rows, ConnectorError> {
        let moment = self.moment.as_deref().map(quoted);
        let key: Vec<String> = self.key.iter().map(|name| quoted(name)).collect();
        let (filter, order, after) = clauses(place, moment.as_deref(), &key, |number, _| format!("?{number}"));
        let extra = if self.by_rowid { format!("{ROWID}, ") } else { String::new() };
        let sql = format!("select {extra}* from {} where {filter} order by {order} limit {wanted}", self.relation);
        let failed_with = |error: &rusqlite::Error| said("the table", error);
        let mut statement = database.prepare(&sql).map_err(|error| failed_with(&error))?;
        let names: Vec<String> = statement.column_names().map(str::to_string).collect();
        if let Some(twice) = (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
            let message = format!("two columns are called `{}`: give one another name with `as`", names[twice]);
            return Err(config_error(ID, message));
        }
        let place_of = |name: &String| names.iter().position(|known| known == name);
        // Among rows without a moment only the key says where to go on.
        let moment = self.moment.iter().filter(|_| place.without.is_none());
        let kept: Vec<usize> = moment.chain(&self.key).filter_map(place_of).collect();
        let deleted = self.deleted.as_ref().and_then(place_of);
        let after: Vec<Sql> = after.iter().map(|text| value(text)).collect::<Result<_, _>>()?;
        let mut rows = statement.query(rusqlite::params_from_iter(after)).map_err(|error| failed_with(&error))?;
        let mut read = Rows { records: Vec::new(), deleted: Vec::new(), last: None };
        while let Some(row) = rows.next().map_err(|error| failed_with(&error))? {
            let mut record = Map::new();
            for (index, name) in names.iter().enumerate() {
                let value = row.get_ref(index).map_err(|error| failed_with(&error))?;
                record.insert(name.clone(), json(value));
            }
            let mut last = Vec::new();
            for index in &kept {
                match row.get_ref(*index).map_err(|error| failed_with(&error))? {
                    ValueRef::Null => {
                        let message = format!("a row has no `{}`, which is to tell rows apart", names[*index]);
                        return Err(failed(ID, message));
                    }
                    value => last.push(written(value)),
                }
            }
            let gone = match deleted {
                None => false,
                Some(index) => match row.get_ref(index).map_err(|error| failed_with(&error))? {
                    ValueRef::Null | ValueRef::Integer(0) => false,
                    ValueRef::Text(text) => !matches!(text.to_ascii_lowercase().as_slice(), b"" | b"0" | b"false"),
                    _ => true,
                },
            };
            read.last = Some(last);
            let list = if gone { &mut read.deleted } else { &mut read.records };
            list.push(Value::Object(record).to_string());
        }
        Ok(read)
    }
}

fn open(options: &Options, host: &dyn ConnectorHost) -> Result<Connection, ConnectorError> {
    let file = options.need("file", "data/shop.db")?;
    let path = host.path(file).map_err(|reason| config_error(ID, reason))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(&path, flags).map_err(|error| said(file, &error))?;
    database.busy_timeout(BUSY).map_err(|error| said(file, &error))?;
    Ok(database)
}

/// The tables and views, in order of name.
fn tables(database: &Connection) -> Result<Vec<String>, ConnectorError> {
    let sql = "select name from sqlite_schema where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\' order by name";
    let read = || {
        let mut statement = database.prepare(sql)?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
    };
    read().map_err(|error| said("the database", &error))
}

fn columns(database: &Connection, table: &str) -> Result<Vec<Column>, ConnectorError> {
    let read = || {
        let mut statement = database.prepare("select name, type, pk from pragma_table_info(?1)")?;
        let column = |row: &rusqlite::Row<'_>| {
            let declared: String = row.get(1)?;
            Ok(Column { name: row.get(0)?, kind: kind(&declared).to_string(), key: row.get(2)? })
        };
        statement.query_map([table], column)?.collect::<rusqlite::Result<Vec<Column>>>()
    };
    read().map_err(|error| said("the table", &error))
}

fn primary_key(columns: &[Column]) -> Vec<String> {
    let mut key: Vec<&Column> = columns.iter().filter(|column| column.key > 0).collect();
    key.sort_by_key(|column| column.key);
    key.into_iter().map(|column| column.name.clone()).collect()
}

/// The word of the language for a declared type, in the order of <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>,
/// after the names that people give to moments.
fn kind(declared: &str) -> &'static str {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    match () {
        () if has(&["DATETIME", "TIMESTAMP"]) => "time",
        () if has(&["DATE"]) => "date",
        () if has(&["BOOL"]) => "bool",
        () if has(&["INT"]) => "count",
        () if has(&["CHAR", "CLOB", "TEXT"]) => "text",
        () if has(&["REAL", "FLOA", "DOUB", "NUM", "DEC"]) => "number",
        () => "",
    }
}

/// A value as a record shows it: numbers as they are, a blob as hexadecimal digits.
fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        // There is no JSON number for what is not finite: its text is rejected where a number is read.
        ValueRef::Real(number) => {
            serde_json::Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
        }
        ValueRef::Text(text) => Value::String(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::String(hexadecimal(bytes)),
    }
}

/// A value as a place keeps it, with its type before it: SQLite compares by type first.
fn written(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null:".to_string(),
        ValueRef::Integer(number) => format!("integer:{number}"),
        ValueRef::Real(number) => format!("real:{number:?}"),
        ValueRef::Text(text) => format!("text:{}", String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => format!("blob:{}", hexadecimal(bytes)),
    }
}

fn value(text: &str) -> Result<Sql, ConnectorError> {
    let bad = || config_error(ID, format!("the state cannot be read: `{text}` is no value"));
    let (kind, rest) = text.split_once(':').ok_or_else(bad)?;
    Ok(match kind {
        "integer" => Sql::Integer(rest.parse().map_err(|_| bad())?),
        "real" => Sql::Real(rest.parse().map_err(|_| bad())?),
        "text" => Sql::Text(rest.to_string()),
        "blob" => {
            let digits = |at: usize| rest.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
            Sql::Blob((0..rest.len()).step_by(2).map(digits).collect::<Option<_>>().ok_or_else(bad)?)
        }
        _ => return Err(bad()),
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What SQLite says of something, by what the user can do.
fn said(what: &str, error: &rusqlite::Error) -> ConnectorError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            transient(ID, format!("{what} is locked by another program"), None)
        }
        Some(ErrorCode::NotADatabase) => config_error(ID, format!("{what} is no SQLite database")),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            config_error(ID, format!("cannot open {what}: {error}"))
        }
        Some(ErrorCode::DatabaseCorrupt) => failed(ID, format!("{what} is damaged: {error}")),
        Some(ErrorCode::Unknown) | None => config_error(ID, format!("{what}: {error}")),
        Some(_) => failed(ID, format!("{what}: {error}")),
    }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
