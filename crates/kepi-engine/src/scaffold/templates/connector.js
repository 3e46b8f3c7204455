// @NAME@: orders of a service, page by page.
//
// The cursor is the time and the id of the last record. Time alone would lose records: a page may end between two of the same
// time. Nothing is kept between calls: each runs on a fresh instance.

import { fetch as request } from "kepi:plugin/http@0.1.0";

/** What there is: each stream with its fields, what tells its records apart, and the field by which it is ordered. */
function streams() {
  const field = (name, kind, doc) => ({ name, kind, doc });
  const fields = [
    field("id", "text", "Its id."),
    field("updated_at", "time", "When it changed last."),
    field("customer", "text", "Who ordered."),
    field("amount", "money", "What it cost."),
  ];
  return [{ name: "orders", fields, primaryKey: ["id"], cursorField: "updated_at" }];
}

/** Whether the service answers. */
function check() {
  ask("/orders?limit=1");
}

/** A page of a stream: its records as JSON, where to go on, whether there is more, and the keys of records that are gone. */
function page({ cursor, pageSize }) {
  let last = cursor ? JSON.parse(cursor) : { updated_at: "", id: "" };
  const [time, id] = [last.updated_at, last.id].map(encodeURIComponent);
  const { orders, more } = ask(`/orders?after_time=${time}&after_id=${id}&limit=${pageSize}`);
  if (orders.length > 0) {
    const { updated_at, id } = orders[orders.length - 1];
    last = { updated_at, id };
  }
  // Whole numbers beyond 2^53 would be rounded on the way: such ids are better asked for as text.
  const records = orders.map((order) => JSON.stringify(order));
  return { records, cursor: JSON.stringify(last), more, deleted: [] };
}

/** The secret is put in by kepi, once it has seen that the address may be called. */
function ask(path) {
  const token = ["Authorization", "Bearer {{secret:@SECRET@}}"];
  const [status, , body] = request("GET", `https://api.example.com${path}`, [token], undefined);
  if (status === 401) throw { tag: "refused", val: "the token is not accepted" };
  if (status !== 200) throw { tag: "transient", val: [`status ${status}`, 5000n] };
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    // An answer that was cut off is worth another try.
    throw { tag: "transient", val: [`the answer cannot be read: ${error.message}`, 5000n] };
  }
}

// What stands below is the same in every plugin.
export const source = {
  configSchema: () => undefined,
  check: () => told(check),
  discover: () => told(streams),
  read: (request) => told(() => page(request)),
};

/** Calls a function; what goes wrong in it is told. */
function told(run) {
  try {
    return run();
  } catch (error) {
    if (error.tag) throw error;
    // kepi's services fail with a text.
    const words = typeof error.payload === "string" ? error.payload : `${error.name}: ${error.message} (${place(error)})`;
    throw { tag: "failed", val: words };
  }
}

function place(error) {
  return error.stack.split("\n")[0];
}
