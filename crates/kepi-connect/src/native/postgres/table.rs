//! What a stream reads of a PostgreSQL database, page by page. The server writes the records as JSON, so that numbers
//! keep every digit.

use super::super::config_error;
use super::super::keyset::{Place, Rows, clauses};
use super::super::options::Options;
use super::ID;
use super::connect::said;
use kepi_extension::{ConnectorError, StreamField, StreamShape};
use postgres::types::{ToSql, Type};
use postgres::{Row, Transaction};

/// How many tables a message names.
const NAMED_MAX: usize = 20;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// What a stream reads.
pub(super) struct Table {
    /// What stands behind `from`.
    relation: String,
    /// The column that rises.
    pub(super) moment: Option<Column>,
    key: Vec<Column>,
    deleted: Option<Column>,
}

/// A column: its name, and its type as a cast names it.
#[derive(Clone)]
pub(super) struct Column {
    name: String,
    cast: String,
    type_name: String,
}

impl Table {
    /// What a stream's name, or the option `query`, stands for.
    pub(super) fn of(session: &mut Transaction<'_>, stream: &str, options: &Options) -> Result<Table, ConnectorError> {
        let query = options.get("query").map(|query| query.trim_end_matches(';'));
        let relation = match query {
            Some(query) => format!("({query}) as q"),
            None => stream.split('.').map(quoted).collect::<Vec<_>>().join("."),
        };
        if query.is_none() && !is_there(session, &relation)? {
            let known: Vec<String> = names(session)?;
            let more = if known.len() > NAMED_MAX { ", …" } else { "" };
            let known = known.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(config_error(ID, format!("there is no table `{stream}`; there are {known}{more}")));
        }
        let what = if query.is_some() { "the query" } else { stream };
        let statement = session.prepare(&format!("select * from {relation} limit 0"));
        let statement = statement.map_err(|error| said(what, &error))?;
        let columns: Vec<Column> = statement
            .columns()
            .iter()
            .map(|column| Column {
                name: column.name().to_string(),
                cast: format!("{}.{}", quoted(column.type_().schema()), quoted(column.type_().name())),
                type_name: column.type_().name().to_string(),
            })
            .collect();
        if let Some(twice) = (1..columns.len()).find(|at| columns[..*at].iter().any(|c| c.name == columns[*at].name)) {
            let message = format!("two columns are called `{}`: give one another name with `as`", columns[twice].name);
            return Err(config_error(ID, message));
        }
        let column = |what: &str, name: &str| match columns.iter().find(|column| column.name == name) {
            Some(column) => Ok(column.clone()),
            None => {
                let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                let message = format!("`{what}`: there is no column `{name}`; there are {}", known.join(", "));
                Err(config_error(ID, message))
            }
        };
        let mut key = options.names("key");
        if key.is_empty() && query.is_none() {
            key = primary_key(session, &relation)?;
        }
        if key.is_empty() {
            let message = "nothing tells the rows apart: there is no primary key, so write `key = \"…\"` with the columns that do";
            return Err(config_error(ID, message));
        }
        Ok(Table {
            key: key.iter().map(|name| column("key", name)).collect::<Result<_, _>>()?,
            moment: options.get("cursor").map(|name| column("cursor", name)).transpose()?,
            deleted: options.get("deleted").map(|name| column("deleted", name)).transpose()?,
            relation,
        })
    }

    /// Where reading begins for an instant in microseconds UTC. A moment without a zone may be local time anywhere, so that
    /// it begins a day earlier: nothing that is wanted is left out.
    pub(super) fn since(&self, session: &mut Transaction<'_>, since: i64) -> Result<String, ConnectorError> {
        let column = self.moments("--since")?;
        let since = if column.type_name == "timestamptz" { since } else { since.saturating_sub(DAY) };
        let sql = format!(
            "select ('epoch'::timestamptz + $1::text::bigint * interval '1 microsecond')::{}::text",
            column.cast
        );
        one(session, &sql, &[&since.to_string()])
    }

    /// A place as far back as `lookback` says.
    pub(super) fn before(
        &self,
        session: &mut Transaction<'_>,
        after: &[String],
        lookback: &str,
    ) -> Result<Vec<String>, ConnectorError> {
        let column = self.moments("lookback")?;
        let Some(last) = after.first() else { return Ok(Vec::new()) };
        let sql = format!("select ($1::text::{0} - $2::text::interval)::{0}::text", column.cast);
        one(session, &sql, &[last, lookback]).map(|text| vec![text])
    }

    /// The column that rises, where it is one of moments.
    fn moments(&self, what: &str) -> Result<&Column, ConnectorError> {
        let column =
            self.moment.as_ref().filter(|c| matches!(c.type_name.as_str(), "timestamptz" | "timestamp" | "date"));
        column.ok_or_else(|| config_error(ID, format!("`{what}` needs a `cursor` of timestamps or dates")))
    }

