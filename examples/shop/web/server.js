// The pages of the shop. It keeps nothing: the cart is in a cookie, everything else is the API's.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { cartPage, orderPage, page, problem, shelf } from "./pages.js";

const { API_URL, PORT, SHOP_NAME: shop = "Shop", DROVER_INSTANCE: servedBy = "web" } = process.env;
const timeoutMs = 5_000;
const longestFormBytes = 4 * 1024;
const mostOfOne = 20;
const files = {
  "/style.css": { type: "text/css; charset=utf-8", content: await readFile(new URL("style.css", import.meta.url)) },
  "/order.js": { type: "text/javascript; charset=utf-8", content: await readFile(new URL("order.js", import.meta.url)) },
};

async function api(method, path, body) {
  const response = await fetch(`${API_URL}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const value = await response.json();
  if (!response.ok) throw Object.assign(new Error(value.error ?? "the API refused"), { status: response.status });
  return { value, dataBy: response.headers.get("x-served-by") };
}

/** The cart's cookie is `kettle:2.mug:1`. */
function readCart(request) {
  const [, text = ""] = /(?:^|;\s*)cart=([\w:.-]*)/.exec(request.headers.cookie ?? "") ?? [];
  const pairs = text.split(".").map((pair) => pair.split(":"));
  return new Map(pairs.map(([id, count]) => [id, Number(count)]).filter(([id, count]) => id !== "" && count >= 1 && count <= mostOfOne));
}

const cartCookie = (cart) =>
  `cart=${[...cart].map(([id, count]) => `${id}:${count}`).join(".")}; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800`;

async function readForm(request) {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > longestFormBytes) throw Object.assign(new Error("the form is too long"), { status: 413 });
  }
  return new URLSearchParams(text);
}

function changeCart(cart, form) {
  const [id, step] = form.has("add") ? [form.get("add"), 1] : [form.get("remove"), -1];
  if (!/^[a-z]{1,40}$/.test(id ?? "")) return;
  const count = Math.min(mostOfOne, (cart.get(id) ?? 0) + step);
  if (count > 0) cart.set(id, count);
  else cart.delete(id);
}

/** The same origin where this is the shop's own host, the pictures' own host where it is `web.shop.localhost`. */
const picturesFor = (host = "") => (host.startsWith("web.") ? `//pictures.${host.slice(4)}` : "");

/** What a request comes to: a page's title and body, or somewhere to go, with the cart when it changes. */
async function route(request, path, cart) {
  const [what, id] = path.split("/").slice(1);
  switch (`${request.method} /${what}${id === undefined ? "" : "/*"}`) {
    case "GET /": {
      const { value: products, dataBy } = await api("GET", "/products");
      return { title: "Shelf", dataBy, body: shelf({ products, pictures: picturesFor(request.headers.host) }) };
    }
    case "GET /cart": {
      const { value: products, dataBy } = await api("GET", "/products");
      const lines = products.filter(({ id }) => cart.has(id)).map((product) => ({ ...product, count: cart.get(product.id) }));
      return { title: "Cart", dataBy, body: cartPage({ lines }) };
    }
    case "POST /cart": {
      const form = await readForm(request);
      changeCart(cart, form);
      return { location: form.has("remove") || request.headers.referer?.endsWith("/cart") ? "/cart" : "/", cart };
    }
    case "POST /orders": {
      const { value: order } = await api("POST", "/orders", { items: Object.fromEntries(cart) });
      console.log(`order ${order.id} placed`);
      return { location: `/orders/${order.id}`, cart: new Map() };
    }
    case "GET /orders/*": {
      const { value: order, dataBy } = await api("GET", `/orders/${encodeURIComponent(id)}`);
      return { title: `Order ${order.id}`, dataBy, body: orderPage(order) };
    }
    default:
      return { status: 404, title: "Not found", body: problem({ heading: "There is nothing here", text: "The page may have moved." }) };
  }
}

async function answer(request, response) {
  const { pathname } = new URL(request.url, "http://web");
  // Alive is about this process alone; ready is about what it needs too, so that no visitor meets an empty shelf.
  if (pathname === "/alive") return response.end("alive\n");
  if (pathname === "/ready") {
    await api("GET", "/ready");
    return response.end("ready\n");
  }
  if (Object.hasOwn(files, pathname)) {
    const { type, content } = files[pathname];
    return response.writeHead(200, { "content-type": type, "cache-control": "max-age=60" }).end(content);
  }
  const cart = readCart(request);
  const found = await route(request, pathname, cart);
  const headers = found.cart ? { "set-cookie": cartCookie(found.cart) } : {};
  if (found.location) return response.writeHead(303, { location: found.location, ...headers }).end();
  show(response, found.status ?? 200, found, cart, headers);
}

function show(response, status, { title, body, dataBy }, cart, headers = {}) {
  const cartCount = [...cart.values()].reduce((sum, count) => sum + count, 0);
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "x-served-by": servedBy,
    ...headers,
  });
  response.end(String(page({ title, shop, cartCount, servedBy, dataBy, body })));
}

const server = createServer((request, response) =>
  answer(request, response).catch((error) => {
    const status = error.status ?? 503;
    if (status >= 500) console.error(`${request.method} ${request.url}: ${error.message}`);
    const heading = status >= 500 ? "The shop is short of staff" : "That did not work";
    show(response, status, { title: heading, body: problem({ heading, text: error.message }) }, readCart(request));
  }),
);
server.keepAliveTimeout = 60_000;
server.listen(PORT, "127.0.0.1", () => console.log(`open for business on port ${PORT}`));
process.on("SIGTERM", () => {
  server.close(() => console.log("all visitors served, closing"));
  server.closeIdleConnections();
});
