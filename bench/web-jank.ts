// How the pages hold up under the largest installation that Drover is made for: 1,000 apps with 10,000 instances, a hundred apps of which change each
// second; then one app, and one machine, with all 10,000. What the server would say is made up in the page beforehand, so that the figures are the
// page's alone. Somebody scrolls through all of it meanwhile. Tasks that take longer than 50 ms of processor time
// are named.
// Usage: node bench/web-jank.ts [seconds a page]
import { TestDrover } from "../test/harness/drover.ts";
import { chromiumPath, WebBrowser } from "../test/web/browser.ts";
import { report, skip } from "./lib.ts";

const seconds = Number(process.argv[2] ?? 5);
const longMs = 50;

/** In the page before anything of it: what a large installation says, in packets as they come over a network. */
const madeUp = `{
  const encoder = new TextEncoder();
  const packets = (event, value) => {
    const bytes = encoder.encode("event: " + event + "\\ndata: " + JSON.stringify(value) + "\\n\\n");
    return Array.from({ length: Math.ceil(bytes.length / 65536) }, (_, i) => bytes.slice(i * 65536, (i + 1) * 65536));
  };
  const stream = (first, everyMs, others) => new Response(new ReadableStream({
    start(controller) {
      const waiting = [...first];
      let at = 0;
      setInterval(() => waiting.push(...others[at++ % others.length]), everyMs);
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        if (waiting.length === 0) return setTimeout(() => channel.port2.postMessage(0), 5);
        controller.enqueue(waiting.shift());
        channel.port2.postMessage(0);
      };
      channel.port2.postMessage(0);
    },
  }));
  const random = (below) => Math.floor(Math.random() * below);
  const instance = (i) => ({
    id: "default/many/web.1." + String(i).padStart(5, "0"), space: "default", app: "many", process: "web", release: 1, machine: "m1",
    state: "running", ready: random(10) > 0, host: "127.0.0.1", port: 20000 + i, pid: i, restarts: random(3), startedAtMs: Date.now() - i * 1000,
    sinceMs: Date.now() - i * 1000, exit: null, reason: random(10) > 0 ? null : { code: "NOT_READY", message: "its process runs and is not ready" },
  });
  const summary = (i, ready = 10) => ({
    name: "app-" + i, space: "default", health: ready === 10 ? "ready" : ready === 0 ? "down" : "degraded", target: 1, active: 1, stopped: false,
    urls: ["http://app-" + i + ".default.localhost"], rollout: null, lastFailure: null, createdAtMs: 0, revision: 1, wanted: 10, running: 10, ready,
    reasons: ready === 10 ? [] : [{ code: "CRASHED", message: "web.1.00001 exited with 7 (11 times so far); it is started again after a pause" }],
  });
  const apps = packets("all", { apps: Array.from({ length: 1000 }, (_, i) => summary(i)), gone: [] });
  const changes = Array.from({ length: 100 }, () => packets("changed", { apps: Array.from({ length: 10 }, () => summary(random(1000), random(11))), gone: [] }));
  const instances = () => Array.from({ length: 10000 }, (_, i) => instance(i));
  const { wanted: _, running: __, ready: ___, ...shared } = summary(0);
  const process = { name: "web", run: "exec sleep 1000", wanted: 10000, ready: 9000, servicePort: null, bounds: null };
  const statuses = location.pathname.includes("/many")
    ? Array.from({ length: 4 }, () => packets("status", { ...shared, name: "many", processes: [process], instances: instances() })) : [];
  const list = location.pathname.includes("/machines/") ? JSON.stringify({ instances: instances() }) : "";
  const real = window.fetch;
  window.fetch = async (input, init) => {
    const { pathname } = new URL(String(input), location.href);
    if (pathname === "/v1/apps/watch") return stream(apps, 100, changes);
    if (pathname === "/v1/spaces/default/apps/many/watch") return stream(statuses[0], 1000, statuses);
    if (pathname === "/v1/instances") return new Response(list);
    return real(input, init);
  };
}`;

/** Scrolls down and up again as a hand on a wheel does, for so long. */
const scrolling = (ms: number) => `new Promise((resolve) => {
  const began = performance.now();
  let step = 120;
  const frame = () => {
    if (performance.now() - began > ${ms}) return resolve();
    if (scrollY + innerHeight >= document.documentElement.scrollHeight - 1) step = -Math.abs(step);
    if (scrollY <= 0) step = Math.abs(step);
    scrollBy(0, step);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})`;

/** Of Chromium's trace, what matters here; times in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  /** Of the processor: what others on this machine do adds nothing. */
  readonly tdur?: number;
  readonly args: { readonly name?: string; readonly data?: { readonly functionName?: string; readonly type?: string } };
}

interface Task {
  readonly ms: number;
  /** Its parts of a millisecond and more, the longest first. */
  readonly parts: string;
}

/** Tasks of the page's main thread, by their processor time. */
function tasksOf(trace: readonly TraceEvent[]): readonly Task[] {
  const main = trace.find(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const own = trace.filter(({ ph, pid, tid }) => ph === "X" && pid === main?.pid && tid === main.tid);
  const tasks = own.filter(({ name }) => name === "RunTask");
  return tasks.map(({ ts, dur = 0, tdur = dur }) => {
    const inside = own.filter(
      (one) => one.ts >= ts && one.ts + (one.dur ?? 0) <= ts + dur && !one.name.endsWith("RunTask") && (one.tdur ?? 0) > 1_000,
    );
    const words = inside
      .toSorted((a, b) => (b.tdur ?? 0) - (a.tdur ?? 0))
      .slice(0, 4)
      .map(
        ({ name, args, tdur: took = 0 }) => `${name} ${args.data?.functionName ?? args.data?.type ?? ""} ${(took / 1_000).toFixed(0)} ms`,
      );
    return { ms: tdur / 1_000, parts: words.join(", ") };
  });
}

if (chromiumPath === null) {
  skip("pages in a browser", "chromium is not on the path");
  process.exit(0);
}
await using drover = await TestDrover.start();
await using web = await WebBrowser.open((await drover.run("ui", "--print")).trim());
await web.page.addInitScript(madeUp);
const { machines } = JSON.parse(await drover.run("machine", "ls", "--json")) as { machines: { id: string }[] };
const pages = [
  ["overview, 1,000 apps", "/", /app-\d+/],
  ["one app with 10,000 instances", "/spaces/default/apps/many", /web\.1\.0/],
  ["one machine with 10,000 instances", `/machines/${machines[0]?.id}`, /web\.1\.0/],
] as const;
for (const [name, path, row] of pages) {
  await web.page.goto(`http://127.0.0.1:${drover.apiPort}${path}`);
  await web.page.getByRole("row", { name: row }).first().waitFor();
  await web.trace();
  await web.page.evaluate(scrolling(seconds * 1_000));
  const tasks = tasksOf((await web.traced()) as readonly TraceEvent[]).toSorted((a, b) => b.ms - a.ms);
  const [longest = { ms: 0, parts: "" }] = tasks;
  report(`${name}, changing, scrolled: the longest task`, longest.ms, "ms", { goal: `< ${longMs} ms`, ok: longest.ms < longMs });
  report(`${name}: processor time of the page`, tasks.reduce((sum, { ms }) => sum + ms, 0) / seconds / 10, "% of a core");
  for (const { ms, parts } of tasks.filter(({ ms }) => ms > longMs).slice(0, 5)) console.log(`    ${ms.toFixed(0)} ms: ${parts}`);
}
