//! Everything from outside to Arrow: files, detection, conversion and inference; and what services are asked through.
//!
//! # The way of a row
//!
//! 1. [`Table::open`] finds the files (patterns, `-` for standard input), unpacks gzip and zstd by their first bytes,
//!    and says what they hold: delimited text, JSON (an object a line, or an array), Parquet or Arrow IPC. For text it
//!    finds encoding mark, delimiter and header, unless [`ReadOptions`] state them. Several files are one table; their
//!    columns are matched by name.
//! 2. [`Table::read`] gives [`Batch`]es of up to 32,768 rows while a thread reads ahead. Each row has its line in the
//!    file (for messages) and its number in the table (for the order of equal times). A row that is ragged, has a NUL
//!    byte or is no JSON object is a [`Rejected`] with line and reason; the others load.
//! 3. [`Table::formats`] looks at columns whose units are known and finds one format for each: decimal mark, shape of
//!    dates. One format holds for the whole column, so `1/2/2020` cannot be January in one row and February in the next.
//! 4. [`convert`] turns a column into what a field is stored as. A cell that does not fit is a fault with its row, which
//!    [`Batch::reject`] makes a rejected row of.
//!
//! # Without a declaration
//!
//! [`infer_table`] reads the whole table, guesses every column ([`ColumnGuess`]) and says what the table is
//! ([`Inferred`]): a time column makes an event, none but a unique key an entity, else an undated event; a table of
//! things such as customers is an entity also where they have a date. [`declaration`]
//! writes that as a model file, whose `source` states the options found, so that later loads need no flags.
//!
//! # What a cell may be
//!
//! | unit | read as |
//! |---|---|
//! | number, count, money, percent, points | `1234.5` `1,234.50` `1.234,50` `(12.50)` `€ 12` `$1,200.00` `USD 5` `14.8 %` `1e-7` |
//! | duration | seconds, or `h:mm:ss` |
//! | bool | true/false, yes/no, t/f, y/n, 1/0 in any case |
//! | date, time | ISO 8601; year, month, day with `-` `/` `.` or as 8 digits; month or day first (over the whole column); month names; a time of day, AM/PM, an offset behind; any stated format |
//!
//! An empty cell is missing, and so is `NULL` or `\N` without quotes in delimited text, as databases export it. `NA`, `N/A`,
//! `#N/A`, `NaN`, `None`, a lone dash, and `NULL` in other formats are missing in all columns but text, where they are that
//! text. Control characters are data and are kept; messages show them escaped.
//!
//! ```
//! use kepi_connect::{Hints, ReadOptions, Table, declaration, infer_table};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("orders.csv");
//! std::fs::write(&file, "order_id,customer_id,ordered_at,amount\n1,c1,2025-01-31,12.50\n2,c1,2025-02-28,7\n")?;
//! let table = Table::open(&[file.display().to_string()], &ReadOptions::default())?;
//! let (inferred, options, _) = infer_table(&table, &Hints::default())?;
//! assert!(declaration(&inferred, &options).contains("event orders of customer, order at ordered_at {"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod about;
mod boolean;
mod civil;
mod columnar;
mod convert;
mod declare;
mod dialect;
mod encoding;
mod error;
mod guess;
mod infer;
mod input;
mod json;
pub mod moment;
mod naming;
mod native;
mod nouns;
pub mod number;
mod options;
mod pattern;
mod profile;
mod records;
mod rest;
mod row_groups;
mod service;
mod table;
mod text;
mod written;

pub use convert::{Faults, Formats, convert, convert_coded, text as as_text, whole_numbers};
pub use declare::declaration;
pub use dialect::Dialect;
pub use error::{ConnectError, Result, shown};
pub use guess::{ColumnGuess, Guesser, detect_column};
pub use infer::{Hints, Inferred, InferredColumn, InferredKind, KnownEntity, Role, infer, infer_table};
pub use native::native;
pub use nouns::{names_of, row_key};
pub use options::{Delimiter, OPTION_NAMES, ReadOptions};
pub use pattern::Pattern;
pub use profile::{ColumnProfile, Profile};
pub use rest::{Definition, DefinitionError, RestConnector};
pub use service::{
    Grants, HttpLimits, HttpService, HttpSettings, Imitation, Keep, OAuth, Pace, RateRule, Recorded, Recorder, Secrets,
    Tell, WallPace,
};
pub use table::{Batch, Batches, Content, Rejected, Table};
pub use written::write_parquet;
