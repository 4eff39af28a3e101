// Takes orders from the queue, lays a slip for each on the packer's desk, and tells the API what has become of it. Killed at any moment it
// goes on where it was: a job that is not done comes back to the queue, and slips are files.
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const { STORE_URL, API_URL, SLIPS_DIR = ".", DROVER_INSTANCE = "clerk" } = process.env;
const [desk, packed] = [join(SLIPS_DIR, "desk"), join(SLIPS_DIR, "packed")];
const idleMs = 250;
const timeoutMs = 5_000;
const stop = new AbortController();

async function call(method, url, body) {
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}`);
  return response.status === 204 ? null : response.json();
}

async function takeOrder() {
  const taken = await call("POST", `${STORE_URL}/queues/orders/take`);
  if (taken === null) return false;
  const order = await call("GET", `${API_URL}/orders/${taken.value.order}`);
  const slip = order.lines.map(({ name, count, cents }) => `${name}\t${count}\t${cents}\n`).join("");
  if (!(await isThere(join(packed, order.id)))) {
    // Renamed into place, so that the packer never sees half a slip.
    await writeFile(join(SLIPS_DIR, `${order.id}.new`), slip);
    await rename(join(SLIPS_DIR, `${order.id}.new`), join(desk, order.id));
  }
  await call("POST", `${API_URL}/orders/${order.id}/status`, { status: "packing", note: `slip written by ${DROVER_INSTANCE}` });
  await call("DELETE", `${STORE_URL}/queues/orders/${taken.job}`);
  console.log(`order ${order.id} is on the packer's desk, attempt ${taken.attempts}`);
  return true;
}

async function sendParcels() {
  for (const id of await readdir(packed)) {
    const label = (await readFile(join(packed, id), "utf8")).trim();
    await call("POST", `${API_URL}/orders/${id}/status`, { status: "sent", note: label });
    await rm(join(packed, id), { force: true });
    console.log(`order ${id} is sent: ${label}`);
  }
}

async function isThere(file) {
  return access(file).then(
    () => true,
    () => false,
  );
}

process.on("SIGTERM", () => stop.abort());
for (const folder of [desk, packed]) await mkdir(folder, { recursive: true });
console.log("at work");
while (!stop.signal.aborted) {
  let busy = false;
  try {
    await sendParcels();
    busy = await takeOrder();
  } catch (error) {
    console.error(`trying again: ${error.message}`);
    await sleep(1_000, undefined, { signal: stop.signal }).catch(() => {});
  }
  if (!busy) await sleep(idleMs, undefined, { signal: stop.signal }).catch(() => {});
}
console.log("work laid down");
