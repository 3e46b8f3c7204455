// @NAME@: a function of rows. `margin` is the KPI; what stands below it is the same in every plugin.

/** Margin as a share of revenue; null is missing. */
const margin = (revenue, cost) => (revenue !== 0 ? (revenue - cost) / revenue : null);

const SCALARS = { margin: { run: margin, params: ["revenue", "cost"] } };

class Accumulator {
  static open(name) {
    throw failed(`there is no aggregate \`${name}\``);
  }
}

export const functions = {
  Accumulator,
  listScalars: () => Object.entries(SCALARS).map(([name, { params }]) => signature(name, params)),
  listAggregates: () => [],
  callScalar(name, rows, args) {
    const scalar = SCALARS[name];
    if (!scalar) throw failed(`there is no function \`${name}\``);
    const columns = args.map(floats);
    return call(() => column(Array.from({ length: rows }, (_, row) => scalar.run(...columns.map((values) => values[row])))));
  },
};
