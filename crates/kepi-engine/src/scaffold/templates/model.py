"""@NAME@: a function that learns from the rows of customers, then has a value for each. `fit` and `apply` are the KPI; what
stands below them is the same in every plugin."""

import struct

from columns import bad_argument, call, column, failed, floats, signature
from wit_world import exports
from wit_world.exports import models as contract


def fit(customers, count, amount, weight=None):
    """Learns from rows in the order of time: each has its customer, from 0 to `count` - 1, and a value per column (but one
    of a constant). Gives what it learned as bytes, and names and values that tell how well it fits."""
    if count < 2:
        # Too little to learn from is no failure: the value is missing, and a note says this.
        raise bad_argument("2 customers are needed to learn from")
    everyone = sum(amount) / len(amount)
    return struct.pack("<d", everyone), [("mean order", f"{everyone:.2f}")]


def apply(state, customers, count, amount, weight=None):
    """What each customer's next order is expected to be worth: the mean of their orders, drawn towards everyone's mean as if
    each of them had `weight` more orders of that size (2 where it is left out). None is missing."""
    (everyone,) = struct.unpack("<d", state)
    more = weight[0] if weight else 2.0
    sums = [[more * everyone, more] for _ in range(count)]
    for customer, value in zip(customers, amount):
        sums[customer][0] += value
        sums[customer][1] += 1
    return [total / orders if orders > 0 else None for total, orders in sums]


# A parameter whose name ends in `?` may be left out of a call. The customer is none.
MODELS = {"next_order": (fit, apply, ["amount", "weight?"])}


class Models(exports.Models):
    def list_models(self):
        return [signature(name, params) for name, (_, _, params) in MODELS.items()]

    def fit(self, name, table):
        function = known(name)[0]
        columns = [floats(arg) for arg in table.args]
        return contract.Fitted(*call(function, table.entities, table.entity_count, *columns))

    def apply(self, name, state, table):
        function = known(name)[1]
        columns = [floats(arg) for arg in table.args]
        return column(call(function, state, table.entities, table.entity_count, *columns))


def known(name):
    if name not in MODELS:
        raise failed(f"there is no model `{name}`")
    return MODELS[name]
