"""All groups of an aggregation: the same in every plugin. The contract looks for the class here."""

from componentize_py_types import Err
from plugin import AGGREGATES, column, floats
from wit_world.exports import functions as contract
from wit_world.imports import types


class Accumulator(contract.Accumulator):
    def __init__(self, group):
        self.group, self.groups = group, []

    @classmethod
    def open(cls, name):
        if name not in AGGREGATES:
            raise Err(types.Error_Failed(f"there is no aggregate `{name}`"))
        return cls(AGGREGATES[name][0])

    def grow(self, count):
        self.groups.extend(self.group() for _ in range(count - len(self.groups)))

    def update(self, groups, group_count, args):
        self.grow(group_count)
        for group, row in zip(groups, zip(*(floats(arg) for arg in args))):
            self.groups[group].add(*row)

    def merge(self, groups, group_count, states):
        self.grow(group_count)
        for group, state in zip(groups, states):
            self.groups[group].merge(self.group(state))

    def save(self):
        return [group.save() for group in self.groups]

    def finish(self):
        return column([group.value() for group in self.groups])
