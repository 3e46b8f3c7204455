// @NAME@: a function of rows. `margin` is the KPI; what stands below it is the same in every plugin.

/** Margin as a share of revenue; null is missing. */
const margin = (revenue, cost) => (revenue !== 0 ? (revenue - cost) / revenue : null);

const SCALARS = { margin: { call: margin, params: ["revenue", "cost"] } };

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
    return column(Array.from({ length: rows }, (_, row) => scalar.call(...columns.map((values) => values[row]))));
  },
};

/** Describes a function whose parameters and result are floats. */
function signature(name, params) {
  const param = (name) => ({ name, accepts: ["float"], optional: false });
  return { name, params: params.map(param), returns: "float", seesMissing: false };
}

function floats(arg) {
  if (arg.values.tag !== "floats") throw failed("an argument is no column of floats");
  return arg.values.val;
}

/** A column from values of which some are null. */
function column(values) {
  const validity = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, row) => {
    if (value !== null) validity[row >> 3] |= 1 << (row & 7);
  });
  return { values: { tag: "floats", val: Float64Array.from(values, (value) => value ?? 0) }, validity };
}

function failed(message) {
  return { tag: "failed", val: message };
}
