//! Two functions for kepi: `margin_pct` of rows and `gini` of groups of rows.

mod gini;
mod margin;

use gini::Gini;
use margin::margin_pct;

kepi_plugin_sdk::plugin!(scalars = [margin_pct], aggregates = [Gini]);
