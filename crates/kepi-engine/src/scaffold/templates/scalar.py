"""@NAME@: a function of rows. `margin` is the KPI; what stands below it is the same in every plugin."""

from columns import call, column, failed, floats, signature
from wit_world import exports


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
            raise failed(f"there is no function `{name}`")
        function = SCALARS[name][0]
        return call(lambda: column([function(*row) for row in zip(*(floats(arg) for arg in args))]))
