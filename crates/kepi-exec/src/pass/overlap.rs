//! Windows over groups, put together of the pieces that they overlap in: every piece is added to each of its windows, cell
//! by cell in arrays by group. For windows that lie in few pieces each; long ones are put together by [`super::together`].

use super::exact::{FloatSum, Spread};
use super::labels::Slots;
use super::pieces::Pieces;
use super::plan::Segment;
use super::scalar::Scalar;
use super::state::{State, better};
use crate::ExecError;

/// How often each cell of a piece may be added to a window on average.
const TIMES_MAX: usize = 16;

/// The cells of windows: their periods and groups, and per aggregate its rows and values.
pub(crate) struct Windows {
    pub(crate) cells: Vec<(Option<i64>, u32)>,
    pub(crate) rows: Vec<Vec<i64>>,
    pub(crate) states: Vec<State>,
}

/// Adds the cells of pieces to windows; none: windows are long, or a value cannot be put together this way.
///
/// `stretches`: the cells of each piece; `group`: the number of a cell's labels.
pub(crate) fn windows(
    stretches: &[Segment],
    rows: &[Vec<i64>],
    states: &[State],
    pieces: &Pieces,
    group: impl Fn(usize) -> u32,
) -> Result<Option<Windows>, ExecError> {
    let count = stretches.last().map_or(0, |last| last.0.end);
    let lies_in = |period: Option<i64>, window: usize| {
        let (first, behind) = period.and_then(|p| usize::try_from(p).ok()).map_or((0, 0), |piece| pieces.span(piece));
        (first as usize..behind as usize).contains(&window)
    };
    let mut parts: Vec<Vec<&Segment>> = Vec::with_capacity(pieces.windows().len());
    let mut additions = 0_usize;
    // Windows only go forward, and so do the pieces in them.
    let mut start = 0;
    for window in 0..pieces.windows().len() {
        while start < stretches.len() && is_over(stretches[start].1, window, pieces) {
            start += 1;
        }
        let own: Vec<&Segment> = stretches[start..].iter().take_while(|s| lies_in(s.1, window)).collect();
        additions += own.iter().map(|s| s.0.len()).sum::<usize>();
        parts.push(own);
    }
    let Some(mut sums) = states.iter().map(empty).collect::<Option<Vec<State>>>() else { return Ok(None) };
    if additions > count.saturating_mul(TIMES_MAX) {
        return Ok(None);
    }
    let mut slots = Slots::default();
    let mut totals = vec![Vec::new(); rows.len()];
    let mut places = Vec::new();
    for (window, parts) in pieces.windows().iter().zip(parts) {
        slots.begin(window.period);
        for (range, _) in parts {
            places.clear();
            places.extend(range.clone().map(|row| slots.slot(group(row)) as usize));
            let len = slots.len();
            for (totals, rows) in totals.iter_mut().zip(rows) {
                totals.resize(len, 0);
                rows[range.clone()].iter().zip(&places).for_each(|(n, &place)| totals[place] += n);
            }
            for (sums, state) in sums.iter_mut().zip(states) {
                add(sums, state, range.clone(), &places, len)?;
            }
        }
    }
    Ok(Some(Windows { cells: slots.cells().to_vec(), rows: totals, states: sums }))
}

/// Whether a piece lies in none of the windows from this one on.
fn is_over(period: Option<i64>, window: usize, pieces: &Pieces) -> bool {
    period.and_then(|p| usize::try_from(p).ok()).is_none_or(|piece| pieces.span(piece).1 as usize <= window)
}

/// Nothing yet, of the kind of a state; none: its cells are not added up here.
fn empty(state: &State) -> Option<State> {
    Some(match state {
        State::Count => State::Count,
        State::Sum { .. } => State::Sum { digits: Vec::new(), floats: Vec::new(), known: Vec::new() },
        State::Best { least, first, last, .. } => {
            State::Best { least: *least, first: *first, last: *last, best: Vec::new() }
        }
        State::Spread(_) => State::Spread(Vec::new()),
        State::List(_) => State::List(Vec::new()),
        State::Unique(_)
        | State::Sets(_)
        | State::Coverage { .. }
        | State::Ranked(_)
        | State::Plugin(_)
        | State::Done(_) => {
            return None;
        }
    })
}

/// Adds the cells of a piece to those of a window at their places.
fn add(
    sums: &mut State,
    state: &State,
    range: std::ops::Range<usize>,
    places: &[usize],
    len: usize,
) -> Result<(), ExecError> {
    match (sums, state) {
        (State::Sum { digits, floats, known }, State::Sum { digits: d, floats: f, known: k }) => {
            digits.resize(len, 0);
            known.resize(len, 0);
            let mut overflow = false;
            for (row, &place) in range.clone().zip(places) {
                match digits[place].checked_add(d[row]) {
                    Some(sum) => digits[place] = sum,
                    None => overflow = true,
                }
                known[place] += k[row];
            }
            if overflow {
                return Err(ExecError::Overflow("a sum".into()));
            }
            if !f.is_empty() {
                floats.resize(len, FloatSum::default());
                range.zip(places).for_each(|(row, &place)| floats[place].merge(&f[row]));
            }
        }
        (State::Best { least, first, last, best }, State::Best { best: more, .. }) => {
            best.resize(len, Scalar::Missing);
            for (row, &place) in range.zip(places) {
                if better(&best[place], &more[row], *least, *first, *last) {
                    best[place] = more[row].clone();
                }
            }
        }
        (State::Spread(spreads), State::Spread(more)) => {
            spreads.resize(len, Spread::default());
            range.zip(places).for_each(|(row, &place)| spreads[place].merge(&more[row]));
        }
        (State::List(lists), State::List(more)) => {
            lists.resize(len, Vec::new());
            range.zip(places).for_each(|(row, &place)| lists[place].extend(&more[row]));
        }
        _ => {}
    }
    Ok(())
}
