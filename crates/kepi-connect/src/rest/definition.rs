//! What a web service's definition says, read and checked; mistakes with line and column.

use super::render::Tree;
use super::template::{Name, Template};
use super::written::{
    OneOrMore, Written, WrittenChanges, WrittenKind, WrittenPaginate, WrittenRequest, WrittenStream, WrittenTime,
};
use crate::service::period;
use kepi_extension::{StreamField, StreamShape};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// How a service writes moments.
pub(super) type TimeForm = WrittenTime;

/// A web service as its definition describes it.
#[derive(Clone, Debug)]
pub struct Definition {
    pub(super) base_url: Template,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) config: Vec<ConfigOption>,
    pub(super) check: Option<Template>,
    pub(super) error_message: String,
    pub(super) busy_words: Vec<String>,
    pub(super) streams: Vec<Stream>,
}

/// A mistake in a definition and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct DefinitionError {
    /// The file.
    pub file: String,
    /// The line; the first is 1.
    pub line: usize,
    /// The column in characters; the first is 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

#[derive(Clone, Debug)]
pub(super) struct ConfigOption {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) default: Option<String>,
    pub(super) optional: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) shape: StreamShape,
    pub(super) time: TimeForm,
    /// Records become visible only so long after they changed, in microseconds.
    pub(super) settle: i64,
    /// How far before the end of the last run the next one begins.
    pub(super) lookback: i64,
    /// Where the first run begins.
    pub(super) begin: i64,
    /// The service gives no more than so many records of one window, and tells how many there are.
    pub(super) cap: Option<(u64, String)>,
    pub(super) delete: Option<(String, Value)>,
    pub(super) read: Request,
    pub(super) deleted: Option<Request>,
    pub(super) changes: Option<Changes>,
}

