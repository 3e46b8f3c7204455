// @NAME@: a function that learns from the rows of customers, then has a value for each. `nextOrder` is the KPI; what stands below
// it is the same in every plugin.

const nextOrder = {
  /**
   * Learns from rows in the order of time: each has its customer, from 0 to `count` - 1, and a value per column (but one of a
   * constant). Gives what it learned as bytes, and names and values that tell how well it fits.
   */
  fit(customers, count, amount) {
    // Too little to learn from is no failure: the value is missing, and a note says this.
    if (count < 2) throw badArgument("2 customers are needed to learn from");
    const everyone = amount.reduce((sum, value) => sum + value, 0) / amount.length;
    const state = new Uint8Array(Float64Array.of(everyone).buffer);
    return { state, diagnostics: [["mean order", everyone.toFixed(2)]] };
  },
  /**
   * What each customer's next order is expected to be worth: the mean of their orders, drawn towards everyone's mean as if
   * each of them had `weight` more orders of that size (2 where it is left out). null is missing.
   */
  apply(state, customers, count, amount, weight = [2]) {
    const [everyone] = new Float64Array(Uint8Array.from(state).buffer);
    const sums = Array.from({ length: count }, () => ({ sum: weight[0] * everyone, orders: weight[0] }));
    customers.forEach((customer, row) => {
      sums[customer].sum += amount[row];
      sums[customer].orders += 1;
    });
    return sums.map(({ sum, orders }) => (orders > 0 ? sum / orders : null));
  },
};

// A parameter whose name ends in `?` may be left out of a call. The customer is none.
const MODELS = { next_order: { model: nextOrder, params: ["amount", "weight?"] } };

export const models = {
  listModels: () => Object.entries(MODELS).map(([name, { params }]) => signature(name, params)),
  fit(name, { entities, entityCount, args }) {
    return call(() => known(name).fit(entities, entityCount, ...args.map(floats)));
  },
  apply(name, state, { entities, entityCount, args }) {
    return call(() => column(known(name).apply(state, entities, entityCount, ...args.map(floats))));
  },
};

function known(name) {
  if (!MODELS[name]) throw failed(`there is no model \`${name}\``);
  return MODELS[name].model;
}
