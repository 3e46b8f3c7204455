"""@NAME@: a function that goes on with the values of past periods. `as_before` is the KPI; what stands below it is the same in
every plugin."""

from columns import bad_argument, call, column, failed, floats, signature
from wit_world import exports


def as_before(past, season, wanted, growth=None):
    """The value of the same period a season ago (a year of months, a week of days), `growth` more each time; where there is
    no whole season yet, the last value. A value of the past may be None: missing. So may the season be: of years."""
    if not past:
        # Too little to go on is no failure: the values are missing, and a note says this.
        raise bad_argument("no complete period is there")
    season = season if season and season <= len(past) else 1
    values = list(past)
    for _ in range(wanted):
        before = values[-season]
        values.append(None if before is None else before * (1 + (growth or 0.0)))
    return values[len(past) :]


# A parameter whose name ends in `?` may be left out of a call.
SERIES = {"as_before": (as_before, ["past", "growth?"])}


class Series(exports.Series):
    def list_series(self):
        return [signature(name, params) for name, (_, params) in SERIES.items()]

    def extend(self, name, past, season, wanted, constants):
        if name not in SERIES:
            raise failed(f"there is no series `{name}`")
        constants = [floats(constant)[0] for constant in constants]
        return column(call(SERIES[name][0], floats(past), season, wanted, *constants))
