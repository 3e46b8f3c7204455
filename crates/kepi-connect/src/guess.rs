//! What the cells of a column are: looked at one by one, judged at the end.

use crate::boolean;
use crate::error::shown;
use crate::moment::{MomentFormat, Order, SHAPES, shapes_of};
use crate::number::{self, Sign};
use crate::options::ReadOptions;
use kepi_model::value::{Currency, Kind};
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// The share of known cells that must fit for a column to be numbers or dates; the others are rejected rows then.
/// Yes and no must be all there is: a third word is a label, and so is a lone letter throughout.
const FIT: f64 = 0.95;
/// Once a value has repeated, distinct values are counted up to this many.
const DISTINCT_MAX: usize = 65_536;
/// A column without a repetition is followed up to this many rows.
const UNIQUE_ROWS_MAX: usize = 16_000_000;

/// What a column is taken for.
#[derive(Clone, Debug)]
pub struct ColumnGuess {
    /// Number, percent, money, bool, date, time or text.
    pub kind: Kind,
    /// The decimal mark of numbers.
    pub decimal: u8,
    /// The format that the most cells have as dates or times, whatever the kind; none: no cell is one.
    pub moment: Option<MomentFormat>,
    /// The one currency whose sign or code stands in the cells.
    pub currency: Option<Currency>,
    /// How many cells hold a value.
    pub known: u64,
    /// How many are empty or, in a column that is not text, `NULL` and the like.
    pub missing: u64,
    /// How many different values; see `distinct_exact`.
    pub distinct: u64,
    /// Whether all different values were counted. If not there are more.
    pub distinct_exact: bool,
    /// Whether no value occurs twice and none is missing.
    pub unique: bool,
    /// The first three different values.
    pub examples: Vec<String>,
    /// Whether whole numbers are all that occurs.
    pub whole: bool,
    /// Whether a whole number begins with a zero, as codes do.
    pub leading_zeros: bool,
    /// Whether a whole number does not fit into 64 bits, so that a number would lose digits of it.
    pub beyond: bool,
    /// The microseconds of a unit where all cells may be units since 1970: seconds, milliseconds or microseconds.
    pub epoch: Option<i64>,
    /// Whether cells have a time of day.
    pub timed: bool,
    /// The longest cell in bytes.
    pub longest: usize,
    /// Whether month and day cannot be told apart: month first is taken.
    pub ambiguous_day: bool,
    /// How many known cells do not fit the kind.
    pub misfits: u64,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Looks at a column's values; none is an empty cell.
pub fn detect_column<'a>(values: impl IntoIterator<Item = Option<&'a str>>, options: &ReadOptions) -> ColumnGuess {
    let mut guesser = Guesser::new(options);
    for value in values {
        guesser.push(value);
    }
    guesser.finish()
}

/// Looks at the cells of a column one after the other.
#[derive(Debug)]
pub struct Guesser {
    stated: Vec<MomentFormat>,
    decimal: Option<u8>,
    stated_fits: Vec<u64>,
    rows: u64,
    empty: u64,
    missing_words: u64,
    point: u64,
    comma: u64,
    /// Numbers that one mark reads and the other does not.
    point_only: u64,
    comma_only: u64,
    fractions: u64,
    whole: u64,
    leading_zeros: u64,
    beyond: u64,
    /// Whole numbers as long as those of our years in seconds, milliseconds and microseconds since 1970.
    epochs: [u64; 3],
    percents: u64,
    signs: u64,
    currencies: Vec<Currency>,
    bools: u64,
    shapes: [u64; SHAPES.len()],
    timed: u64,
    longest: usize,
    examples: Vec<String>,
    distinct: HashSet<u64, BuildHasherDefault<AsItIs>>,
    repeated: bool,
    overflow: bool,
    first_odd: [Option<String>; 3],
}

