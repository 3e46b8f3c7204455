//! Doing what a definition says: one page per call, with nothing kept in between.

use super::ask::without_query;
use super::definition::{Definition, Stream, schema};
use super::page::Next;
use super::paginate;
use super::path::{at, text_at};
use super::render::{Values, read_moment};
use super::run::{after, step_of};
use super::state::{Phase, Run, Spot, State};
use super::template::Template;
use kepi_extension::{Connector, ConnectorError, ConnectorHost, FunctionError, Page, PageRequest, StreamShape};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a window is cut in one call.
const CUTS_MAX: usize = 64;

/// A connector that a definition describes.
#[derive(Clone, Debug)]
pub struct RestConnector {
    pub(super) id: String,
    pub(super) definition: Definition,
}

/// A record, or the key of one that is gone.
enum Item {
    Record(Value),
    Gone(Value),
}

/// What a page of a run holds.
struct Step {
    items: Vec<Item>,
    next: Next,
}

impl RestConnector {
    /// The connector of a definition; `id` names it in messages.
    pub fn new(id: &str, definition: Definition) -> RestConnector {
        RestConnector { id: id.to_string(), definition }
    }

    pub(super) fn config_error(&self, message: impl Into<String>) -> ConnectorError {
        ConnectorError::Config { connector: self.id.clone(), message: message.into() }
    }

    pub(super) fn failed(&self, message: impl Into<String>) -> ConnectorError {
        let function = "read".to_string();
        ConnectorError::Failed(FunctionError::Failed { plugin: self.id.clone(), function, message: message.into() })
    }

    pub(super) fn transient(&self, message: String, retry_after: Option<Duration>) -> ConnectorError {
        ConnectorError::Transient { connector: self.id.clone(), message, retry_after }
    }

    /// The options of the source with defaults.
    fn config(&self, text: &str) -> Result<BTreeMap<String, String>, ConnectorError> {
        let given: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| self.config_error("the configuration is no JSON object"))?;
        let known = |name: &str| name == "base_url" || self.definition.config.iter().any(|option| option.name == name);
        if let Some(name) = given.keys().find(|name| !known(name)) {
            let mut names: Vec<&str> = self.definition.config.iter().map(|option| option.name.as_str()).collect();
            names.push("base_url");
            return Err(self.config_error(format!("there is no option `{name}`; there are {}", names.join(", "))));
        }
        let mut config = BTreeMap::new();
        for option in &self.definition.config {
            let value = given.get(&option.name).and_then(Value::as_str).map(str::to_string).or(option.default.clone());
            match value {
                Some(value) => config.insert(option.name.clone(), value),
                None if option.optional => None,
                None => {
                    let message = format!("the option `{}` is missing: {}", option.name, option.doc);
                    return Err(self.config_error(message));
                }
            };
        }
        if let Some(base) = given.get("base_url").and_then(Value::as_str) {
            config.insert("base_url".to_string(), base.to_string());
        }
        Ok(config)
    }

    /// The key of a record.
    fn key(&self, stream: &Stream, record: &Value) -> Result<Value, ConnectorError> {
        let mut key = Map::new();
        for field in &stream.shape.primary_key {
            let value = at(record, field).ok_or_else(|| self.failed(format!("a record has no `{field}`")))?;
            key.insert(field.clone(), value.clone());
        }
        Ok(Value::Object(key))
    }

    /// A record, or the key of one that the service marks as gone.
    fn item(&self, stream: &Stream, record: Value) -> Result<Item, ConnectorError> {
        if !record.is_object() {
            return Err(self.failed("a record is no object"));
        }
        let gone = stream.delete.as_ref().is_some_and(|(field, is)| at(&record, field) == Some(is));
        Ok(if gone { Item::Gone(self.key(stream, &record)?) } else { Item::Record(record) })
    }

    /// Reads the objects anew that a page of changes is about.
    fn changed(
        &self,
        host: &dyn ConnectorHost,
        stream: &Stream,
        object: &Template,
        references: Vec<String>,
        values: &Values,
    ) -> Result<Vec<Item>, ConnectorError> {
        let base = self.base_url(values)?;
        let mut items = Vec::new();
        for reference in references {
            let values = Values { reference: Some(reference.clone()), ..values.clone() };
            let path =
                values.address(object).ok_or_else(|| self.config_error("an option that the path needs is empty"))?;
            let answer = self.ask(host, &values, "GET", format!("{base}{path}"), None)?;
            if matches!(answer.status, 404 | 410) {
                let mut key = Map::new();
                for field in &stream.shape.primary_key {
                    key.insert(field.clone(), reference.as_str().into());
                }
                items.push(Item::Gone(Value::Object(key)));
                continue;
            }
            items.push(self.item(stream, self.judged(&answer, &format!("GET {path}"))?)?);
        }
        Ok(items)
    }

    /// What one page of the run holds.
    fn step(
        &self,
        host: &dyn ConnectorHost,
        stream: &Stream,
        run: &Run,
        config: &BTreeMap<String, String>,
    ) -> Result<Step, ConnectorError> {
        let window = run.windows.last().copied();
        let values = Values {
            config: config.clone(),
            form: stream.time,
            since: window.map(|(since, _)| since),
            until: window.map(|(_, until)| until),
            ..Values::default()
        };
        let request = match (run.phase, &stream.changes, &stream.deleted) {
            (Phase::Changes, Some(changes), _) => &changes.list,
            (Phase::Deleted, _, Some(deleted)) => deleted,
            _ => &stream.read,
        };
        let (records, next) = self.answer(host, stream, request, &run.spot, values.clone())?;
        let recent = |record: &Value| match &request.only_since {
            None => true,
            Some(field) => at(record, field).and_then(read_moment).is_none_or(|moment| moment >= run.since),
        };
        let records = records.into_iter().filter(recent);
        let items = match (run.phase, &stream.changes) {
            (Phase::Changes, Some(changes)) => {
                let mut references: Vec<String> = Vec::new();
                for record in records {
                    let reference = text_at(&record, &changes.reference);
                    let reference =
                        reference.ok_or_else(|| self.failed(format!("a change has no `{}`", changes.reference)))?;
                    if !references.contains(&reference) {
                        references.push(reference);
                    }
                }
                self.changed(host, stream, &changes.object, references, &values)?
            }
            (Phase::Deleted, _) => {
                records.map(|record| self.key(stream, &record).map(Item::Gone)).collect::<Result<_, _>>()?
            }
            _ => records.map(|record| self.item(stream, record)).collect::<Result<_, _>>()?,
        };
        Ok(Step { items, next })
    }
}

