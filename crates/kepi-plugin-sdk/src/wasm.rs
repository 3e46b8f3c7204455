//! The component: what the contract asks for, in the types of this crate.

#![allow(missing_docs, unreachable_pub)] // The contract in wit/ says what these are.

use crate::{AggregateFunction, Column, DataType, Error, FunctionInfo, Groups, ModelFunction, SeriesFunction, Values};
use std::cell::RefCell;
use std::sync::Once;

pub mod functions_world {
    wit_bindgen::generate!({
        path: "wit",
        world: "functions-plugin",
        pub_export_macro: true,
        export_macro_name: "export_functions",
    });
}

pub mod models_world {
    wit_bindgen::generate!({
        path: "wit",
        world: "models-plugin",
        pub_export_macro: true,
        export_macro_name: "export_models",
    });
}

pub mod series_world {
    wit_bindgen::generate!({
        path: "wit",
        world: "series-plugin",
        pub_export_macro: true,
        export_macro_name: "export_series",
    });
}

pub mod connector_world {
    wit_bindgen::generate!({
        path: "wit",
        world: "connector-plugin",
        pub_export_macro: true,
        export_macro_name: "export_connector",
    });
}

/// The types of a world have names of their own; what they hold is moved, not copied.
macro_rules! conversions {
    ($module:ident, $world:ident) => {
        pub mod $module {
            use super::*;
            use $world::kepi::plugin::types;

            pub fn column(column: types::Column) -> Result<Column, Error> {
                let values = match column.values {
                    types::Values::Booleans(values) => Values::Booleans(values),
                    types::Values::Integers(values) => Values::Integers(values),
                    types::Values::Floats(values) => Values::Floats(values),
                    types::Values::Texts(texts) => Values::Texts { offsets: texts.offsets, data: texts.data },
                    types::Values::Times(values) => Values::Times(values),
                    types::Values::Dates(values) => Values::Dates(values),
                    types::Values::Decimals(_) => {
                        return Err(Error::Failed("a column of decimals came, which nobody asked for".to_string()));
                    }
                };
                Ok(Column { values, validity: column.validity })
            }

            pub fn columns(columns: Vec<types::Column>) -> Result<Vec<Column>, types::Error> {
                columns.into_iter().map(column).collect::<Result<_, _>>().map_err(error)
            }

            pub fn given(column: Column) -> types::Column {
                let values = match column.values {
                    Values::Booleans(values) => types::Values::Booleans(values),
                    Values::Integers(values) => types::Values::Integers(values),
                    Values::Floats(values) => types::Values::Floats(values),
                    Values::Texts { offsets, data } => types::Values::Texts(types::Texts { offsets, data }),
                    Values::Times(values) => types::Values::Times(values),
                    Values::Dates(values) => types::Values::Dates(values),
                };
                types::Column { values, validity: column.validity }
            }

            pub fn error(error: Error) -> types::Error {
                match error {
                    Error::BadArgument(message) => types::Error::BadArgument(message),
                    Error::Failed(message) => types::Error::Failed(message),
                }
            }

            pub fn unknown(name: &str) -> types::Error {
                types::Error::Failed(format!("there is no function `{name}`"))
            }

            pub fn signature(info: &FunctionInfo) -> types::Signature {
                let param = |param: &crate::ParamInfo| types::Param {
                    name: param.name.to_string(),
                    accepts: vec![data_type(param.accepts)],
                    optional: param.optional,
                };
                types::Signature {
                    name: info.name.to_string(),
                    params: info.params.iter().map(param).collect(),
                    returns: Some(data_type(info.returns)),
                    sees_missing: info.sees_missing,
                }
            }

            fn data_type(data_type: DataType) -> types::DataType {
                match data_type {
                    DataType::Boolean => types::DataType::Boolean,
                    DataType::Integer => types::DataType::Integer,
                    DataType::Float => types::DataType::Float,
                    DataType::Text => types::DataType::Text,
                    DataType::Time => types::DataType::Time,
                    DataType::Date => types::DataType::Date,
                }
            }
        }
    };
}

conversions!(functions, functions_world);
conversions!(models, models_world);
conversions!(series, series_world);

