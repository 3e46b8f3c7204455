//! Filling templates with the values of a page.

use super::definition::TimeForm;
use super::template::{Name, Part, Template};
use crate::service::percent_encoded;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// The values of a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) form: TimeForm,
    /// In microseconds UTC.
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
    pub(crate) page_size: u32,
    pub(crate) offset: Option<u64>,
    pub(crate) page: Option<u64>,
    pub(crate) cursor: Option<String>,
    pub(crate) last: BTreeMap<String, String>,
    pub(crate) reference: Option<String>,
}

impl Values {
    /// A value by its name; none: there is none on this page.
    fn value(&self, name: &Name) -> Option<Value> {
        match name {
            Name::Config(option) => {
                self.config.get(option).filter(|value| !value.is_empty()).map(|v| v.as_str().into())
            }
            Name::Since => self.since.map(|moment| written(moment, self.form)),
            Name::Until => self.until.map(|moment| written(moment, self.form)),
            Name::PageSize => Some(self.page_size.into()),
            Name::Offset => self.offset.map(Value::from),
            Name::Page => self.page.map(Value::from),
            Name::Cursor => self.cursor.as_deref().map(Value::from),
            Name::Last(key) => self.last.get(key).map(|value| value.as_str().into()),
            Name::Reference => self.reference.as_deref().map(Value::from),
        }
    }

    fn text(&self, name: &Name) -> Option<String> {
        Some(match self.value(name)? {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }

    /// A part of an address; none: a value of it is absent.
    pub(crate) fn address(&self, template: &Template) -> Option<String> {
        let mut out = String::new();
        for part in &template.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Host(text) => out.push_str(text),
                Part::Value(name) => out.push_str(&percent_encoded(&self.text(name)?)),
            }
        }
        Some(out)
    }

    /// A value in the query of an address.
    pub(crate) fn query(&self, template: &Template) -> Option<String> {
        let mut out = String::new();
        for part in &template.parts {
            match part {
                Part::Text(text) => out.push_str(&percent_encoded(text)),
                Part::Host(text) => out.push_str(text),
                Part::Value(name) => out.push_str(&percent_encoded(&self.text(name)?)),
            }
        }
        Some(out)
    }

    /// A text that stays as it is: a header, the beginning of an address, a text in a body. The error is a value that
    /// would be taken for a placeholder by the host.
    pub(crate) fn plain(&self, template: &Template) -> Result<Option<String>, String> {
        let mut out = String::new();
        for part in &template.parts {
            match part {
                Part::Text(text) | Part::Host(text) => out.push_str(text),
                Part::Value(name) => {
                    let Some(value) = self.text(name) else { return Ok(None) };
                    if value.contains("{{") || value.contains(char::is_control) {
                        return Err("a value has `{{` or a control character in it, and is not sent".to_string());
                    }
                    out.push_str(&value);
                }
            }
        }
        Ok(Some(out))
    }

    /// A JSON body; members whose values are absent are left out.
    pub(crate) fn body(&self, tree: &Tree) -> Result<Option<Value>, String> {
        Ok(Some(match tree {
            Tree::Fixed(value) => value.clone(),
            Tree::Text(template) => match template.parts.as_slice() {
                // A lone name keeps its kind: a number stays one.
                [Part::Value(name)] => match self.value(name) {
                    Some(Value::String(_)) => match self.plain(template)? {
                        Some(text) => Value::String(text),
                        None => return Ok(None),
                    },
                    Some(value) => value,
                    None => return Ok(None),
                },
                _ => match self.plain(template)? {
                    Some(text) => Value::String(text),
                    None => return Ok(None),
                },
            },
            Tree::List(items) => {
                let mut out = Vec::new();
                for item in items {
                    out.extend(self.body(item)?);
                }
                Value::Array(out)
            }
            Tree::Table(members) => {
                let mut out = serde_json::Map::new();
                for (name, member) in members {
                    if let Some(value) = self.body(member)? {
                        out.insert(name.clone(), value);
                    }
                }
                Value::Object(out)
            }
        }))
    }
}

