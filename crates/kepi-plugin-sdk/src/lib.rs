//! What a kepi plugin in Rust is written with: the author writes the KPI, not the plumbing.
//!
//! ```
//! use kepi_plugin_sdk as kepi;
//! use kepi::Aggregate;
//!
//! /// Margin as a share of revenue; missing where revenue is 0.
//! #[kepi::scalar]
//! fn margin_pct(revenue: f64, cost: f64) -> Option<f64> {
//!     (revenue != 0.0).then(|| (revenue - cost) / revenue)
//! }
//!
//! /// How far the largest value lies above the mean.
//! #[kepi::aggregate(params(x))]
//! #[derive(Default)]
//! struct Peak {
//!     count: u64,
//!     sum: f64,
//!     most: f64,
//! }
//!
//! impl Aggregate for Peak {
//!     type Row = f64;
//!     type Value = f64;
//!
//!     fn add(&mut self, x: f64) {
//!         self.count += 1;
//!         self.sum += x;
//!         self.most = self.most.max(x);
//!     }
//!
//!     fn merge(&mut self, other: Peak) {
//!         self.count += other.count;
//!         self.sum += other.sum;
//!         self.most = self.most.max(other.most);
//!     }
//!
//!     fn value(&mut self) -> Option<f64> {
//!         (self.count > 0).then(|| self.most - self.sum / self.count as f64)
//!     }
//! }
//!
//! kepi::plugin!(scalars = [margin_pct], aggregates = [Peak]);
//!
//! # fn main() {
//! use kepi::testing;
//! assert_eq!(testing::scalar::<margin_pct>(&[200.0.into(), 150.0.into()]), Ok(0.25.into()));
//! assert_eq!(testing::aggregate::<Peak>(&[1.0, 2.0, 6.0]), Some(3.0));
//! # }
//! ```
//!
//! On the author's machine a plugin is an ordinary library, and [`testing`] calls it as kepi would. For `wasm32` the
//! macro [`plugin!`] makes it a component of the contract in `wit/`. Nothing else differs.

// So that the attributes, which name this crate, work inside it as well.
extern crate self as kepi_plugin_sdk;

mod aggregate;
mod argument;
mod column;
mod connector;
pub mod host;
mod learned;
mod scalar;
mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod wasm;

pub use aggregate::{Aggregate, AggregateFunction, AggregateInfo, Groups, Row, aggregate_function};
pub use argument::{Argument, Opened, Returned, Value};
pub use column::{Column, DataType, Date, Error, Time, Values};
pub use connector::{Connector, Page, PageRequest, SourceError, StreamField, StreamShape};
pub use kepi_plugin_macros::{State, aggregate, model, scalar, series};
pub use learned::{
    Extend, Fitted, LearnedInfo, Model, ModelFunction, Saved, Series, SeriesFunction, Table, constant, model_function,
    series_function,
};
pub use scalar::{FunctionInfo, ParamInfo, Scalar, ScalarFunction, collect, scalar_function};
pub use state::State;

/// Makes a crate a plugin: `kepi::plugin!(scalars = [f, g], aggregates = [A], models = [M], series = [S], connector = C);`,
/// with those that it has, in this order.
#[macro_export]
macro_rules! plugin {
    (
        $(scalars = [$($scalar:path),* $(,)?] $(,)?)?
        $(aggregates = [$($aggregate:path),* $(,)?] $(,)?)?
        $(models = [$($model:path),* $(,)?] $(,)?)?
        $(series = [$($series:path),* $(,)?] $(,)?)?
        $(connector = $connector:path $(,)?)?
    ) => {
        $crate::plugin!(@functions [$($($scalar),*)?] [$($($aggregate),*)?]);
        $crate::plugin!(@models [$($($model),*)?]);
        $crate::plugin!(@series [$($($series),*)?]);
        $crate::plugin!(@connector [$($connector)?]);
    };
    (@functions [] []) => {};
    (@functions [$($scalar:path),*] [$($aggregate:path),*]) => {
        // On the author's machine nobody asks for them; they only have to be what they are said to be.
        #[cfg(not(target_arch = "wasm32"))]
        const _: (&[$crate::Scalar], &[$crate::AggregateFunction]) =
            (&[$($crate::scalar_function::<$scalar>()),*], &[$($crate::aggregate_function::<$aggregate>()),*]);
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            static SCALARS: &[$crate::Scalar] = &[$($crate::scalar_function::<$scalar>()),*];
            static AGGREGATES: &[$crate::AggregateFunction] = &[$($crate::aggregate_function::<$aggregate>()),*];
            $crate::__export_functions!(SCALARS, AGGREGATES);
        };
    };
    (@models []) => {};
    (@models [$($model:path),*]) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: &[$crate::ModelFunction] = &[$($crate::model_function::<$model>()),*];
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            static MODELS: &[$crate::ModelFunction] = &[$($crate::model_function::<$model>()),*];
            $crate::__export_models!(MODELS);
        };
    };
    (@series []) => {};
    (@series [$($series:path),*]) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: &[$crate::SeriesFunction] = &[$($crate::series_function::<$series>()),*];
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            static SERIES: &[$crate::SeriesFunction] = &[$($crate::series_function::<$series>()),*];
            $crate::__export_series!(SERIES);
        };
    };
    (@connector []) => {};
    (@connector [$connector:path]) => {
        const _: () = {
            #[cfg(target_arch = "wasm32")]
            $crate::__export_connector!($connector);
        };
    };
}
