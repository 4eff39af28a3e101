// The client of a soak: a steady, open-loop load, from a program of its own, with Node's client and without knowing anything of Drover. Argument: JSON
// of { targets, perSecond }. At "stop" it says { sent, answered, failures }, with the times of the machine's clock.
import http from "node:http";
import { request } from "./drover.ts";
import type { Failure, SoakTarget } from "./soak.ts";

const { targets, perSecond } = JSON.parse(process.argv[2] ?? "{}") as { targets: readonly SoakTarget[]; perSecond: number };
const kept = new http.Agent({ keepAlive: true, maxSockets: 256 });
const failures: Failure[] = [];
const open = new Set<Promise<void>>();
let [sent, answered, isRunning] = [0, 0, true];

async function ask(target: SoakTarget): Promise<void> {
  const { port, host, method, path, isKept } = target;
  const fromMs = Date.now();
  const failed = (what: string, isCut: boolean) =>
    failures.push({
      what: `${method} ${host}:${port}${path}${isKept ? "" : " (new connection)"}: ${what}`,
      fromMs,
      toMs: Date.now(),
      isCut,
    });
  try {
    const body = method === "POST" ? { body: "x".repeat(5_000) } : {};
    const answer = await request({ port, method, path, headers: { host }, ...(isKept ? { agent: kept } : {}), ...body, timeoutMs: 40_000 });
    answered++;
    if (answer.status !== 200) failed(`${answer.status} ${answer.body.slice(0, 200)}`, false);
  } catch (error) {
    const { code = "", message } = error as { readonly code?: string; readonly message: string };
    failed(message, ["ECONNRESET", "EPIPE"].includes(code));
  }
}

const startedAt = performance.now();
const pump = setInterval(() => {
  const due = ((performance.now() - startedAt) / 1_000) * perSecond;
  for (; isRunning && sent < due; sent++) {
    const target = targets[sent % targets.length];
    if (target === undefined) continue;
    const asked: Promise<void> = ask(target).finally(() => open.delete(asked));
    open.add(asked);
  }
}, 5);

process.on("message", () => {
  isRunning = false;
  clearInterval(pump);
  void Promise.all(open).then(() => process.send?.({ sent, answered, failures }, () => process.exit()));
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