/// The values are hashes already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl Guesser {
    /// A guesser that knows what was stated.
    pub fn new(options: &ReadOptions) -> Guesser {
        let stated: Vec<MomentFormat> = options.dates.iter().filter_map(|d| MomentFormat::stated(d).ok()).collect();
        Guesser {
            stated_fits: vec![0; stated.len()],
            stated,
            decimal: options.decimal,
            rows: 0,
            empty: 0,
            missing_words: 0,
            point: 0,
            comma: 0,
            point_only: 0,
            comma_only: 0,
            fractions: 0,
            whole: 0,
            leading_zeros: 0,
            beyond: 0,
            epochs: [0; 3],
            percents: 0,
            signs: 0,
            currencies: Vec::new(),
            bools: 0,
            shapes: [0; SHAPES.len()],
            timed: 0,
            longest: 0,
            examples: Vec::new(),
            distinct: HashSet::default(),
            repeated: false,
            overflow: false,
            first_odd: [None, None, None],
        }
    }

    /// Looks at a cell; none: it is empty.
    pub fn push(&mut self, cell: Option<&str>) {
        self.rows += 1;
        let Some(cell) = cell else {
            self.empty += 1;
            return;
        };
        self.longest = self.longest.max(cell.len());
        self.count_distinct(cell);
        if boolean::is_missing_word(cell) {
            self.missing_words += 1;
            return;
        }
        let yes_no = boolean::parse(cell).is_some();
        self.bools += u64::from(yes_no);
        let number = self.push_number(cell);
        let moment = self.push_moment(cell);
        for (odd, fits) in self.first_odd.iter_mut().zip([number, moment, yes_no]) {
            if !fits && odd.is_none() {
                *odd = Some(shown(cell));
            }
        }
    }

    fn count_distinct(&mut self, cell: &str) {
        if self.overflow {
            return;
        }
        let new = self.distinct.insert(xxhash_rust::xxh3::xxh3_64(cell.as_bytes()));
        self.repeated |= !new;
        if new && self.examples.len() < 3 {
            self.examples.push(cell.to_string());
        }
        let most = if self.repeated { DISTINCT_MAX } else { UNIQUE_ROWS_MAX };
        self.overflow = self.distinct.len() > most;
    }

    fn push_number(&mut self, cell: &str) -> bool {
        if !cell.bytes().any(|b| b.is_ascii_digit()) {
            return false;
        }
        let point = number::parse(cell, b'.');
        let comma = number::parse(cell, b',');
        let Some(reading) = point.or(comma) else { return false };
        self.point += u64::from(point.is_some());
        self.comma += u64::from(comma.is_some());
        self.point_only += u64::from(comma.is_none());
        self.comma_only += u64::from(point.is_none());
        if cell.bytes().all(|b| b.is_ascii_digit()) {
            self.whole += 1;
            self.leading_zeros += u64::from(number::has_leading_zero(cell));
            self.beyond += u64::from(cell.parse::<i64>().is_err());
            for (count, length) in self.epochs.iter_mut().zip([10, 13, 16]) {
                *count += u64::from(cell.len() == length && cell.starts_with('1'));
            }
        } else if !matches!(reading.number, number::Number::Decimal { scale: 0, .. }) {
            self.fractions += 1;
        }
        self.percents += u64::from(reading.percent);
        if let Some(sign) = reading.currency {
            self.signs += 1;
            let currency = Sign::currency(sign);
            if !self.currencies.contains(&currency) {
                self.currencies.push(currency);
            }
        }
        true
    }

    fn push_moment(&mut self, cell: &str) -> bool {
        let mut fits = false;
        for (format, count) in self.stated.iter().zip(&mut self.stated_fits) {
            if let Some(civil) = format.parse(cell) {
                *count += 1;
                if !fits {
                    self.timed += u64::from(civil.timed);
                }
                fits = true;
            }
        }
        let (set, timed) = shapes_of(cell);
        for (i, count) in self.shapes.iter_mut().enumerate() {
            *count += u64::from(set & (1 << i) != 0);
        }
        if !fits {
            self.timed += u64::from(timed);
        }
        fits || set != 0
    }

    /// Whether the cells so far leave open whether the month or the day comes first.
    pub fn ambiguous_day(&self) -> bool {
        self.guess_moment().is_some_and(|(_, _, ambiguous)| ambiguous)
    }

    /// The decimal mark, and the format of dates whatever share of the cells has it.
    pub(crate) fn formats(&self) -> (u8, Option<MomentFormat>) {
        (self.guess_decimal().0, self.guess_moment().map(|(format, _, _)| format))
    }

    /// The format that most cells fit, how many, and whether month and day may be swapped.
    fn guess_moment(&self) -> Option<(MomentFormat, u64, bool)> {
        let mut best: Option<(MomentFormat, u64, bool)> = None;
        for (format, &count) in self.stated.iter().zip(&self.stated_fits) {
            if count > best.as_ref().map_or(0, |b| b.1) {
                best = Some((format.clone(), count, false));
            }
        }
        let stated = best.take();
        for (i, (shape, &count)) in SHAPES.iter().zip(&self.shapes).enumerate() {
            if count > best.as_ref().map_or(0, |b| b.1) {
                let other = SHAPES.iter().zip(&self.shapes).enumerate().any(|(j, (s, c))| {
                    j > i
                        && *c == count
                        && s.order == Order::DayMonthYear
                        && s.separator == shape.separator
                        && s.named == shape.named
                        && s.short_year == shape.short_year
                });
                let ambiguous = shape.order == Order::MonthDayYear && !shape.named && other;
                best = Some((MomentFormat::Shape(*shape), count, ambiguous));
            }
        }
        // What is stated holds, except in a column that it was not stated for.
        match (stated, best) {
            (Some(stated), Some(best)) if best.1 > stated.1.saturating_mul(2) => Some(best),
            (Some(stated), _) => Some(stated),
            (None, best) => best,
        }
    }

    /// The decimal mark that reads the most numbers, and whether that is in doubt.
    fn guess_decimal(&self) -> (u8, bool) {
        if let Some(mark) = self.decimal {
            return (mark, false);
        }
        let mark = if self.comma > self.point { b',' } else { b'.' };
        let separated = self.fractions > 0 && self.point_only == 0 && self.comma_only == 0 && self.point > self.whole;
        (mark, separated)
    }

    /// What the column is taken for.
    pub fn finish(&self) -> ColumnGuess {
        let known = self.rows - self.empty - self.missing_words;
        let (decimal, doubtful) = self.guess_decimal();
        let numbers = if decimal == b',' { self.comma } else { self.point };
        let moment = self.guess_moment();
        let dates = moment.as_ref().map_or(0, |m| m.1);
        let enough = |count: u64| known > 0 && count as f64 >= known as f64 * FIT;
        let mut notes = Vec::new();
        let distinct = self.distinct.len() as u64;
        let only_digits = self.whole == known;
        let stated_dates = self.stated_fits.iter().any(|c| enough(*c));
        // A number column with a few cells like `14863823a` holds codes.
        let coded =
            numbers < known && self.first_odd[0].as_ref().is_some_and(|o| o.bytes().any(|b| b.is_ascii_digit()));
        // 8 digits are a date before they are a number; words of yes and no before 0 and 1 alone.
        let (kind, fits, odd) = if enough(dates) && (!enough(numbers) || self.shapes[3] == dates || stated_dates) {
            (if self.timed > 0 { Kind::Time } else { Kind::Date }, dates, 1)
        } else if known > 0 && self.bools == known && !only_digits && (self.longest > 1 || distinct > 1) {
            (Kind::Bool, self.bools, 2)
        } else if enough(numbers) && !coded {
            let kind = if self.percents > 0 && self.percents == numbers {
                Kind::Percent
            } else if let (true, [currency]) = (self.signs > 0, self.currencies.as_slice()) {
                Kind::Money(Some(*currency))
            } else {
                Kind::Number
            };
            (kind, numbers, 0)
        } else {
            (Kind::Text, known, 0)
        };
        let misfits = known - fits;
        if misfits > 0 {
            let first = self.first_odd[odd].as_deref().unwrap_or_default();
            notes.push(format!(
                "{misfits} of {known} values do not fit, the first is `{first}`: those rows are rejected"
            ));
        }
        if kind == Kind::Text {
            for (count, what, odd) in [(numbers, "numbers", 0), (dates, "dates", 1)] {
                if count * 2 >= known.max(1) {
                    let first = self.first_odd[odd].as_deref().unwrap_or_default();
                    notes.push(format!(
                        "{count} of {known} values are {what}, but not `{first}` and others: taken as text"
                    ));
                }
            }
        }
        if doubtful && matches!(kind, Kind::Number | Kind::Money(_)) {
            let mark = decimal as char;
            notes.push(format!(
                "`{}` may be read in two ways; `{mark}` is taken as the decimal mark (state it with `decimal`)",
                self.examples.first().map_or("", String::as_str)
            ));
        }
        if self.currencies.len() > 1 {
            notes.push("several currencies occur: taken as a number".to_string());
        }
        let is_moment = matches!(kind, Kind::Time | Kind::Date);
        let ambiguous_day = is_moment && moment.as_ref().is_some_and(|m| m.2);
        if ambiguous_day {
            notes.push(
                "no day is above 12, so month and day cannot be told apart: the month is taken as first (state it with `dates`)"
                    .to_string(),
            );
        }
        let missing_words = if kind == Kind::Text { 0 } else { self.missing_words };
        if missing_words > 0 {
            let cells = if missing_words == 1 { "cell" } else { "cells" };
            notes.push(format!("{missing_words} {cells} such as NULL or NA read as missing"));
        }
        ColumnGuess {
            decimal,
            moment: moment.map(|m| m.0),
            currency: match self.currencies.as_slice() {
                [currency] => Some(*currency),
                _ => None,
            },
            known: if kind == Kind::Text { self.rows - self.empty } else { known },
            missing: self.empty + missing_words,
            distinct,
            distinct_exact: !self.overflow,
            unique: !self.repeated && !self.overflow && self.empty + missing_words == 0 && self.rows > 0,
            examples: self.examples.clone(),
            whole: only_digits && known > 0,
            leading_zeros: self.leading_zeros > 0,
            beyond: self.beyond > 0,
            epoch: self
                .epochs
                .iter()
                .position(|count| *count == known && known > 0)
                .map(|at| [1_000_000, 1_000, 1][at]),
            timed: self.timed > 0,
            longest: self.longest,
            ambiguous_day,
            misfits,
            notes,
            kind,
        }
    }
}
