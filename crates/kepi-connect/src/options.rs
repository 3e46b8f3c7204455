//! How a source is read, as stated after `with` or by the flags of `kepi load`.

use crate::error::{ConnectError, Result};
use crate::moment::MomentFormat;
use kepi_model::calendar::Zone;

/// The names of the options, as in `source … with`.
pub const OPTION_NAMES: [&str; 7] = ["delimiter", "header", "columns", "encoding", "dates", "decimal", "timezone"];

/// What stands between two cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// This byte.
    Byte(u8),
    /// One or more blanks; blanks at both ends of a line do not count.
    Blanks,
}

impl Delimiter {
    /// Its spelling as an option: the character, `tab` or `blanks`.
    pub fn spelling(self) -> String {
        match self {
            Delimiter::Byte(b'\t') => "tab".to_string(),
            Delimiter::Byte(byte) => (byte as char).to_string(),
            Delimiter::Blanks => "blanks".to_string(),
        }
    }
}

/// What is stated about a source; everything else is detected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// What stands between two cells.
    pub delimiter: Option<Delimiter>,
    /// Whether the first line holds the columns' names.
    pub header: Option<bool>,
    /// The columns' names, instead of those in the file.
    pub columns: Option<Vec<String>>,
    /// The encoding, by its usual name: `windows-1252`.
    pub encoding: Option<String>,
    /// Formats of dates and times in strftime's words, or `epoch`, `epoch_ms`, `epoch_us`; a column takes the first
    /// that fits it. In one text they are separated by `|`.
    pub dates: Vec<String>,
    /// The decimal mark: `.` or `,`.
    pub decimal: Option<u8>,
    /// The zone of times without an offset, by its IANA name; else the project's.
    pub timezone: Option<String>,
    /// Columns that will be asked for: a first line that has all of them is the header, whatever it looks like. It is no
    /// option of `source … with`: the mappings of the source say it.
    pub asked: Vec<String>,
}

impl ReadOptions {
    /// Reads the options of a `source … with`.
    ///
    /// # Errors
    /// An unknown name or a value that makes no sense.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<ReadOptions> {
        let mut options = ReadOptions::default();
        for (name, value) in pairs {
            options.set(name, value)?;
        }
        Ok(options)
    }

    /// Sets one option by its name; a later value replaces an earlier one.
    ///
    /// # Errors
    /// An unknown name or a value that makes no sense.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let wrong = |expected: &str| ConnectError::OptionValue {
            name: name.to_string(),
            value: value.to_string(),
            expected: expected.to_string(),
        };
        match name {
            "delimiter" => {
                self.delimiter = Some(delimiter(value).ok_or_else(|| {
                    wrong("expected one character that is no letter, digit or quote, or `tab` or `blanks`")
                })?);
            }
            "header" => {
                self.header = Some(crate::boolean::parse(value.trim()).ok_or_else(|| wrong("expected `yes` or `no`"))?);
            }
            "columns" => {
                let names: Vec<String> = value.split(',').map(|n| n.trim().to_string()).collect();
                if names.iter().any(String::is_empty) {
                    return Err(wrong("expected names separated by commas, none of them empty"));
                }
                if let Some((i, twice)) = names.iter().enumerate().find(|(i, n)| names[..*i].contains(n)) {
                    return Err(wrong(&format!("name {} is `{twice}` once more", i + 1)));
                }
                self.columns = Some(names);
            }
            "encoding" => {
                if encoding_rs::Encoding::for_label(value.trim().as_bytes()).is_none() {
                    return Err(wrong("expected an encoding such as `utf-8`, `utf-16le` or `windows-1252`"));
                }
                self.encoding = Some(value.trim().to_string());
            }
            "dates" => {
                let formats: Vec<String> = value.split('|').map(|f| f.trim().to_string()).collect();
                for format in &formats {
                    MomentFormat::stated(format).map_err(|reason| wrong(&reason))?;
                }
                self.dates = formats;
            }
            "decimal" => {
                self.decimal = Some(match value.trim() {
                    "." | "point" => b'.',
                    "," | "comma" => b',',
                    _ => return Err(wrong("expected `.` or `,`")),
                });
            }
            "timezone" => {
                if Zone::named(value.trim()).is_none() {
                    return Err(wrong("expected a zone such as `Europe/Amsterdam`"));
                }
                self.timezone = Some(value.trim().to_string());
            }
            _ => return Err(ConnectError::UnknownOption { name: name.to_string() }),
        }
        Ok(())
    }

    /// The options as they are written after `with`.
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let mut add = |name: &str, value: Option<String>| pairs.extend(value.map(|v| (name.to_string(), v)));
        add("delimiter", self.delimiter.map(Delimiter::spelling));
        add("header", self.header.map(|h| if h { "yes" } else { "no" }.to_string()));
        add("columns", self.columns.as_ref().map(|c| c.join(",")));
        add("encoding", self.encoding.clone());
        add("dates", (!self.dates.is_empty()).then(|| self.dates.join(" | ")));
        add("decimal", self.decimal.map(|d| (d as char).to_string()));
        add("timezone", self.timezone.clone());
        pairs
    }

    /// The zone of times without an offset: the stated one, else the project's.
    pub fn zone(&self, project: &Zone) -> Zone {
        self.timezone.as_deref().and_then(Zone::named).unwrap_or_else(|| project.clone())
    }
}

fn delimiter(value: &str) -> Option<Delimiter> {
    match value {
        "tab" | "\\t" | "\t" => return Some(Delimiter::Byte(b'\t')),
        "blanks" | "blank" | "space" | "spaces" | " " => return Some(Delimiter::Blanks),
        "comma" => return Some(Delimiter::Byte(b',')),
        "semicolon" => return Some(Delimiter::Byte(b';')),
        "pipe" => return Some(Delimiter::Byte(b'|')),
        _ => {}
    }
    match value.as_bytes() {
        [byte] if byte.is_ascii_punctuation() && *byte != b'"' => Some(Delimiter::Byte(*byte)),
        _ => None,
    }
}