/// A hash of the keys of items; 0 of none, and where nothing tells records apart.
fn keys_of(stream: &Stream, items: &[Item]) -> u64 {
    if items.is_empty() || stream.shape.primary_key.is_empty() {
        return 0;
    }
    let mut text = String::new();
    for item in items {
        let (Item::Record(value) | Item::Gone(value)) = item;
        for path in &stream.shape.primary_key {
            text.push_str(&at(value, path).map(Value::to_string).unwrap_or_default());
            text.push('\n');
        }
    }
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

impl Connector for RestConnector {
    fn config_schema(&self) -> Result<Option<String>, ConnectorError> {
        Ok(Some(schema(&self.definition)))
    }

    fn check(&self, config: &str, host: &dyn ConnectorHost) -> Result<(), ConnectorError> {
        let values = Values { config: self.config(config)?, ..Values::default() };
        let path = match &self.definition.check {
            Some(template) => values.address(template),
            None => return Ok(()),
        };
        let path = path.ok_or_else(|| self.config_error("an option that the path needs is empty"))?;
        let url = format!("{}{path}", self.base_url(&values)?);
        let answer = self.ask(host, &values, "GET", url, None)?;
        self.judged(&answer, &format!("GET {}", without_query(&path))).map(|_| ())
    }

    fn discover(&self, _: &str, _: &dyn ConnectorHost) -> Result<Vec<StreamShape>, ConnectorError> {
        Ok(self.definition.streams.iter().map(|stream| stream.shape.clone()).collect())
    }

    fn read(&self, request: &PageRequest, host: &dyn ConnectorHost) -> Result<Page, ConnectorError> {
        let Some(stream) = self.definition.stream(&request.stream) else {
            let known: Vec<&str> = self.definition.streams.iter().map(|stream| stream.shape.name.as_str()).collect();
            let message = format!("there is no stream `{}`; there are {}", request.stream, known.join(", "));
            return Err(self.config_error(message));
        };
        let config = self.config(&request.config)?;
        let state: State = match &request.cursor {
            None => State::default(),
            Some(text) => serde_json::from_str(text)
                .map_err(|_| self.config_error("the stored state is none of this connector; `--full` begins anew"))?,
        };
        let Some(mut run) = self.run(stream, &state, request.since, host) else {
            return Ok(Page { cursor: request.cursor.clone(), ..Page::default() });
        };
        let mut step = self.step(host, stream, &run, &config)?;
        let mut cuts = 0;
        while let (Some((most, _)), Some(total)) = (&stream.cap, step.next.total)
            && run.phase == Phase::Read
            && run.spot == Spot::Start
            && total > *most
            && let Some((since, until)) = run.windows.last().copied()
        {
            // The service would give only the first of them.
            let Some([first, second]) = paginate::halves(since, until, step_of(stream.time)) else {
                return Err(self.failed(format!("{total} records share one moment, and the service gives only {most}")));
            };
            run.windows.pop();
            run.windows.extend([second, first]);
            cuts += 1;
            if cuts > CUTS_MAX {
                return Err(self.failed("the window of time cannot be cut small enough"));
            }
            step = self.step(host, stream, &run, &config)?;
        }
        let wanted = request.page_size.max(1) as usize;
        let total = step.items.len();
        if run.skip > total || keys_of(stream, &step.items[..run.skip]) != run.skipped {
            run.skip = 0;
        }
        let given = (run.skip + wanted).min(total);
        let skipped = keys_of(stream, &step.items[..given]);
        let mut page = Page::default();
        for item in step.items.into_iter().skip(run.skip).take(wanted) {
            match item {
                Item::Record(record) => page.records.push(record.to_string()),
                Item::Gone(key) => page.deleted.push(key.to_string()),
            }
        }
        let until = run.until;
        let next = match run.skip + wanted < total {
            true => Some(Run { skip: run.skip + wanted, skipped, ..run }),
            false => after(stream, run, step.next.spot),
        };
        page.more = next.is_some();
        let state = match next {
            Some(run) => State { run: Some(run), ..state },
            None => {
                let done = stream.is_incremental().then_some(until);
                let token = step.next.token.or(state.token).filter(|_| stream.is_incremental());
                State { done, token, run: None }
            }
        };
        page.cursor = Some(serde_json::to_string(&state).map_err(|error| self.failed(error.to_string()))?);
        Ok(page)
    }
}
