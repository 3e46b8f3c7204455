//! Templates: texts with `{{since}}`, `{{config.account}}` and the like in them. A value is put in as it is and is never
//! looked at again.

/// A text with places for values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// `{{secret:NAME}}` or `{{oauth2:NAME}}`, which only the host can fill.
    Host(String),
    Value(Name),
}

/// What a template may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// An option of the source.
    Config(String),
    /// The beginning of the window that is read, included.
    Since,
    /// Its end, excluded.
    Until,
    PageSize,
    /// How many records of the window were given.
    Offset,
    /// The number of the page.
    Page,
    /// What the last page gave to go on with.
    Cursor,
    /// A key of the last record.
    Last(String),
    /// The object that a change is about.
    Reference,
}

impl Template {
    /// Reads a text; the error says which name is not known. `config`: the options that are declared.
    pub(crate) fn parse(text: &str, config: &[String]) -> Result<Template, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        let push = |parts: &mut Vec<Part>, text: &str| match parts.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(before)) => before.push_str(text),
            _ => parts.push(Part::Text(text.to_string())),
        };
        while let Some(start) = rest.find("{{") {
            push(&mut parts, &rest[..start]);
            let inner = &rest[start + 2..];
            if let Some(after) = inner.strip_prefix("base64:") {
                // The host encodes; what is in it is filled here as elsewhere.
                push(&mut parts, "{{base64:");
                rest = after;
                continue;
            }
            let end = inner.find("}}").ok_or("`{{` is not closed with `}}`")?;
            let name = inner[..end].trim();
            if name.starts_with("secret:") || name.starts_with("oauth2:") {
                parts.push(Part::Host(format!("{{{{{name}}}}}")));
            } else {
                parts.push(Part::Value(known(name, config)?));
            }
            rest = &inner[end + 2..];
        }
        push(&mut parts, rest);
        Ok(Template { parts })
    }

    /// Whether it names this.
    pub(crate) fn names(&self, wanted: &Name) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Value(name) if name == wanted))
    }

    /// The names in it.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Name> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(name) => Some(name),
            _ => None,
        })
    }
}

fn known(name: &str, config: &[String]) -> Result<Name, String> {
    Ok(match name {
        "since" => Name::Since,
        "until" => Name::Until,
        "page_size" => Name::PageSize,
        "offset" => Name::Offset,
        "page" => Name::Page,
        "cursor" => Name::Cursor,
        "ref" => Name::Reference,
        other => match (other.strip_prefix("config."), other.strip_prefix("last.")) {
            (Some(option), _) if config.iter().any(|known| known == option) => Name::Config(option.to_string()),
            (Some(option), _) => {
                return Err(format!("`{{{{config.{option}}}}}` is not declared: [config.{option}] is missing"));
            }
            (None, Some(key)) if !key.is_empty() => Name::Last(key.to_string()),
            _ => {
                let names = "since, until, page_size, offset, page, cursor, ref, last.KEY, config.NAME, secret:NAME, \
                             oauth2:NAME, base64:TEXT";
                return Err(format!("`{{{{{other}}}}}` is not known; there are {names}"));
            }
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed unwrap is a failed test.
    use super::*;

    #[test]
    fn names_are_told_from_texts() {
        let text = "a {{config.x}}/{{ last.id }}{{secret:KEY}} b }}";
        let template = Template::parse(text, &["x".to_string()]).unwrap();
        assert_eq!(
            template.parts,
            [
                Part::Text("a ".to_string()),
                Part::Value(Name::Config("x".to_string())),
                Part::Text("/".to_string()),
                Part::Value(Name::Last("id".to_string())),
                Part::Host("{{secret:KEY}}".to_string()),
                Part::Text(" b }}".to_string()),
            ]
        );
        let basic = Template::parse("Basic {{base64:{{config.x}}:{{secret:KEY}}}}", &["x".to_string()]).unwrap();
        assert_eq!(basic.parts[0], Part::Text("Basic {{base64:".to_string()));
        assert_eq!(basic.parts.last(), Some(&Part::Text("}}".to_string())));
        for (bad, reason) in [
            ("{{config.y}}", "`{{config.y}}` is not declared"),
            ("{{sinc}}", "`{{sinc}}` is not known; there are since"),
            ("{{since", "`{{` is not closed"),
            ("{{last.}}", "`{{last.}}` is not known"),
        ] {
            assert!(Template::parse(bad, &[]).unwrap_err().starts_with(reason), "{bad}");
        }
    }
}
