// Two thousand watchers on one key: from the PUT to the last of them told, and what the server's event loop does meanwhile.
// The watchers and the probe of the loop live in processes of their own, so that neither measures the other.
import { fork } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { request, TestDrover } from "../test/harness/drover.ts";
import { median, quantile, report } from "./lib.ts";

const watchers = 2_000;
const rounds = 10;
const path = "/v1/spaces/default/kv/watched";

if (process.argv[2] === "watch") await watch(Number(process.argv[3]), process.argv[4] ?? "");
else if (process.argv[2] === "probe") await probe(Number(process.argv[3]), process.argv[4] ?? "");
else await measure();

/** Tells its parent the time at which the last watcher was told of each value. */
async function watch(port: number, token: string): Promise<void> {
  const told = new Map<string, number>();
  for (let i = 0; i < watchers; i++) {
    const call = http.get({
      host: "127.0.0.1",
      port,
      path: "/v1/spaces/default/watch?prefix=watched",
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
      agent: false,
    });
    const [answer] = (await once(call, "response")) as [http.IncomingMessage];
    if (answer.statusCode !== 200) throw new Error(`a watcher was answered ${answer.statusCode}`);
    answer.setEncoding("latin1");
    answer.on("data", (chunk: string) => {
      const revision = /"revision":\s*(\d+)/.exec(chunk)?.[1] ?? /^id: ?(\d+)/m.exec(chunk)?.[1];
      if (revision === undefined) return;
      const count = (told.get(revision) ?? 0) + 1;
      told.set(revision, count);
      if (count === watchers) process.send?.({ atMs: performance.timeOrigin + performance.now() });
    });
  }
  process.send?.("ready");
}

/** Asks the cheapest question once a millisecond on one connection; an answer that is late by x shows a loop that was busy for about x. */
async function probe(port: number, token: string): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let worst = 0;
  process.on("message", () => {
    process.send?.({ worst });
    worst = 0;
  });
  process.send?.("ready");
  for (;;) {
    const startedAt = performance.now();
    await request({ port, method: "GET", path: "/v1/health", headers: { authorization: `Bearer ${token}` }, agent });
    worst = Math.max(worst, performance.now() - startedAt);
  }
}

async function measure(): Promise<void> {
  await using drover = await TestDrover.start();
  await drover.apply("space: default\n");
  const token = await drover.token();
  const put = (value: string) =>
    request({
      port: drover.apiPort,
      method: "PUT",
      path,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/octet-stream" },
      body: value,
    });
  await put("first");
  const watching = fork(process.argv[1] ?? "", ["watch", String(drover.apiPort), token]);
  await once(watching, "message");
  const probing = fork(process.argv[1] ?? "", ["probe", String(drover.apiPort), token]);
  await once(probing, "message");
  const figures: number[] = [];
  const blocks: number[] = [];
  for (let round = 0; round < rounds; round++) {
    probing.send("reset");
    await once(probing, "message");
    const startedAt = performance.timeOrigin + performance.now();
    const told = once(watching, "message");
    await put(`value ${round}`);
    const [{ atMs }] = (await told) as [{ atMs: number }];
    figures.push(atMs - startedAt);
    probing.send("read");
    const [{ worst }] = (await once(probing, "message")) as [{ worst: number }];
    blocks.push(worst);
  }
  watching.kill();
  probing.kill();
  report(`${watchers} watchers on one key: all told, median of ${rounds}`, median(figures), "ms", {
    goal: "≤ 100 ms",
    ok: median(figures) <= 100,
  });
  report(`${watchers} watchers: the worst`, quantile(figures, 1), "ms");
  report("  slowest answer of the API meanwhile, median", median(blocks), "ms", { goal: "≤ 10 ms of loop", ok: median(blocks) <= 10 });
}
