// Products and orders as JSON.
//   GET  /products             all of them
//   POST /orders               { items: { product: count } } → the order; the warehouse gets it by the queue "orders"
//   GET  /orders/{id}
//   POST /orders/{id}/status   { status, note } from the warehouse
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { get, list, ping, push, put } from "./store.js";

const longestBodyBytes = 16 * 1024;
const mostOfOne = 20;
const statuses = ["received", "packing", "sent"];
const instance = process.env.DROVER_INSTANCE ?? "api";

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** What a name may look like, so that none becomes another path. */
const isName = (text) => /^[a-z0-9]{1,40}$/.test(text);

async function findOrder(id) {
  const found = isName(id) ? await get(`orders/${id}`) : null;
  if (found === null) throw new Refusal(404, "there is no such order");
  return found;
}

async function placeOrder({ items }) {
  const lines = [];
  for (const [id, count] of Object.entries(items ?? {})) {
    const product = isName(id) ? await get(`products/${id}`) : null;
    if (product === null) throw new Refusal(422, `there is no product "${id}"`);
    if (!Number.isInteger(count) || count < 1 || count > mostOfOne) throw new Refusal(422, `1 to ${mostOfOne} of a product, not ${count}`);
    lines.push({ id, name: product.value.name, count, cents: product.value.cents * count });
  }
  if (lines.length === 0) throw new Refusal(422, "an order has at least one item");
  const id = randomBytes(4).toString("hex");
  const order = {
    id,
    lines,
    cents: lines.reduce((sum, line) => sum + line.cents, 0),
    status: "received",
    history: [{ status: "received", at: new Date().toISOString(), by: instance }],
  };
  await put(`orders/${id}`, order, "0");
  await push("orders", { order: id });
  console.log(`order ${id} received: ${lines.map((line) => `${line.count} ${line.name}`).join(", ")}`);
  return order;
}

/** Moves an order on. Telling the same twice changes nothing, because the warehouse repeats what it is not sure of. */
async function setStatus(id, { status, note = "" }) {
  if (!statuses.includes(status)) throw new Refusal(422, `a status is one of ${statuses.join(", ")}`);
  for (;;) {
    const found = await findOrder(id);
    const order = found.value;
    if (statuses.indexOf(status) <= statuses.indexOf(order.status)) return order;
    const history = [...order.history, { status, note: String(note).slice(0, 200), at: new Date().toISOString(), by: instance }];
    try {
      await put(`orders/${id}`, { ...order, status, history }, found.version);
      console.log(`order ${id} is ${status}`);
      return { ...order, status, history };
    } catch (error) {
      if (error.status !== 412) throw error; // 412: somebody else changed it meanwhile, so look again.
    }
  }
}

async function route(request) {
  const [what, id, part] = new URL(request.url, "http://api").pathname.split("/").slice(1);
  switch (`${request.method} /${what}${id === undefined ? "" : "/*"}${part === undefined ? "" : `/${part}`}`) {
    case "GET /alive":
      return {};
    case "GET /ready":
      return (await ping()).value;
    case "GET /products":
      return (await list("products/")).map(({ value }) => value);
    case "POST /orders":
      return placeOrder(await bodyOf(request));
    case "GET /orders/*":
      return (await findOrder(id)).value;
    case "POST /orders/*/status":
      return setStatus(id, await bodyOf(request));
    default:
      throw new Refusal(404, "there is no such path");
  }
}

async function bodyOf(request) {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > longestBodyBytes) throw new Refusal(413, "the body is too long");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "the body is no JSON");
  }
}

const server = createServer(async (request, response) => {
  const say = (status, body) =>
    response.writeHead(status, { "content-type": "application/json", "x-served-by": instance }).end(JSON.stringify(body));
  try {
    say(200, await route(request));
  } catch (error) {
    if (!(error instanceof Refusal)) console.error(`${request.method} ${request.url}: ${error.message}`);
    say(error instanceof Refusal ? error.status : 503, { error: error.message });
  }
});
server.keepAliveTimeout = 60_000;
server.listen(process.env.PORT, "127.0.0.1", () => console.log(`taking orders on port ${process.env.PORT}`));
process.on("SIGTERM", () => {
  server.close(() => console.log("all requests answered, stopping"));
  server.closeIdleConnections();
});