/// A JSON value with templates in its texts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Fixed(Value),
    Text(Template),
    List(Vec<Tree>),
    Table(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads a TOML value.
    pub(crate) fn parse(value: &toml::Value, config: &[String]) -> Result<Tree, String> {
        Ok(match value {
            toml::Value::String(text) => Tree::Text(Template::parse(text, config)?),
            toml::Value::Integer(number) => Tree::Fixed((*number).into()),
            toml::Value::Float(number) => Tree::Fixed((*number).into()),
            toml::Value::Boolean(value) => Tree::Fixed((*value).into()),
            toml::Value::Datetime(moment) => Tree::Fixed(moment.to_string().into()),
            toml::Value::Array(items) => {
                Tree::List(items.iter().map(|item| Tree::parse(item, config)).collect::<Result<_, _>>()?)
            }
            toml::Value::Table(members) => {
                let member = |(name, value): (&String, &toml::Value)| Ok((name.clone(), Tree::parse(value, config)?));
                Tree::Table(members.iter().map(member).collect::<Result<_, String>>()?)
            }
        })
    }

    /// The templates in it.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        match self {
            Tree::Fixed(_) => Vec::new(),
            Tree::Text(template) => vec![template],
            Tree::List(items) => items.iter().flat_map(Tree::templates).collect(),
            Tree::Table(members) => members.iter().flat_map(|(_, member)| member.templates()).collect(),
        }
    }
}

/// A moment as a service writes it, rounded down to what its form can say.
pub(crate) fn written(moment: i64, form: TimeForm) -> Value {
    match form {
        TimeForm::Unix => moment.div_euclid(1_000_000).into(),
        TimeForm::UnixMs => moment.div_euclid(1_000).into(),
        TimeForm::Rfc3339 => {
            let moment = Timestamp::from_microsecond(moment).unwrap_or(Timestamp::UNIX_EPOCH);
            let whole = moment.as_microsecond().rem_euclid(1_000_000) == 0;
            let form = if whole { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S.%3fZ" };
            moment.strftime(form).to_string().into()
        }
    }
}

/// Reads a moment that a service wrote, in microseconds UTC: a text with an offset, or a number of seconds or
/// milliseconds.
pub(crate) fn read_moment(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => match text.parse::<Timestamp>() {
            Ok(moment) => Some(moment.as_microsecond()),
            // Salesforce writes offsets without a colon: 2024-05-01T10:00:00.000+0000.
            Err(_) => {
                let (front, back) = text.split_at_checked(text.len().checked_sub(2)?)?;
                let moment = format!("{front}:{back}").parse::<Timestamp>().ok()?;
                Some(moment.as_microsecond())
            }
        },
        Value::Number(number) => {
            let number = number.as_i64()?;
            // Seconds stay below this until the year 5138.
            Some(if number.abs() < 100_000_000_000 {
                number.saturating_mul(1_000_000)
            } else {
                number.saturating_mul(1_000)
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text, &["x".to_string()]).unwrap()
    }

    #[test]
    fn a_value_is_data_wherever_it_goes() {
        let mut values = Values { page_size: 100, since: Some(1_500_000), form: TimeForm::Unix, ..Values::default() };
        values.config.insert("x".to_string(), "a/b?c={{secret:KEY}}&d".to_string());
        assert_eq!(
            values.address(&template("/v1/{{config.x}}")).unwrap(),
            "/v1/a%2Fb%3Fc%3D%7B%7Bsecret%3AKEY%7D%7D%26d"
        );
        assert_eq!(
            values.query(&template("n {{config.x}}{{secret:KEY}}")).unwrap(),
            "n%20a%2Fb%3Fc%3D%7B%7Bsecret%3AKEY%7D%7D%26d{{secret:KEY}}"
        );
        assert!(values.plain(&template("{{config.x}}")).is_err());
        assert_eq!(values.query(&template("{{cursor}}")), None);
        let tree: toml::Value = toml::from_str(
            "limit = \"{{page_size}}\"\nafter = \"{{cursor}}\"\nat = [{ gte = \"{{since}}\" }, \"p {{page_size}}\"]",
        )
        .unwrap();
        let tree = Tree::parse(&tree, &[]).unwrap();
        let body = values.body(&tree).unwrap().unwrap();
        assert_eq!(body.to_string(), r#"{"at":[{"gte":1},"p 100"],"limit":100}"#);
    }

    #[test]
    fn moments_are_written_and_read() {
        let moment = 1_714_557_600_250_000;
        assert_eq!(written(moment, TimeForm::Unix), 1_714_557_600);
        assert_eq!(written(moment, TimeForm::UnixMs), 1_714_557_600_250i64);
        assert_eq!(written(moment, TimeForm::Rfc3339), "2024-05-01T10:00:00.250Z");
        assert_eq!(written(1_714_557_600_000_000, TimeForm::Rfc3339), "2024-05-01T10:00:00Z");
        for text in ["2024-05-01T10:00:00.250Z", "2024-05-01T12:00:00.250+02:00", "2024-05-01T10:00:00.250+0000"] {
            assert_eq!(read_moment(&text.into()), Some(moment), "{text}");
        }
        assert_eq!(read_moment(&1_714_557_600.into()), Some(1_714_557_600_000_000));
        assert_eq!(read_moment(&1_714_557_600_250i64.into()), Some(moment));
        assert_eq!(read_moment(&"tomorrow".into()), None);
    }
}
