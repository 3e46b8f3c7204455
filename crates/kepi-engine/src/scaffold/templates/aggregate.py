"""@NAME@: a function of groups of rows. `Group` is the KPI; what stands below it is the same in every plugin."""

import struct

from columns import failed, signature
from wit_world import exports


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
        raise failed(f"there is no function `{name}`")