/// A panic's message is lost in a component unless it is sent to the log.
pub fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| functions_world::kepi::plugin::log::write("error", &info.to_string())));
    });
}

/// The groups of one aggregation.
pub struct Accumulated(RefCell<Box<dyn Groups>>);

impl Accumulated {
    pub fn start(aggregates: &[AggregateFunction], name: &str) -> Option<Accumulated> {
        report_panics();
        let found = aggregates.iter().find(|aggregate| (aggregate.info)().name == name)?;
        Some(Accumulated(RefCell::new((found.start)())))
    }

    pub fn groups(&self) -> std::cell::RefMut<'_, Box<dyn Groups>> {
        self.0.borrow_mut()
    }
}

pub fn find_model<'m>(models: &'m [ModelFunction], name: &str) -> Option<&'m ModelFunction> {
    report_panics();
    models.iter().find(|model| model.info.name == name)
}

pub fn find_series<'s>(series: &'s [SeriesFunction], name: &str) -> Option<&'s SeriesFunction> {
    report_panics();
    series.iter().find(|series| series.info.name == name)
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_functions {
    ($scalars:expr, $aggregates:expr) => {
        use $crate::wasm::functions as convert;
        use $crate::wasm::functions_world::exports::kepi::plugin::functions as contract;
        use $crate::wasm::functions_world::kepi::plugin::types;

        struct Exported;

        impl contract::Guest for Exported {
            type Accumulator = Accumulator;

            fn list_scalars() -> Vec<types::Signature> {
                $scalars.iter().map(|scalar| convert::signature(&scalar.info)).collect()
            }

            fn list_aggregates() -> Vec<types::Signature> {
                $aggregates.iter().map(|aggregate| convert::signature(&(aggregate.info)())).collect()
            }

            fn call_scalar(name: String, rows: u32, args: Vec<types::Column>) -> Result<types::Column, types::Error> {
                $crate::wasm::report_panics();
                let scalar = $scalars.iter().find(|scalar| scalar.info.name == name);
                let scalar = scalar.ok_or_else(|| convert::unknown(&name))?;
                (scalar.call)(rows as usize, &convert::columns(args)?).map(convert::given).map_err(convert::error)
            }
        }

        struct Accumulator($crate::wasm::Accumulated);

        impl contract::GuestAccumulator for Accumulator {
            fn open(name: String) -> Result<contract::Accumulator, types::Error> {
                let started = $crate::wasm::Accumulated::start($aggregates, &name);
                let started = started.ok_or_else(|| convert::unknown(&name))?;
                Ok(contract::Accumulator::new(Accumulator(started)))
            }

            fn update(&self, groups: Vec<u32>, group_count: u32, args: Vec<types::Column>) -> Result<(), types::Error> {
                let args = convert::columns(args)?;
                self.0.groups().update(&groups, group_count as usize, &args).map_err(convert::error)
            }

            fn merge(&self, groups: Vec<u32>, group_count: u32, states: Vec<Vec<u8>>) -> Result<(), types::Error> {
                self.0.groups().merge(&groups, group_count as usize, &states).map_err(convert::error)
            }

            fn save(&self) -> Result<Vec<Vec<u8>>, types::Error> {
                Ok(self.0.groups().save())
            }

            fn finish(&self) -> Result<types::Column, types::Error> {
                Ok(convert::given(self.0.groups().finish()))
            }
        }

        $crate::wasm::functions_world::export_functions!(Exported with_types_in $crate::wasm::functions_world);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_models {
    ($models:expr) => {
        use $crate::wasm::models as convert;
        use $crate::wasm::models_world::exports::kepi::plugin::models as contract;
        use $crate::wasm::models_world::kepi::plugin::types;

        struct Exported;

        fn table(table: contract::Table) -> Result<$crate::Table, types::Error> {
            Ok($crate::Table {
                entities: table.entities,
                entity_count: table.entity_count as usize,
                arguments: convert::columns(table.args)?,
                now: table.now,
            })
        }

        impl contract::Guest for Exported {
            fn list_models() -> Vec<types::Signature> {
                $models.iter().map(|model| convert::signature(&model.info)).collect()
            }

            fn fit(name: String, rows: contract::Table) -> Result<contract::Fitted, types::Error> {
                let model = $crate::wasm::find_model($models, &name).ok_or_else(|| convert::unknown(&name))?;
                let (state, diagnostics) = (model.fit)(&table(rows)?).map_err(convert::error)?;
                Ok(contract::Fitted { state, diagnostics })
            }

            fn apply(name: String, state: Vec<u8>, rows: contract::Table) -> Result<types::Column, types::Error> {
                let model = $crate::wasm::find_model($models, &name).ok_or_else(|| convert::unknown(&name))?;
                (model.apply)(&state, &table(rows)?).map(convert::given).map_err(convert::error)
            }
        }

        $crate::wasm::models_world::export_models!(Exported with_types_in $crate::wasm::models_world);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_series {
    ($series:expr) => {
        use $crate::wasm::series as convert;
        use $crate::wasm::series_world::exports::kepi::plugin::series as contract;
        use $crate::wasm::series_world::kepi::plugin::types;

        struct Exported;

        impl contract::Guest for Exported {
            fn list_series() -> Vec<types::Signature> {
                $series.iter().map(|series| convert::signature(&series.info)).collect()
            }

            fn extend(
                name: String,
                past: types::Column,
                season: Option<u32>,
                wanted: u32,
                constants: Vec<types::Column>,
            ) -> Result<types::Column, types::Error> {
                let series = $crate::wasm::find_series($series, &name).ok_or_else(|| convert::unknown(&name))?;
                let past = convert::column(past).map_err(convert::error)?;
                let values = (series.extend)(&past, season, wanted as usize, &convert::columns(constants)?);
                values.map(convert::given).map_err(convert::error)
            }
        }

        $crate::wasm::series_world::export_series!(Exported with_types_in $crate::wasm::series_world);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_connector {
    ($connector:path) => {
        use $crate::Connector as _;
        use $crate::wasm::connector_world::exports::kepi::plugin::source as contract;

        struct Exported;

        fn error(error: $crate::SourceError) -> contract::SourceError {
            match error {
                $crate::SourceError::Config(message) => contract::SourceError::Config(message),
                $crate::SourceError::Refused(message) => contract::SourceError::Refused(message),
                $crate::SourceError::Transient(message, wait) => contract::SourceError::Transient((message, wait)),
                $crate::SourceError::Failed(message) => contract::SourceError::Failed(message),
            }
        }

        fn shape(shape: $crate::StreamShape) -> contract::StreamShape {
            let field = |field: $crate::StreamField| contract::StreamField {
                name: field.name,
                kind: field.kind,
                doc: field.doc,
            };
            contract::StreamShape {
                name: shape.name,
                fields: shape.fields.into_iter().map(field).collect(),
                primary_key: shape.primary_key,
                cursor_field: shape.cursor_field,
            }
        }

        impl contract::Guest for Exported {
            fn config_schema() -> Option<String> {
                <$connector>::config_schema()
            }

            fn check(config: String) -> Result<(), contract::SourceError> {
                $crate::wasm::report_panics();
                <$connector>::check(&config).map_err(error)
            }

            fn discover(config: String) -> Result<Vec<contract::StreamShape>, contract::SourceError> {
                $crate::wasm::report_panics();
                Ok(<$connector>::discover(&config).map_err(error)?.into_iter().map(shape).collect())
            }

            fn read(request: contract::PageRequest) -> Result<contract::Page, contract::SourceError> {
                $crate::wasm::report_panics();
                let request = $crate::PageRequest {
                    stream: request.stream,
                    config: request.config,
                    cursor: request.cursor,
                    page_size: request.page_size,
                    since: request.since,
                };
                let page = <$connector>::read(request).map_err(error)?;
                Ok(contract::Page {
                    records: page.records,
                    cursor: page.cursor,
                    more: page.more,
                    deleted: page.deleted,
                })
            }
        }

        $crate::wasm::connector_world::export_connector!(Exported with_types_in $crate::wasm::connector_world);
    };
}
