//! Doing what a definition says: one page per call, with nothing kept in between.

use super::definition::{Definition, Paginate, Request, Stream, TimeForm, schema};
use super::paginate;
use super::path::{at, text_at};
use super::render::{Values, read_moment, written};
use super::state::{Phase, Run, Spot, State};
use super::template::Template;
use kepi_extension::{
    Connector, ConnectorError, ConnectorHost, FunctionError, HttpError, HttpRequest, HttpResponse, Page, PageRequest,
    StreamShape,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a window is cut in one call.
const CUTS_MAX: usize = 64;
/// How much of an answer is shown in a message.
const SHOWN: usize = 300;

/// A connector that a definition describes.
#[derive(Clone, Debug)]
pub struct RestConnector {
    id: String,
    definition: Definition,
}

/// A record, or the key of one that is gone.
enum Item {
    Record(Value),
    Gone(Value),
}

/// What a request gave.
struct Answer {
    items: Vec<Item>,
    /// None: the window is read to its end.
    next: Option<Spot>,
    /// A token that stays good after the end.
    token: Option<String>,
    /// How many records there are in the window, where the service says so.
    total: Option<u64>,
}

impl RestConnector {
    /// The connector of a definition; `id` names it in messages.
    pub fn new(id: &str, definition: Definition) -> RestConnector {
        RestConnector { id: id.to_string(), definition }
    }

    fn config_error(&self, message: impl Into<String>) -> ConnectorError {
        ConnectorError::Config { connector: self.id.clone(), message: message.into() }
    }

    fn failed(&self, message: impl Into<String>) -> ConnectorError {
        let function = "read".to_string();
        ConnectorError::Failed(FunctionError::Failed { plugin: self.id.clone(), function, message: message.into() })
    }

    fn transient(&self, message: String, retry_after: Option<Duration>) -> ConnectorError {
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

    fn base_url(&self, values: &Values) -> Result<String, ConnectorError> {
        if let Some(base) = values.config.get("base_url") {
            return Ok(base.trim_end_matches('/').to_string());
        }
        let base = values.plain(&self.definition.base_url).map_err(|reason| self.config_error(reason))?;
        let base = base.ok_or_else(|| self.config_error("an option that the address needs is empty"))?;
        Ok(base.trim_end_matches('/').to_string())
    }

    /// Asks for an address and gives the answer where it is a good one.
    fn ask(
        &self,
        host: &dyn ConnectorHost,
        values: &Values,
        method: &str,
        url: String,
        body: Option<Value>,
    ) -> Result<HttpResponse, ConnectorError> {
        let mut headers = vec![("Accept".to_string(), "application/json".to_string())];
        for (name, template) in &self.definition.headers {
            if let Some(value) = values.plain(template).map_err(|reason| self.config_error(reason))? {
                headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                headers.push((name.clone(), value));
            }
        }
        if body.is_some() {
            headers.push(("Content-Type".to_string(), "application/json".to_string()));
        }
        let body = body.map(|body| body.to_string().into_bytes());
        let request = HttpRequest { method: method.to_string(), url, headers, body };
        host.fetch(&request).map_err(|error| match error {
            HttpError::Denied(reason) => self.config_error(reason),
            HttpError::Network(reason) => self.transient(reason, None),
            HttpError::TooLarge(reason) => self.failed(reason),
            HttpError::Cancelled => self.transient("cancelled".to_string(), None),
        })
    }

    /// The answer as JSON, or what its status says.
    fn judged(&self, answer: &HttpResponse, what: &str) -> Result<Value, ConnectorError> {
        let text = String::from_utf8_lossy(&answer.body);
        let parsed: Option<Value> = serde_json::from_str(&text).ok();
        let status = answer.status;
        if (200..300).contains(&status) {
            return parsed
                .ok_or_else(|| self.transient(format!("the answer to {what} is no JSON, or it was cut off"), None));
        }
        let said = parsed.as_ref().and_then(|body| {
            let places = [
                self.definition.error_message.as_str(),
                "message",
                "error.message",
                "0.message",
                "description",
                "error",
            ];
            places.iter().filter(|place| !place.is_empty()).find_map(|place| text_at(body, place))
        });
        let said: String = said.unwrap_or_else(|| text.trim().to_string()).chars().take(SHOWN).collect();
        let message = if said.is_empty() {
            format!("status {status} for {what}")
        } else {
            format!("status {status} for {what}: {said}")
        };
        let busy = self.definition.busy_words.iter().any(|word| text.contains(word.as_str()));
        let seconds = answer.header("retry-after").and_then(|value| value.trim().parse().ok());
        Err(match status {
            _ if busy => self.transient(message, seconds.map(Duration::from_secs)),
            401 | 403 => ConnectorError::Refused { connector: self.id.clone(), message },
            408 | 425 | 429 | 500..=599 => self.transient(message, seconds.map(Duration::from_secs)),
            _ => self.failed(message),
        })
    }

    /// Asks for one page of a request.
    fn page(
        &self,
        host: &dyn ConnectorHost,
        request: &Request,
        spot: &Spot,
        values: &mut Values,
    ) -> Result<(Value, HttpResponse), ConnectorError> {
        values.page_size = request.page_size;
        let base = self.base_url(values)?;
        if let Spot::Url(url) = spot {
            let shown = format!("{} {}", request.method, without_query(url));
            let answer = self.ask(host, values, &request.method, absolute(&base, url), None)?;
            return Ok((self.judged(&answer, &shown)?, answer));
        }
        if let Paginate::Keyset { keys, start, .. } = &request.paginate
            && *spot == Spot::Start
        {
            for (key, template) in keys.iter().zip(start) {
                if let Some(value) = values.plain(template).map_err(|reason| self.config_error(reason))? {
                    values.last.insert(key.clone(), value);
                }
            }
        }
        let path = values.address(&request.path);
        let path = path.ok_or_else(|| self.config_error("an option that the path needs is empty"))?;
        let mut url = format!("{base}{path}");
        let mut mark = if path.contains('?') { '&' } else { '?' };
        for (name, template) in &request.query {
            if let Some(value) = values.query(template) {
                url.push(mark);
                url.push_str(&crate::service::percent_encoded(name));
                url.push('=');
                url.push_str(&value);
                mark = '&';
            }
        }
        let body = match &request.body {
            None => None,
            Some(tree) => values.body(tree).map_err(|reason| self.failed(reason))?,
        };
        let answer = self.ask(host, values, &request.method, url, body)?;
        Ok((self.judged(&answer, &format!("{} {path}", request.method))?, answer))
    }

    /// Asks for one page and finds its records and what comes next.
    fn answer(
        &self,
        host: &dyn ConnectorHost,
        stream: &Stream,
        request: &Request,
        spot: &Spot,
        mut values: Values,
    ) -> Result<(Vec<Value>, Answer), ConnectorError> {
        if let Spot::Cursor(token) = spot {
            values.cursor = Some(token.clone());
        }
        match (&request.paginate, spot) {
            (Paginate::Offset { .. }, Spot::Offset(offset)) => values.offset = Some(*offset),
            (Paginate::Offset { .. }, _) => values.offset = Some(0),
            (Paginate::Page { .. }, Spot::Page(page)) => values.page = Some(*page),
            (Paginate::Page { first }, _) => values.page = Some(*first),
            (_, Spot::Last(last)) => values.last = last.clone(),
            _ => {}
        }
        let (offset, page) = (values.offset.unwrap_or(0), values.page.unwrap_or(1));
        let (body, response) = self.page(host, request, spot, &mut values)?;
        let records = match at(&body, &request.records) {
            Some(Value::Array(records)) => records.clone(),
            Some(_) => return Err(self.failed(format!("`{}` of the answer is no list", request.records))),
            // Null, as some services write an empty list; but not there at all is another service.
            None if body.pointer(&format!("/{}", request.records.replace('.', "/"))).is_some() => Vec::new(),
            None => return Err(self.failed(format!("the answer has no `{}`", request.records))),
        };
        let says = paginate::says_more(&body, request.more.as_deref(), request.end.as_deref());
        let count = |place: &str| at(&body, place).and_then(Value::as_u64);
        let mut token = None;
        let next = match &request.paginate {
            Paginate::None => None,
            Paginate::Cursor { token: place, keep } => {
                let next = paginate::cursor(&body, place).map_err(|reason| self.failed(reason))?;
                if *keep {
                    token.clone_from(&next);
                }
                next.map(Spot::Cursor)
            }
            Paginate::Offset { total } => {
                let total = total.as_deref().and_then(count);
                match says {
                    Some(true) => Some(Spot::Offset(offset + records.len() as u64)).filter(|_| !records.is_empty()),
                    _ => paginate::offset(offset, records.len(), request.page_size, total).map(Spot::Offset),
                }
            }
            Paginate::Page { .. } => match says {
                Some(true) => Some(Spot::Page(page + 1)).filter(|_| !records.is_empty()),
                _ => paginate::page_number(page, records.len(), request.page_size).map(Spot::Page),
            },
            Paginate::Link => response.header("link").and_then(paginate::link_header).map(Spot::Url),
            Paginate::Next { url } => text_at(&body, url).filter(|url| !url.is_empty()).map(Spot::Url),
            Paginate::Keyset { keys, until_empty, .. } => {
                let full = *until_empty || says.is_some() || records.len() as u64 >= u64::from(request.page_size);
                let mut last = paginate::keyset(&records, keys).map_err(|reason| self.failed(reason))?;
                // A service may write moments otherwise than it reads them.
                if let (Some(last), Some(field), Some(record)) = (&mut last, &stream.shape.cursor_field, records.last())
                    && keys.contains(field)
                    && let Some(moment) = at(record, field).and_then(read_moment)
                {
                    last.insert(field.clone(), text_of(&written(moment, stream.time)));
                }
                last.filter(|_| full).map(Spot::Last)
            }
        };
        if let Some(Spot::Url(url)) = &next
            && url.contains("{{")
        {
            return Err(self.failed("the address of the next page has `{{` in it, and is not called"));
        }
        let next = next.filter(|_| says != Some(false));
        let total = stream.cap.as_ref().and_then(|(_, place)| count(place));
        Ok((records, Answer { items: Vec::new(), next, token, total }))
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
    ) -> Result<Answer, ConnectorError> {
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
        let (records, mut answer) = self.answer(host, stream, request, &run.spot, values.clone())?;
        let recent = |record: &Value| match &request.only_since {
            None => true,
            Some(field) => at(record, field).and_then(read_moment).is_none_or(|moment| moment >= run.since),
        };
        let records = records.into_iter().filter(recent);
        answer.items = match (run.phase, &stream.changes) {
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
        Ok(answer)
    }

    /// The run that goes on, or a new one; none: nothing can be new yet.
    fn run(&self, stream: &Stream, state: &State, since: Option<i64>, host: &dyn ConnectorHost) -> Option<Run> {
        if let Some(run) = &state.run {
            return Some(run.clone());
        }
        let step = step_of(stream.time);
        let now = host.now();
        let until = (now - stream.settle).div_euclid(step) * step;
        let mut phase = Phase::Read;
        let begin = since.unwrap_or(stream.begin);
        let mut since = match state.done {
            Some(done) => done - stream.lookback,
            None => begin,
        };
        if let (Some(changes), Some(done)) = (&stream.changes, state.done) {
            if now - done < changes.keep {
                phase = Phase::Changes;
            } else {
                host.log("the last run is longer ago than the service keeps changes: everything is read anew");
                since = stream.begin;
            }
        }
        if stream.is_incremental() && since >= until && state.token.is_none() {
            return None;
        }
        let spot = state.token.clone().map_or(Spot::Start, Spot::Cursor);
        Some(Run { since, until, phase, windows: vec![(since, until)], spot, skip: 0, skipped: 0 })
    }
}

/// What comes after the page: the next page, window or phase; none: the run has ended.
fn after(stream: &Stream, mut run: Run, next: Option<Spot>) -> Option<Run> {
    run.skip = 0;
    run.skipped = 0;
    if let Some(spot) = next {
        run.spot = spot;
        return Some(run);
    }
    run.windows.pop();
    run.spot = Spot::Start;
    if !run.windows.is_empty() {
        return Some(run);
    }
    if run.phase != Phase::Deleted && stream.deleted.is_some() {
        run.phase = Phase::Deleted;
        run.windows = vec![(run.since, run.until)];
        return Some(run);
    }
    None
}

/// The finest difference of time that a form can say, in microseconds.
fn step_of(form: TimeForm) -> i64 {
    match form {
        TimeForm::Unix => 1_000_000,
        TimeForm::UnixMs | TimeForm::Rfc3339 => 1_000,
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// An address that may be given from the host on.
fn absolute(base: &str, url: &str) -> String {
    if url.contains("://") {
        return url.to_string();
    }
    let start = base.find("://").map_or(0, |at| at + 3);
    let host = base[start..].find('/').map_or(base, |at| &base[..start + at]);
    format!("{host}{}{url}", if url.starts_with('/') { "" } else { "/" })
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
        let mut answer = self.step(host, stream, &run, &config)?;
        let mut cuts = 0;
        while let (Some((most, _)), Some(total)) = (&stream.cap, answer.total)
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
            answer = self.step(host, stream, &run, &config)?;
        }
        let wanted = request.page_size.max(1) as usize;
        let total = answer.items.len();
        if run.skip > total || keys_of(stream, &answer.items[..run.skip]) != run.skipped {
            run.skip = 0;
        }
        let given = (run.skip + wanted).min(total);
        let skipped = keys_of(stream, &answer.items[..given]);
        let mut page = Page::default();
        for item in answer.items.into_iter().skip(run.skip).take(wanted) {
            match item {
                Item::Record(record) => page.records.push(record.to_string()),
                Item::Gone(key) => page.deleted.push(key.to_string()),
            }
        }
        let until = run.until;
        let next = match run.skip + wanted < total {
            true => Some(Run { skip: run.skip + wanted, skipped, ..run }),
            false => after(stream, run, answer.next),
        };
        page.more = next.is_some();
        let state = match next {
            Some(run) => State { run: Some(run), ..state },
            None => {
                let done = stream.is_incremental().then_some(until);
                let token = answer.token.or(state.token).filter(|_| stream.is_incremental());
                State { done, token, run: None }
            }
        };
        page.cursor = Some(serde_json::to_string(&state).map_err(|error| self.failed(error.to_string()))?);
        Ok(page)
    }
}
