import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { homeAt } from "#host/home.ts";
import { createLog } from "#host/log.ts";
import { acceptLinks } from "#link/accept.ts";
import type { Link } from "#link/caller.ts";
import type { Route, RoutingTable } from "#model/routing-table.ts";
import { exchangeBytes, host, rawOrigin, routeTo, statusOf } from "./router/embedded/testing/edge.ts";
import { tableFile } from "./table/table-file.ts";

const request = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
const log = createLog({ print: () => {}, nowMs: () => 0 });

/** The programs that a test has started on a home. */
const programsOf = new Map<string, { readonly child: ChildProcess; readonly ended: Promise<unknown> }[]>();

async function homeOf(t: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "drover-edge-"));
  programsOf.set(home, []);
  t.after(async () => {
    // First the programs: one that lives may write into its home while that is removed.
    for (const { child, ended } of programsOf.get(home) ?? []) {
      child.kill("SIGKILL");
      await ended;
    }
    await rm(home, { recursive: true, force: true });
  });
  return home;
}

interface Program {
  readonly child: ChildProcess;
  /** Where it serves, once it does. */
  readonly port: number;
  readonly ended: Promise<number | null>;
  readonly output: () => string;
}

/** The program itself, once it has said that it serves or has ended. */
async function startProgram(home: string, port = 0): Promise<Program> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), "--home", home, "--http", `127.0.0.1:${port}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "close").then(([code]) => code as number | null);
  programsOf.get(home)?.push({ child, ended });
  let output = "";
  const serving = new Promise<number>((resolve) => {
    child.stderr?.on("data", (chunk) => {
      output += chunk;
      const line = output.split("\n").find((one) => one.includes('"serving"') && one.endsWith("}"));
      if (line !== undefined) resolve(JSON.parse(line).port);
    });
  });
  return { child, port: await Promise.race([serving, ended.then(() => 0)]), ended, output: () => output };
}

async function linkOf(t: TestContext, home: string): Promise<{ readonly next: () => Promise<Link> }> {
  await mkdir(homeAt(home).run, { recursive: true });
  const listener = net.createServer();
  listener.listen(homeAt(home).linkSocket);
  await once(listener, "listening");
  const stop = new AbortController();
  t.after(() => {
    stop.abort();
    listener.close();
  });
  let greeted = Promise.withResolvers<Link>();
  acceptLinks({ listener, installation: "one", fence: { epoch: 1, term: 1 }, log, onLink: (link) => greeted.resolve(link) }, stop.signal);
  return {
    next: async () => {
      const link = await greeted.promise;
      greeted = Promise.withResolvers<Link>();
      t.after(() => link.close());
      return link;
    },
  };
}

const table = (revision: number, ...routes: readonly Route[]): RoutingTable => ({ epoch: 1, revision, routes });

test("the edge serves its last table without a server, also after it was killed", async (t) => {
  const home = await homeOf(t);
  const origin = await rawOrigin(t);
  await mkdir(homeAt(home).edge, { recursive: true });
  await writeFile(tableFile(homeAt(home).edge), JSON.stringify(table(7, routeTo(origin.port))));
  const first = await startProgram(home);
  assert.equal(statusOf(await exchangeBytes(first.port, request)), 200);
  first.child.kill("SIGKILL");
  const second = await startProgram(home, first.port);
  assert.equal(statusOf(await exchangeBytes(second.port, request)), 200);
  second.child.kill("SIGTERM");
  assert.equal(await second.ended, 0);
});

test("a table that the server sends is in force when its call is answered, and still there after a restart", async (t) => {
  const home = await homeOf(t);
  const origin = await rawOrigin(t);
  const server = await linkOf(t, home);
  const edge = await startProgram(home);
  const link = await server.next();
  assert.deepEqual(await link.call("GET", "/revision", t.signal), { epoch: 0, revision: 0, problems: [] });
  assert.equal(statusOf(await exchangeBytes(edge.port, request)), 404);
  await link.call("PUT", "/table", t.signal, { body: table(1) });
  const patch = { epoch: 1, from: 1, revision: 2, set: [routeTo(origin.port)], remove: [] };
  await link.call("PATCH", "/table", t.signal, { body: patch });
  assert.equal(statusOf(await exchangeBytes(edge.port, request)), 200);
  await assert.rejects(link.call("PATCH", "/table", t.signal, { body: patch }), { code: "CONFLICT" });
  await assert.rejects(link.call("PUT", "/table", t.signal, { body: table(1) }), { code: "ORDER_OUTDATED" });
  await assert.rejects(link.call("PUT", "/table", t.signal, { body: {} }), { code: "REQUEST_INVALID" });
  const traffic = (await link.call("GET", "/traffic", t.signal)) as { readonly targets: readonly { readonly requests: number }[] };
  assert.deepEqual(
    traffic.targets.map(({ requests }) => requests),
    [1],
  );

  edge.child.kill("SIGTERM");
  assert.equal(await edge.ended, 0, "what changed is on disk before it ends");
  const again = await startProgram(home);
  assert.equal(statusOf(await exchangeBytes(again.port, request)), 200);
  assert.deepEqual(await (await server.next()).call("GET", "/revision", t.signal), { epoch: 1, revision: 2, problems: [] });
});

test("a second edge on one home is refused, and the first goes on", async (t) => {
  const home = await homeOf(t);
  const first = await startProgram(home);
  const second = await startProgram(home);
  assert.equal(await second.ended, 2);
  assert.match(second.output(), new RegExp(`\\(pid ${first.child.pid}\\) {3}\\[HOME_IN_USE\\]\nhint: `));
  assert.equal(statusOf(await exchangeBytes(first.port, request)), 404);
});

test("a port that stays taken is named", async (t) => {
  const other = await rawOrigin(t);
  const edge = await startProgram(await homeOf(t), other.port);
  assert.notEqual(await edge.ended, 0);
  assert.match(edge.output(), /\[PORT_IN_USE\]\nhint: /);
  assert.match(edge.output(), new RegExp(`127\\.0\\.0\\.1:${other.port}`));
});

test("a port that is let go a moment later is taken then", async (t) => {
  const other = await rawOrigin(t);
  const starting = startProgram(await homeOf(t), other.port);
  await other.close();
  assert.equal((await starting).port, other.port);
});
