// @NAME@: a function that goes on with the values of past periods. `asBefore` is the KPI; what stands below it is the same in
// every plugin.

/**
 * The value of the same period a season ago (a year of months, a week of days), `growth` more each time; where there is no
 * whole season yet, the last value. A value of the past may be null: missing. The season is undefined of years.
 */
function asBefore(past, season, wanted, growth = 0) {
  // Too little to go on is no failure: the values are missing, and a note says this.
  if (past.length === 0) throw badArgument("no complete period is there");
  const back = season && season <= past.length ? season : 1;
  const values = Array.from(past);
  for (let period = 0; period < wanted; period++) {
    const before = values[values.length - back];
    values.push(before === null ? null : before * (1 + growth));
  }
  return values.slice(past.length);
}

// A parameter whose name ends in `?` may be left out of a call.
const SERIES = { as_before: { run: asBefore, params: ["past", "growth?"] } };

export const series = {
  listSeries: () => Object.entries(SERIES).map(([name, { params }]) => signature(name, params)),
  extend(name, past, season, wanted, constants) {
    if (!SERIES[name]) throw failed(`there is no series \`${name}\``);
    const values = constants.map((constant) => floats(constant)[0]);
    return call(() => column(SERIES[name].run(floats(past), season, wanted, ...values)));
  },
};
