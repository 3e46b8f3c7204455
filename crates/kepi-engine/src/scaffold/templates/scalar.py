"""@NAME@: a function of rows. `margin` is the KPI; what stands below it is the same in every plugin."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types


def margin(revenue, cost):
    """Margin as a share of revenue; None is missing."""
    return (revenue - cost) / revenue if revenue != 0 else None


SCALARS = {"margin": (margin, ["revenue", "cost"])}


class Functions(exports.Functions):
    def list_scalars(self):
        return [signature(name, params) for name, (_, params) in SCALARS.items()]

    def list_aggregates(self):
        return []

    def call_scalar(self, name, rows, args):
        if name not in SCALARS:
            raise Err(types.Error_Failed(f"there is no function `{name}`"))
        function = SCALARS[name][0]
        return column([function(*row) for row in zip(*(floats(arg) for arg in args))])


def signature(name, params):
    """Describes a function whose parameters and result are floats."""
    float_ = types.DataType.FLOAT
    return types.Signature(name, [types.Param(param, [float_], False) for param in params], float_, False)


def floats(arg):
    if not isinstance(arg.values, types.Values_Floats):
        raise Err(types.Error_Failed("an argument is no column of floats"))
    return arg.values.value


def column(values):
    """A column from values of which some are None."""
    validity = bytearray((len(values) + 7) // 8)
    for row, value in enumerate(values):
        if value is not None:
            validity[row // 8] |= 1 << (row % 8)
    return types.Column(types.Values_Floats([0.0 if value is None else value for value in values]), bytes(validity))
