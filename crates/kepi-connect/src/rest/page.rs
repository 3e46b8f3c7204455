//! One page of a request: its records, and where the next one begins.

use super::ask::without_query;
use super::connector::RestConnector;
use super::definition::{Paginate, Request, Stream};
use super::paginate;
use super::path::{at, text_at};
use super::render::{Values, read_moment, written};
use super::state::Spot;
use kepi_extension::{ConnectorError, ConnectorHost, HttpResponse};
use serde_json::Value;

/// What comes behind a page.
#[derive(Default)]
pub(super) struct Next {
    /// None: the window is read to its end.
    pub(super) spot: Option<Spot>,
    /// A token that stays good after the end.
    pub(super) token: Option<String>,
    /// How many records there are in the window, where the service says so.
    pub(super) total: Option<u64>,
}

impl RestConnector {
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
    pub(super) fn answer(
        &self,
        host: &dyn ConnectorHost,
        stream: &Stream,
        request: &Request,
        spot: &Spot,
        mut values: Values,
    ) -> Result<(Vec<Value>, Next), ConnectorError> {
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
        Ok((records, Next { spot: next, token, total }))
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
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
