//! What kepi's own tests try: a connector with one fault, and a model that can be computed by hand.

mod connector;
mod next_order;

use kepi_plugin_sdk as kepi;

kepi::plugin!(models = [next_order::NextOrder], connector = connector::Orders);
