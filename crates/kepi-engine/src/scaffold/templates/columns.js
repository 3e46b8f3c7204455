
/** Describes a function whose result and parameters are floats; a name that ends in `?` may be left out of a call. */
function signature(name, params) {
  const param = (name) => ({ name: name.replace("?", ""), accepts: ["float"], optional: name.endsWith("?") });
  return { name, params: params.map(param), returns: "float", seesMissing: false };
}

/** The values of a column of floats; null is missing. */
function floats({ values, validity }) {
  if (values.tag !== "floats") throw failed("an argument is no column of floats");
  if (!validity) return values.val;
  return Array.from(values.val, (value, row) => ((validity[row >> 3] >> (row & 7)) & 1 ? value : null));
}

/** A column from values of which some are null. */
function column(values) {
  const validity = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, row) => {
    if (value !== null) validity[row >> 3] |= 1 << (row & 7);
  });
  return { values: { tag: "floats", val: Float64Array.from(values, (value) => value ?? 0) }, validity };
}

/** To be thrown: the plugin failed. */
function failed(message) {
  return { tag: "failed", val: message };
}

/** To be thrown: what it was given makes no sense, or is too little. */
function badArgument(message) {
  return { tag: "bad-argument", val: message };
}

/** Calls the author's part. What goes wrong in it is told; otherwise only that something did would be known. */
function call(run) {
  try {
    return run();
  } catch (error) {
    throw error instanceof Error ? failed(`${error.name}: ${error.message} (${error.stack.split("\n")[0]})`) : error;
  }
}
