//! What comes after a page: one plain function per way of paging. None: that was the last one.

use super::path::{at, text_at};
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest value of a key or token that is sent back.
const VALUE_CHARACTERS_MAX: usize = 4_096;

/// The token that the service gives to go on with.
pub(crate) fn cursor(body: &Value, token: &str) -> Result<Option<String>, String> {
    match text_at(body, token).filter(|token| !token.is_empty()) {
        Some(token) if token.len() > VALUE_CHARACTERS_MAX => {
            Err("the service gives a token that is too long".to_string())
        }
        token => Ok(token),
    }
}

/// The number of records before the next page. A total that the service tells ends it, else a page that is not full.
pub(crate) fn offset(before: u64, received: usize, page_size: u32, total: Option<u64>) -> Option<u64> {
    let next = before + received as u64;
    let more = match total {
        Some(total) => next < total,
        None => received as u64 >= u64::from(page_size),
    };
    (received > 0 && more).then_some(next)
}

/// The number of the next page. A page that is not full is the last one.
pub(crate) fn page_number(page: u64, received: usize, page_size: u32) -> Option<u64> {
    (received as u64 >= u64::from(page_size.max(1))).then_some(page + 1)
}

/// The address of the next page in a `Link` header (RFC 8288): `<https://…>; rel="next"`.
pub(crate) fn link_header(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>')?;
        let target = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let parameters = &rest[..rest.find('<').unwrap_or(rest.len())];
        let is_next =
            parameters.split([';', ',']).filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value.trim().trim_matches('"').split_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
            });
        if is_next {
            return Some(target.to_string());
        }
    }
    None
}

/// The keys of the last record: the next page begins behind them. The error is a record without one, or a value that
/// cannot be one.
pub(crate) fn keyset(records: &[Value], keys: &[String]) -> Result<Option<BTreeMap<String, String>>, String> {
    let Some(last) = records.last() else { return Ok(None) };
    let mut found = BTreeMap::new();
    for key in keys {
        let value =
            text_at(last, key).ok_or_else(|| format!("the last record of a page has no `{key}` to go on from"))?;
        // It may stand within a query of the service's own language, where a quotation mark would end a text.
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '+' | ' ' | '/' | '@');
        if !value.chars().all(plain) || value.len() > VALUE_CHARACTERS_MAX {
            return Err(format!("the value of `{key}` cannot be gone on from: letters, digits and -_.:+/@ are needed"));
        }
        found.insert(key.clone(), value);
    }
    Ok(Some(found))
}

/// The two halves of a window of time, cut where the service can tell times apart (`step`, in microseconds). None: it
/// cannot be cut any more.
pub(crate) fn halves(since: i64, until: i64, step: i64) -> Option<[(i64, i64); 2]> {
    let middle = (since + (until - since) / 2).div_euclid(step) * step;
    let middle = if middle <= since { since.div_euclid(step) * step + step } else { middle };
    (middle > since && middle < until).then_some([(since, middle), (middle, until)])
}

/// Whether the service says that there is more; none: it does not say.
pub(crate) fn says_more(body: &Value, more: Option<&str>, end: Option<&str>) -> Option<bool> {
    let truth = |path: &str| match at(body, path) {
        Some(Value::Bool(value)) => Some(*value),
        Some(Value::String(text)) => Some(text == "true"),
        // Some services leave it out where it is false.
        None => Some(false),
        Some(_) => None,
    };
    match (more, end) {
        (Some(path), _) => truth(path),
        (None, Some(path)) => truth(path).map(|ended| !ended),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_offsets_and_pages() {
        let body = json!({"paging": {"next": {"after": "100"}}, "empty": "", "number": 7});
        assert_eq!(cursor(&body, "paging.next.after").unwrap().as_deref(), Some("100"));
        assert_eq!(cursor(&body, "number").unwrap().as_deref(), Some("7"));
        assert_eq!(cursor(&body, "empty").unwrap(), None);
        assert_eq!(cursor(&body, "paging.prev").unwrap(), None);
        assert_eq!(offset(100, 50, 50, None), Some(150));
        assert_eq!(offset(100, 49, 50, None), None);
        // Fewer than asked for are no end where the total says that there are more.
        assert_eq!(offset(100, 49, 50, Some(200)), Some(149));
        assert_eq!(offset(150, 50, 50, Some(200)), None);
        assert_eq!(offset(100, 0, 50, Some(200)), None);
        assert_eq!(page_number(1, 50, 50), Some(2));
        assert_eq!(page_number(1, 0, 50), None);
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        let header = "<https://a.example/x?page=1>; rel=\"prev\", <https://a.example/x?page=3&q=a,b>; title=\"<\"; rel=\"next last\"";
        assert_eq!(link_header("</p2>; rel=next").as_deref(), Some("/p2"));
        assert_eq!(link_header("<https://a.example/x?page=1>; rel=\"prev\""), None);
        assert_eq!(
            link_header(&header.replace("title=\"<\"; ", "")).as_deref(),
            Some("https://a.example/x?page=3&q=a,b")
        );
        assert_eq!(link_header(""), None);
        assert_eq!(link_header("<broken"), None);
    }

    #[test]
    fn the_keys_of_the_last_record() {
        let records = [json!({"id": 1, "at": "2024-01-01"}), json!({"id": 2, "at": "2024-01-02T00:00:00+02:00"})];
        let keys = ["at".to_string(), "id".to_string()];
        let last = keyset(&records, &keys).unwrap().unwrap();
        assert_eq!((last["at"].as_str(), last["id"].as_str()), ("2024-01-02T00:00:00+02:00", "2"));
        assert_eq!(keyset(&[], &keys).unwrap(), None);
        assert!(keyset(&[json!({"id": 1})], &keys).unwrap_err().contains("no `at`"));
        assert!(keyset(&[json!({"id": "x' OR '1'='1", "at": "1"})], &keys).is_err());
    }

    #[test]
    fn a_window_is_cut_until_it_holds_one_moment() {
        assert_eq!(halves(0, 10_000, 1_000), Some([(0, 5_000), (5_000, 10_000)]));
        assert_eq!(halves(0, 2_000, 1_000), Some([(0, 1_000), (1_000, 2_000)]));
        assert_eq!(halves(0, 1_000, 1_000), None);
        assert_eq!(halves(-3_000, 0, 1_000), Some([(-3_000, -2_000), (-2_000, 0)]));
    }

    #[test]
    fn more_is_what_the_service_says() {
        let body = json!({"has_more": true, "end_of_stream": false});
        assert_eq!(says_more(&body, Some("has_more"), None), Some(true));
        assert_eq!(says_more(&body, None, Some("end_of_stream")), Some(true));
        assert_eq!(says_more(&body, Some("absent"), None), Some(false));
        assert_eq!(says_more(&body, None, None), None);
    }
}
