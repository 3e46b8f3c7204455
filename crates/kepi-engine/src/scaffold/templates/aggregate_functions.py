"""All groups of an aggregation: the same in every plugin. The contract looks for the class here."""

from columns import call, column, failed, floats
from plugin import AGGREGATES
from wit_world.exports import functions as contract


class Accumulator(contract.Accumulator):
    def __init__(self, group):
        self.group, self.groups = group, []

    @classmethod
    def open(cls, name):
        if name not in AGGREGATES:
            raise failed(f"there is no aggregate `{name}`")
        return cls(AGGREGATES[name][0])

    def grow(self, count):
        self.groups.extend(self.group() for _ in range(count - len(self.groups)))

    def update(self, groups, group_count, args):
        def add():
            self.grow(group_count)
            for group, row in zip(groups, zip(*(floats(arg) for arg in args))):
                self.groups[group].add(*row)

        call(add)

    def merge(self, groups, group_count, states):
        def merge():
            self.grow(group_count)
            for group, state in zip(groups, states):
                self.groups[group].merge(self.group(state))

        call(merge)

    def save(self):
        return call(lambda: [group.save() for group in self.groups])

    def finish(self):
        return call(lambda: column([group.value() for group in self.groups]))
