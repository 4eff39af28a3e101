import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";

const launcher = join(import.meta.dirname, "../../bin/drover");
let home = "";
const running = new Set<ChildProcess>();

before(async () => {
  home = await mkdtemp(join(tmpdir(), "drover-server-"));
});
after(async () => {
  for (const child of running) child.kill("SIGKILL");
  await rm(home, { recursive: true, force: true });
});

function launch(...more: string[]): ChildProcess {
  const child = spawn(launcher, ["server", "--home", home, "--api", "127.0.0.1:0", ...more], { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Started and answering. */
async function start(): Promise<{ readonly child: ChildProcess; readonly url: string; readonly token: string }> {
  const child = launch();
  let logged = "";
  for await (const chunk of child.stderr as AsyncIterable<Buffer>) {
    logged += chunk.toString();
    const ready = /"message":"server ready".*?"api":"([^"]+)"/.exec(logged);
    if (ready === null) continue;
    child.stderr?.resume();
    return { child, url: ready[1] as string, token: (await readFile(join(home, "token"), "utf8")).trim() };
  }
  throw new Error(`the server ended before it was ready:\n${logged}`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<[number | null, NodeJS.Signals | null]> {
  child.kill(signal);
  return (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
}

test("a server that is killed comes back with its token and with everything that it answered for", async () => {
  const first = await start();
  const headers = { authorization: `Bearer ${first.token}` };
  const put = await fetch(`${first.url}/v1/spaces/default/kv/key`, { method: "PUT", body: "value", headers });
  assert.equal(put.status, 200);
  await end(first.child, "SIGKILL");
  // Its socket files are still there, and nobody is behind them.
  const second = await start();
  assert.equal(second.token, first.token);
  const got = await fetch(`${second.url}/v1/spaces/default/kv/key`, { headers });
  assert.equal(await got.text(), "value");
  assert.deepEqual(await end(second.child, "SIGTERM"), [0, null]);
});

test("what the server writes is nobody else's to read", async () => {
  const { child, token } = await start();
  for (const name of ["token", "server/token.json", "server/store.db", "server/events.db", "run/api.sock", "run/link.sock"]) {
    assert.equal((await stat(join(home, name))).mode & 0o077, 0, name);
  }
  assert.equal((await readFile(join(home, "server/token.json"), "utf8")).includes(token.slice(-40)), false);
  await end(child, "SIGTERM");
});

test("commands of this machine reach the server by its socket, under the same rules", async () => {
  const { child, token } = await start();
  const { socket } = JSON.parse(await readFile(join(home, "run/addresses.json"), "utf8")) as { socket: string };
  const statusOf = async (headers: Record<string, string>) => {
    const request = http.get({ socketPath: socket, path: "/v1/status", headers, agent: false });
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  assert.equal(await statusOf({ authorization: `Bearer ${token}` }), 200);
  assert.equal(await statusOf({}), 401);
  await end(child, "SIGTERM");
});

test("a second server on the same home is refused in words, and the first goes on", async () => {
  const { child, url } = await start();
  const second = launch();
  const told = await text(second.stderr as NodeJS.ReadableStream);
  assert.match(told, /STORE_IN_USE|HOME_IN_USE/);
  assert.match(told, /^hint: /m);
  assert.equal((await fetch(`${url}/v1/health`)).status, 200);
  await end(child, "SIGTERM");
});

test("an address that is taken is told with what to do", async () => {
  const { child, url } = await start();
  const other = await mkdtemp(join(tmpdir(), "drover-server-"));
  const second = spawn(launcher, ["server", "--home", other, "--api", new URL(url).host], { stdio: ["ignore", "ignore", "pipe"] });
  running.add(second);
  const told = await text(second.stderr as NodeJS.ReadableStream);
  assert.match(told, /\[PORT_IN_USE\]/);
  await end(child, "SIGTERM");
  await rm(other, { recursive: true, force: true });
});

test("options that do not exist are refused, with the way to see those that do", async () => {
  const child = launch("--nonsense");
  const told = await text(child.stderr as NodeJS.ReadableStream);
  assert.match(told, /"--nonsense".* \[USAGE\]\nhint: +Run "drover server --help"/);
});