impl Stream {
    /// Whether it is read by what changed since the last run.
    pub(super) fn is_incremental(&self) -> bool {
        self.shape.cursor_field.is_some()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Changes {
    pub(super) list: Request,
    pub(super) reference: String,
    pub(super) object: Template,
    /// How long the service keeps them, in microseconds.
    pub(super) keep: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: Template,
    pub(super) query: Vec<(String, Template)>,
    pub(super) body: Option<Tree>,
    pub(super) records: String,
    pub(super) page_size: u32,
    pub(super) paginate: Paginate,
    pub(super) more: Option<String>,
    pub(super) end: Option<String>,
    pub(super) only_since: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Paginate {
    None,
    Cursor { token: String, keep: bool },
    Offset { total: Option<String> },
    Page { first: u64 },
    Link,
    Next { url: String },
    Keyset { keys: Vec<String>, start: Vec<Template>, until_empty: bool },
}

type Mistake = (Range<usize>, String);

impl Definition {
    /// Reads a definition; `file` is only for messages.
    pub fn parse(file: &str, text: &str) -> Result<Definition, DefinitionError> {
        let written = toml::from_str(text).map_err(|e| (e.span().unwrap_or(0..0), e.message().to_string()));
        written.and_then(check).map_err(|(span, message)| {
            let before = text.get(..span.start).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            DefinitionError {
                file: file.to_string(),
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
                message,
            }
        })
    }

    pub(super) fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.shape.name == name)
    }
}

fn check(written: Written) -> Result<Definition, Mistake> {
    let mut config: Vec<ConfigOption> = Vec::new();
    for (name, option) in written.config {
        config.push(ConfigOption { name, doc: option.doc, default: option.default, optional: option.optional });
    }
    let names: Vec<String> = config.iter().map(|option| option.name.clone()).collect();
    // These are filled before a page is known.
    let fixed = |text: &Spanned<String>| {
        let template = template(text, &names)?;
        if template.values().any(|name| !matches!(name, Name::Config(_))) {
            return Err((text.span(), "only {{config.NAME}} and secrets can stand here".to_string()));
        }
        Ok(template)
    };
    let mut headers = Vec::new();
    for (name, text) in &written.headers {
        headers.push((name.clone(), fixed(text)?));
    }
    let base_url = fixed(&written.base_url)?;
    if !written.base_url.get_ref().starts_with("https://") && !written.base_url.get_ref().starts_with("http://") {
        return Err((written.base_url.span(), "the address begins with neither https:// nor http://".to_string()));
    }
    let check = written.check.as_ref().map(fixed).transpose()?;
    let mut streams: Vec<Stream> = Vec::new();
    for stream in written.streams {
        if streams.iter().any(|known| known.shape.name == *stream.name.get_ref()) {
            return Err((stream.name.span(), format!("the stream `{}` is there twice", stream.name.get_ref())));
        }
        streams.push(check_stream(stream, &names)?);
    }
    let (error_message, busy_words) = (written.error_message, written.busy_words);
    Ok(Definition { base_url, headers, config, check, error_message, busy_words, streams })
}

fn template(text: &Spanned<String>, config: &[String]) -> Result<Template, Mistake> {
    Template::parse(text.get_ref(), config).map_err(|message| (text.span(), message))
}

fn check_stream(written: WrittenStream, config: &[String]) -> Result<Stream, Mistake> {
    let name = written.name.get_ref().clone();
    let place = written.name.span();
    if written.id.get_ref().is_empty() {
        return Err((written.id.span(), "the fields that tell records apart are missing: id = [\"id\"]".to_string()));
    }
    let length = |text: Option<Spanned<String>>| match text {
        None => Ok(0),
        Some(text) => {
            let length = period(text.get_ref()).and_then(|length| i64::try_from(length.as_micros()).ok());
            length.ok_or_else(|| (text.span(), format!("`{}` is no length of time such as 5min", text.get_ref())))
        }
    };
    let begin = match &written.begin {
        None => 0,
        Some(text) => {
            let whole = format!("{}T00:00:00Z", text.get_ref());
            let moment = super::render::read_moment(&Value::from(whole));
            moment.ok_or_else(|| (text.span(), format!("`{}` is no date such as 2010-01-01", text.get_ref())))?
        }
    };
    let mut fields = Vec::new();
    for (name, text) in &written.fields {
        let (kind, doc) = text.get_ref().split_once(' ').unwrap_or((text.get_ref(), ""));
        if !["number", "count", "money", "text", "bool", "time", "date"].contains(&kind) {
            let message =
                format!("`{kind}` is no kind: number, count, money, text, bool, time or date, then what it means");
            return Err((text.span(), message));
        }
        fields.push(StreamField { name: name.clone(), kind: kind.to_string(), doc: doc.trim().to_string() });
    }
    let incremental = written.cursor_field.is_some();
    let read = request(&written.read, config, Allowed { window: incremental, reference: false })?;
    let deleted =
        written.deleted.as_ref().map(|r| request(r, config, Allowed { window: incremental, reference: false }));
    let deleted = deleted.transpose()?;
    let changes = written.changes.map(|changes| check_changes(changes, config)).transpose()?;
    if changes.is_some() && !incremental {
        return Err((place, "a stream with changes needs a cursor_field".to_string()));
    }
    let cap = match (written.max_results, written.total) {
        (None, _) => None,
        (Some(most), Some(total)) if incremental && names(&read, &Name::Since) && names(&read, &Name::Until) => {
            Some((most, total))
        }
        (Some(_), _) => {
            let message = "max_results needs `total`, where the answer has the number of records, and {{since}} and \
                           {{until}} in the request, since the window is cut in two";
            return Err((place, message.to_string()));
        }
    };
    let keeps = matches!(read.paginate, Paginate::Cursor { keep: true, .. });
    if incremental && !keeps && !names(&read, &Name::Since) && changes.is_none() {
        let message =
            "the stream has a cursor_field, and its request has no {{since}}: it would be read whole each time";
        return Err((place, message.to_string()));
    }
    let delete = match written.delete {
        None => None,
        Some(delete) => match serde_json::to_value(&delete.is) {
            Ok(value) => Some((delete.field, value)),
            Err(error) => return Err((place, error.to_string())),
        },
    };
    Ok(Stream {
        shape: StreamShape {
            name,
            fields,
            primary_key: written.id.into_inner(),
            cursor_field: written.cursor_field.map(Spanned::into_inner),
        },
        time: written.time,
        settle: length(written.settle)?,
        lookback: length(written.lookback)?,
        begin,
        cap,
        delete,
        read,
        deleted,
        changes,
    })
}

fn check_changes(written: WrittenChanges, config: &[String]) -> Result<Changes, Mistake> {
    let object = template(&written.object, config)?;
    if !object.names(&Name::Reference) {
        return Err((written.object.span(), "the path of the object has no {{ref}} in it".to_string()));
    }
    let keep = period(written.keep.get_ref()).and_then(|keep| i64::try_from(keep.as_micros()).ok());
    let keep = keep.ok_or_else(|| (written.keep.span(), "a length of time such as 30d is needed".to_string()))?;
    let list = request(&written.list, config, Allowed { window: true, reference: false })?;
    Ok(Changes { list, reference: written.reference, object, keep })
}

/// All templates of a request.
fn templates(request: &Request) -> Vec<&Template> {
    let queries = request.query.iter().map(|(_, template)| template);
    let mut all: Vec<&Template> = std::iter::once(&request.path).chain(queries).collect();
    all.extend(request.body.iter().flat_map(Tree::templates));
    if let Paginate::Keyset { start, .. } = &request.paginate {
        all.extend(start);
    }
    all
}

fn names(request: &Request, name: &Name) -> bool {
    templates(request).iter().any(|template| template.names(name))
}

/// What a request may name.
struct Allowed {
    window: bool,
    reference: bool,
}

fn request(written: &WrittenRequest, config: &[String], allowed: Allowed) -> Result<Request, Mistake> {
    let path = template(&written.path, config)?;
    if !written.path.get_ref().starts_with('/') {
        return Err((written.path.span(), "the path does not begin with `/`".to_string()));
    }
    let mut query = Vec::new();
    for (name, values) in &written.query {
        let values_of = match values.get_ref() {
            OneOrMore::One(value) => std::slice::from_ref(value),
            OneOrMore::More(values) => values.as_slice(),
        };
        for value in values_of {
            query.push((name.clone(), Template::parse(value, config).map_err(|message| (values.span(), message))?));
        }
    }
    let body = match &written.body {
        None => None,
        Some(body) => Some(Tree::parse(body.get_ref(), config).map_err(|message| (body.span(), message))?),
    };
    let paginate = check_paginate(&written.paginate, config)?;
    if written.page_size == 0 || !["GET", "POST"].contains(&written.method.as_str()) {
        return Err((written.path.span(), "the method is GET or POST, and page_size is not 0".to_string()));
    }
    let request = Request {
        method: written.method.clone(),
        path,
        query,
        body,
        records: written.records.clone(),
        page_size: written.page_size,
        paginate,
        more: written.paginate.get_ref().more.clone(),
        end: written.paginate.get_ref().end.clone(),
        only_since: written.only_since.clone(),
    };
    for template in templates(&request) {
        for name in template.values() {
            let wrong = match name {
                Name::Since | Name::Until if !allowed.window => "`{{since}}` and `{{until}}` need a cursor_field",
                Name::Reference if !allowed.reference => "`{{ref}}` is only known in the path of a changed object",
                Name::Offset if !matches!(request.paginate, Paginate::Offset { .. }) => {
                    "`{{offset}}` needs kind = \"offset\""
                }
                Name::Page if !matches!(request.paginate, Paginate::Page { .. }) => "`{{page}}` needs kind = \"page\"",
                Name::Cursor if !matches!(request.paginate, Paginate::Cursor { .. }) => {
                    "`{{cursor}}` needs kind = \"cursor\""
                }
                Name::Last(key) if !matches!(&request.paginate, Paginate::Keyset { keys, .. } if keys.contains(key)) => {
                    "`{{last.KEY}}` needs kind = \"keyset\" with this key"
                }
                _ => continue,
            };
            return Err((written.path.span(), wrong.to_string()));
        }
    }
    let needed = match request.paginate {
        Paginate::Cursor { .. } => Some((Name::Cursor, "{{cursor}}")),
        Paginate::Offset { .. } => Some((Name::Offset, "{{offset}}")),
        Paginate::Page { .. } => Some((Name::Page, "{{page}}")),
        _ => None,
    };
    if let Some((name, shown)) = needed
        && !names(&request, &name)
    {
        let message = format!("the request has no {shown}: each page would be the first one");
        return Err((written.paginate.span(), message));
    }
    Ok(request)
}

fn check_paginate(written: &Spanned<WrittenPaginate>, config: &[String]) -> Result<Paginate, Mistake> {
    let span = written.span();
    let written = written.get_ref();
    let missing = |what: &str| (span.clone(), format!("`{what}` is missing"));
    Ok(match written.kind {
        WrittenKind::None => Paginate::None,
        WrittenKind::Cursor => {
            let token = written.token.clone().ok_or_else(|| missing("token"))?;
            Paginate::Cursor { token, keep: written.keep }
        }
        WrittenKind::Offset => Paginate::Offset { total: written.total.clone() },
        WrittenKind::Page => Paginate::Page { first: written.first.unwrap_or(1) },
        WrittenKind::Link => Paginate::Link,
        WrittenKind::Next => Paginate::Next { url: written.token.clone().ok_or_else(|| missing("token"))? },
        WrittenKind::Keyset => {
            if written.keys.is_empty() || (!written.start.is_empty() && written.start.len() != written.keys.len()) {
                return Err((span, "a keyset needs `keys`, and where there is `start`, one for each".to_string()));
            }
            let start = written.start.iter().map(|text| Template::parse(text, config)).collect::<Result<_, _>>();
            let start = start.map_err(|message| (span, message))?;
            Paginate::Keyset { keys: written.keys.clone(), start, until_empty: written.until_empty }
        }
    })
}

/// The options as a JSON Schema.
pub(super) fn schema(definition: &Definition) -> String {
    let mut properties: BTreeMap<&str, Value> = BTreeMap::new();
    for option in &definition.config {
        let mut property = serde_json::json!({"type": "string", "description": option.doc});
        if let Some(default) = &option.default {
            property["default"] = default.as_str().into();
        }
        properties.insert(&option.name, property);
    }
    properties
        .insert("base_url", serde_json::json!({"type": "string", "description": "Another address of the service."}));
    let needed = definition.config.iter().filter(|option| !option.optional && option.default.is_none());
    let required: Vec<&str> = needed.map(|option| option.name.as_str()).collect();
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
    })
    .to_string()
}
