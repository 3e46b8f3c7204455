//! A plugin that does everything a plugin must not do. Each function is named after its fault; `fine` has none, so
//! that a test can see that the next call works.

wit_bindgen::generate!({
    inline: r#"
        package test:misbehaves;
        world everything {
            include kepi:plugin/functions-plugin@0.1.0;
            include kepi:plugin/models-plugin@0.1.0;
            include kepi:plugin/series-plugin@0.1.0;
            include kepi:plugin/connector-plugin@0.1.0;
            // Nothing of WASI exists in the host: a call of this must end in a message.
            import wasi: interface { get-random-u64: func() -> u64; }
        }
    "#,
    path: "../wit/v0.1",
    world: "test:misbehaves/everything",
    generate_all,
});

mod connector;
mod learned;

use exports::kepi::plugin::functions::{Accumulator, Guest, GuestAccumulator};
use kepi::plugin::log;
use kepi::plugin::types::{Column, DataType, Error, Param, Signature, Texts, Values};
use std::cell::Cell;
use std::hint::black_box;

struct Misbehaves;

const SCALARS: &[&str] = &[
    "fine",
    "loops",
    "panics",
    "panics_silently",
    "grows",
    "recurses",
    "floods_the_log",
    "shouts",
    "too_few_rows",
    "too_many_rows",
    "wrong_type",
    "bad_offsets",
    "bad_utf8",
    "short_validity",
    "huge_text",
    "huge_error",
    "not_a_number",
    "refuses",
    "gives_up",
    "wants_wasi",
];

impl Guest for Misbehaves {
    type Accumulator = Groups;

    fn list_scalars() -> Vec<Signature> {
        SCALARS.iter().map(|name| signature(name)).collect()
    }

    fn list_aggregates() -> Vec<Signature> {
        ["sums", "panics_in_update", "loops_in_finish", "loses_groups", "bloats"].iter().map(|n| signature(n)).collect()
    }

    fn call_scalar(name: String, rows: u32, args: Vec<Column>) -> Result<Column, Error> {
        let rows = rows as usize;
        let floats = |n: usize| Ok(Column { values: Values::Floats(vec![1.0; n]), validity: None });
        let texts = |offsets: Vec<u32>, data: Vec<u8>| {
            Ok(Column { values: Values::Texts(Texts { offsets, data }), validity: None })
        };
        match name.as_str() {
            "fine" => Ok(Column { values: args.into_iter().next().unwrap().values, validity: None }),
            "loops" => loop {
                black_box(rows);
            },
            "panics" => {
                std::panic::set_hook(Box::new(|info| log::write("error", &info.to_string())));
                let empty: Vec<f64> = Vec::new();
                Ok(Column { values: Values::Floats(vec![empty[black_box(7)]]), validity: None })
            }
            "panics_silently" => core::arch::wasm32::unreachable(),
            "grows" => {
                let mut kept = Vec::new();
                loop {
                    kept.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            "recurses" => floats(deeper(black_box(1)) as usize),
            "floods_the_log" => loop {
                log::write("info", "again");
            },
            "shouts" => {
                log::write("warn", &"\u{1b}[31m!".repeat(100_000));
                floats(rows)
            }
            "too_few_rows" => floats(rows.saturating_sub(1)),
            "too_many_rows" => floats(rows + 1),
            "wrong_type" => texts(vec![0; rows + 1], Vec::new()),
            "bad_offsets" => texts((0..=rows as u32).rev().collect(), vec![b'x'; rows]),
            "bad_utf8" => texts((0..=rows as u32).collect(), vec![0xff; rows]),
            "short_validity" => Ok(Column { values: Values::Floats(vec![1.0; rows]), validity: Some(Vec::new()) }),
            "huge_text" => {
                let mut offsets = vec![0; rows];
                offsets.push(40 << 20);
                texts(offsets, vec![b'x'; 40 << 20])
            }
            "huge_error" => Err(Error::Failed("\u{1b}[2J".repeat(1 << 20))),
            "not_a_number" => Ok(Column { values: Values::Floats(vec![f64::NAN; rows]), validity: None }),
            "refuses" => Err(Error::BadArgument("a negative price".to_string())),
            "gives_up" => Err(Error::Failed("out of ideas".to_string())),
            "wants_wasi" => floats(wasi::get_random_u64() as usize),
            _ => Err(Error::Failed(format!("there is no function `{name}`"))),
        }
    }
}

fn deeper(depth: u64) -> u64 {
    if depth == 0 { 0 } else { black_box(deeper(black_box(depth + 1))) + 1 }
}

/// Sums per group, until the fault of the function shows.
struct Groups {
    name: String,
    sums: std::cell::RefCell<Vec<f64>>,
    updates: Cell<u32>,
}

impl GuestAccumulator for Groups {
    fn open(name: String) -> Result<Accumulator, Error> {
        Ok(Accumulator::new(Groups { name, sums: Default::default(), updates: Cell::new(0) }))
    }

    fn update(&self, groups: Vec<u32>, group_count: u32, args: Vec<Column>) -> Result<(), Error> {
        if self.name == "panics_in_update" && self.updates.replace(self.updates.get() + 1) == 1 {
            core::arch::wasm32::unreachable();
        }
        let Some(Values::Floats(values)) = args.first().map(|c| &c.values) else {
            return Err(Error::Failed("floats are needed".to_string()));
        };
        let mut sums = self.sums.borrow_mut();
        sums.resize(group_count as usize, 0.0);
        groups.iter().zip(values).for_each(|(&g, x)| sums[g as usize] += x);
        Ok(())
    }

    fn merge(&self, groups: Vec<u32>, group_count: u32, states: Vec<Vec<u8>>) -> Result<(), Error> {
        let mut sums = self.sums.borrow_mut();
        sums.resize(group_count as usize, 0.0);
        for (&g, state) in groups.iter().zip(&states) {
            sums[g as usize] += f64::from_le_bytes(state.as_slice().try_into().unwrap());
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<Vec<u8>>, Error> {
        if self.name == "bloats" {
            return Ok(vec![vec![0; 30 << 20]]);
        }
        Ok(self.sums.borrow().iter().map(|x| x.to_le_bytes().to_vec()).collect())
    }

    fn finish(&self) -> Result<Column, Error> {
        let mut values = self.sums.borrow().clone();
        match self.name.as_str() {
            "loops_in_finish" => loop {
                black_box(&values);
            },
            "loses_groups" => values.truncate(1),
            _ => {}
        }
        Ok(Column { values: Values::Floats(values), validity: None })
    }
}

fn signature(name: &str) -> Signature {
    let text = ["bad_offsets", "bad_utf8", "huge_text"].contains(&name);
    Signature {
        name: name.to_string(),
        params: vec![Param { name: "x".to_string(), accepts: vec![DataType::Float], optional: false }],
        returns: Some(if text { DataType::Text } else { DataType::Float }),
        sees_missing: false,
    }
}

export!(Misbehaves);
