"""@NAME@: a function of groups of rows. `Group` is the KPI; what stands below it is the same in every plugin."""

import struct

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types


class Group:
    """The range of values: the largest less the smallest. None is missing."""

    def __init__(self, saved=None):
        self.least, self.most = struct.unpack("<dd", saved) if saved else (float("inf"), float("-inf"))

    def add(self, x):
        self.least, self.most = min(self.least, x), max(self.most, x)

    def merge(self, other):
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)

    def save(self):
        return struct.pack("<dd", self.least, self.most)

    def value(self):
        return self.most - self.least if self.least <= self.most else None


AGGREGATES = {"spread": (Group, ["x"])}


class Functions(exports.Functions):
    def list_scalars(self):
        return []

    def list_aggregates(self):
        return [signature(name, params) for name, (_, params) in AGGREGATES.items()]

    def call_scalar(self, name, rows, args):
        raise Err(types.Error_Failed(f"there is no function `{name}`"))


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