    /// The next rows.
    pub(super) fn page(
        &self,
        session: &mut Transaction<'_>,
        place: &Place,
        wanted: usize,
    ) -> Result<Rows, ConnectorError> {
        let key: Vec<String> = self.key.iter().map(|column| quoted(&column.name)).collect();
        let moment = self.moment.as_ref().map(|column| quoted(&column.name));
        let compared: Vec<&Column> = if self.moment.is_some() {
            self.moment.iter().chain(&self.key).collect()
        } else {
            self.key.iter().collect()
        };
        let parameter = |number: usize, column: usize| {
            let cast = compared.get(column).map_or("text", |column| column.cast.as_str());
            format!("${number}::text::{cast}")
        };
        let (filter, order, after) = clauses(place, moment.as_deref(), &key, parameter);
        let deleted = match &self.deleted {
            None => "false".to_string(),
            Some(column) if column.type_name == "bool" => format!("coalesce(p.{}, false)", quoted(&column.name)),
            Some(column) => format!("p.{} is not null", quoted(&column.name)),
        };
        // Among rows without a moment only the key says where to go on.
        let moment = moment.filter(|_| place.without.is_none());
        let kept: Vec<String> = moment.iter().chain(&key).map(|name| format!("p.{name}::text")).collect();
        let sql = format!(
            "with kepi_page as (select * from {} where {filter} order by {order} limit {wanted}) \
             select row_to_json(p)::text, {deleted}, array[{}] from kepi_page p order by {}",
            self.relation,
            kept.join(", "),
            moment.iter().chain(&key).map(|name| format!("p.{name}")).collect::<Vec<_>>().join(", "),
        );
        let after: Vec<&str> = after.iter().map(String::as_str).collect();
        let mut read = Rows { records: Vec::new(), deleted: Vec::new(), last: None };
        let rows = query(session, &sql, &after)?;
        if let Some(row) = rows.last() {
            let last: Vec<Option<String>> = value(row, 2)?;
            let names = self.moment.iter().filter(|_| moment.is_some()).chain(&self.key);
            let last: Result<Vec<String>, _> = last
                .into_iter()
                .zip(names)
                .map(|(text, column)| {
                    text.ok_or_else(|| {
                        config_error(ID, format!("a row has no `{}`, which is to tell rows apart", column.name))
                    })
                })
                .collect();
            read.last = Some(last?);
        }
        for row in &rows {
            let record: String = value(row, 0)?;
            let list = if value(row, 1)? { &mut read.deleted } else { &mut read.records };
            list.push(record);
        }
        Ok(read)
    }
}

/// The tables and views that the role may read, with their columns.
pub(super) fn shapes(session: &mut Transaction<'_>) -> Result<Vec<StreamShape>, ConnectorError> {
    let mut shapes = Vec::new();
    for name in names(session)? {
        let relation = name.split('.').map(quoted).collect::<Vec<_>>().join(".");
        let sql = "select attname::text, format_type(atttypid, null), coalesce(col_description(attrelid, attnum), '') \
                   from pg_attribute where attrelid = to_regclass($1::text) and attnum > 0 and not attisdropped order by attnum";
        let mut fields = Vec::new();
        for row in query(session, sql, &[&relation])? {
            let type_name: String = value(&row, 1)?;
            fields.push(StreamField {
                name: value(&row, 0)?,
                kind: kind(&type_name).to_string(),
                doc: value(&row, 2)?,
            });
        }
        let primary_key = primary_key(session, &relation)?;
        shapes.push(StreamShape { name, fields, primary_key, cursor_field: None });
    }
    Ok(shapes)
}

/// The word of the language for a type, as `format_type` names it.
fn kind(type_name: &str) -> &'static str {
    match type_name {
        "smallint" | "integer" | "bigint" => "count",
        "numeric" | "real" | "double precision" => "number",
        "boolean" => "bool",
        "date" => "date",
        name if name.starts_with("timestamp") => "time",
        "text" | "character varying" | "character" | "uuid" | "name" => "text",
        _ => "",
    }
}

fn names(session: &mut Transaction<'_>) -> Result<Vec<String>, ConnectorError> {
    let sql = "select case when n.nspname = 'public' then c.relname::text else n.nspname || '.' || c.relname end as name \
               from pg_class c join pg_namespace n on n.oid = c.relnamespace \
               where c.relkind in ('r', 'v', 'm', 'p', 'f') and n.nspname not in ('pg_catalog', 'information_schema') \
               and n.nspname not like 'pg\\_%' and has_table_privilege(c.oid, 'select') order by name";
    query(session, sql, &[])?.iter().map(|row| value(row, 0)).collect()
}

fn is_there(session: &mut Transaction<'_>, relation: &str) -> Result<bool, ConnectorError> {
    let rows = query(session, "select to_regclass($1::text) is not null", &[relation])?;
    rows.first().map_or(Ok(false), |row| value(row, 0))
}

fn primary_key(session: &mut Transaction<'_>, relation: &str) -> Result<Vec<String>, ConnectorError> {
    let sql = "select a.attname::text from pg_index i cross join lateral unnest(i.indkey::int2[]) with ordinality as k(num, place) \
               join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.num \
               where i.indrelid = to_regclass($1::text) and i.indisprimary order by k.place";
    query(session, sql, &[relation])?.iter().map(|row| value(row, 0)).collect()
}

/// Asks with texts as parameters: no statement is kept on the server, so that poolers do not mind.
fn query(session: &mut Transaction<'_>, sql: &str, given: &[&str]) -> Result<Vec<Row>, ConnectorError> {
    let parameters: Vec<(&(dyn ToSql + Sync), Type)> =
        given.iter().map(|text| (text as &(dyn ToSql + Sync), Type::TEXT)).collect();
    session.query_typed(sql, &parameters).map_err(|error| said("the server", &error))
}

fn one(session: &mut Transaction<'_>, sql: &str, given: &[&str]) -> Result<String, ConnectorError> {
    let rows = query(session, sql, given)?;
    rows.first().map_or(Ok(String::new()), |row| value(row, 0))
}

fn value<'a, T: postgres::types::FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, ConnectorError> {
    row.try_get(index).map_err(|error| said("the server's answer", &error))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
