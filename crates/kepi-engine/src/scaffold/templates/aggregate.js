// @NAME@: a function of groups of rows. `Group` is the KPI; what stands below it is the same in every plugin.

/** The range of values: the largest less the smallest. null is missing. */
class Group {
  constructor(saved) {
    const view = saved && new DataView(Uint8Array.from(saved).buffer);
    this.least = view ? view.getFloat64(0, true) : Infinity;
    this.most = view ? view.getFloat64(8, true) : -Infinity;
  }
  add(x) {
    this.least = Math.min(this.least, x);
    this.most = Math.max(this.most, x);
  }
  merge(other) {
    this.least = Math.min(this.least, other.least);
    this.most = Math.max(this.most, other.most);
  }
  save() {
    const view = new DataView(new ArrayBuffer(16));
    view.setFloat64(0, this.least, true);
    view.setFloat64(8, this.most, true);
    return new Uint8Array(view.buffer);
  }
  value() {
    return this.least <= this.most ? this.most - this.least : null;
  }
}

const AGGREGATES = { spread: { group: Group, params: ["x"] } };

class Accumulator {
  constructor(group) {
    this.group = group;
    this.groups = [];
  }
  static open(name) {
    const aggregate = AGGREGATES[name];
    if (!aggregate) throw failed(`there is no aggregate \`${name}\``);
    return new Accumulator(aggregate.group);
  }
  grow(count) {
    while (this.groups.length < count) this.groups.push(new this.group());
  }
  update(groups, groupCount, args) {
    this.grow(groupCount);
    const columns = args.map(floats);
    call(() => groups.forEach((group, row) => this.groups[group].add(...columns.map((values) => values[row]))));
  }
  merge(groups, groupCount, states) {
    this.grow(groupCount);
    call(() => groups.forEach((group, index) => this.groups[group].merge(new this.group(states[index]))));
  }
  save() {
    return call(() => this.groups.map((group) => group.save()));
  }
  finish() {
    return call(() => column(this.groups.map((group) => group.value())));
  }
}

export const functions = {
  Accumulator,
  listScalars: () => [],
  listAggregates: () => Object.entries(AGGREGATES).map(([name, { params }]) => signature(name, params)),
  callScalar(name) {
    throw failed(`there is no function \`${name}\``);
  },
};
