// Asks one host in a row over one connection, from "start" to "stop", then tells the waits: { waits, failed }. Arguments: the port, the host.
import http from "node:http";
import { request } from "../../test/harness/drover.ts";

const [port = "", host = ""] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let waits: number[] = [];
let failed = 0;
let isAsking = false;

async function ask(): Promise<void> {
  while (isAsking) {
    const startedAt = performance.now();
    // Whatever went wrong with it counts as failed.
    const answer = await request({ port: Number(port), method: "GET", path: "/", headers: { host }, agent }).catch(() => null);
    if (answer?.status !== 200) failed++;
    waits.push(performance.now() - startedAt);
  }
  process.send?.({ waits, failed });
  waits = [];
  failed = 0;
}

process.on("message", (message) => {
  isAsking = message === "start";
  if (isAsking) void ask();
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
