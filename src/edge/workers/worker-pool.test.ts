import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import type { Route } from "#model/routing-table.ts";
import { endpoint, exchangeBytes, host, ok, RawClient, rawOrigin, route, routeTo, statusOf } from "../router/embedded/testing/edge.ts";
import { Table } from "../table/table.ts";
import { WorkerPool } from "./worker-pool.ts";

const request = (name = host) => `GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`;

interface Pool {
  readonly pool: WorkerPool;
  readonly change: (set: readonly Route[], remove?: readonly Route["id"][]) => Promise<void>;
  /** Kills every worker that serves now. */
  readonly killAll: () => void;
  /** Resolves when so many workers have begun to serve since the start. */
  readonly served: (count: number) => Promise<void>;
}

async function startPool(t: TestContext, routes: readonly Route[], workers = 2): Promise<Pool> {
  const pids: number[] = [];
  let notice = () => {};
  const print = (line: string) => {
    const { message, worker_pid: pid } = JSON.parse(line);
    if (message === "worker serves") pids.push(pid);
    notice();
  };
  const table = new Table({ epoch: 1, revision: 1, routes });
  const log = createLog({ print, nowMs: () => 0 });
  const pool = new WorkerPool({ workers, routes: () => table.routes(), clock: systemClock, log });
  t.after(() => pool.close(0));
  await pool.open("127.0.0.1", 0);
  const served = async (count: number) => {
    while (pids.length < count) await new Promise<void>((resolve) => (notice = resolve));
  };
  await served(workers);
  return {
    pool,
    served,
    killAll: () => {
      for (const pid of pids.splice(0)) process.kill(pid, "SIGKILL");
    },
    change: async (set, remove = []) => {
      const { epoch, revision } = table.version;
      await pool.apply(table.patch({ epoch, from: revision, revision: revision + 1, set, remove }));
    },
  };
}

test("workers that are closed to what comes from outside are there when it is opened again, those that started meanwhile too", async (t) => {
  const origin = await rawOrigin(t);
  const { pool, killAll, served } = await startPool(t, [routeTo(origin.port)]);
  const { port } = pool;
  await pool.closePublic(60_000);
  await assert.rejects(exchangeBytes(port, request()), { code: "ECONNREFUSED" });
  killAll();
  await served(2);
  await assert.rejects(exchangeBytes(port, request()), { code: "ECONNREFUSED" });
  await pool.open("127.0.0.1", port);
  const answers = await Promise.all(Array.from({ length: 8 }, () => exchangeBytes(port, request())));
  assert.ok(answers.every((answer) => statusOf(answer) === 200));
});

test("a large change is in force in every worker once it is applied", async (t) => {
  const [before, after] = await Promise.all([
    rawOrigin(t),
    rawOrigin(t, (soFar, socket) => soFar.endsWith("\r\n\r\n") && socket.write(ok.replace("200", "201"))),
  ]);
  const { pool, change } = await startPool(t, [routeTo(before.port)]);
  const many = Array.from({ length: 1_000 }, (_, i) =>
    route([{ release: 1, weight: 1, endpoints: [endpoint(after.port)] }], {
      id: `r${i}`,
      listener: { kind: "public", host: `r${i}.test`, path: "/" },
    }),
  );
  await change([...many, routeTo(after.port)]);
  const answers = await Promise.all(Array.from({ length: 40 }, () => exchangeBytes(pool.port, request())));
  assert.ok(answers.every((answer) => statusOf(answer) === 201));
  assert.equal(statusOf(await exchangeBytes(pool.port, request("r999.test"))), 201);
  await change([], [routeTo(1).id]);
  assert.equal(statusOf(await exchangeBytes(pool.port, request())), 404);
});

test("connections that come while every worker is dead are served by the next ones, and what was counted stays", async (t) => {
  const origin = await rawOrigin(t);
  const { pool, killAll, served } = await startPool(t, [routeTo(origin.port)]);
  for (let i = 0; i < 5; i++) assert.equal(statusOf(await exchangeBytes(pool.port, request())), 200);
  const requests = async () => (await pool.traffic()).reduce((sum, counted) => sum + counted.requests, 0);
  assert.equal(await requests(), 5);
  killAll();
  const answers = await Promise.all(Array.from({ length: 20 }, () => exchangeBytes(pool.port, request())));
  assert.ok(
    answers.every((answer) => statusOf(answer) === 200),
    answers.join("\n"),
  );
  assert.equal(await requests(), 25);
  await served(2);
});

test("workers that die again and again are a problem of the edge", async (t) => {
  const { pool, killAll, served } = await startPool(t, [], 1);
  for (let deaths = 1; deaths <= 3; deaths++) {
    assert.deepEqual(pool.problems(), []);
    killAll();
    await served(1);
  }
  assert.deepEqual(
    pool.problems().map(({ code, message }) => [code, message]),
    [["WORKERS_CRASHING", "1 of 1 workers of the edge die again and again, 3 times in a row by now"]],
  );
});

test("workers share a service port; it closes with its route, and one that is taken is told", async (t) => {
  const [origin, taken] = await Promise.all([rawOrigin(t), rawOrigin(t)]);
  const { port } = await rawOrigin(t).then(async (one) => {
    await one.close();
    return one;
  });
  const service = (id: string, at: number) =>
    route([{ release: 1, weight: 1, endpoints: [endpoint(origin.port)] }], {
      id,
      listener: { kind: "service", port: at, protocol: "http" },
    });
  const { pool, change, killAll, served } = await startPool(t, []);
  await change([service("one", port), service("two", taken.port)]);
  assert.equal(statusOf(await exchangeBytes(port, request())), 200);
  assert.deepEqual(
    pool.problems().map(({ route: id, code }) => [id, code]),
    [["two", "PORT_IN_USE"]],
  );
  killAll();
  assert.equal(statusOf(await exchangeBytes(port, request())), 200, "the port was held while nobody listened");
  await served(2);
  await change([], [service("one", port).id]);
  const refused = net.connect(port, "127.0.0.1");
  const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNREFUSED");
});

test("what is under way is finished before the pool is closed, and told of while it drains", async (t) => {
  const held: net.Socket[] = [];
  const origin = await rawOrigin(t, (soFar, socket) => {
    if (soFar.endsWith("\r\n\r\n")) held.push(socket);
  });
  const { pool, change } = await startPool(t, [routeTo(origin.port)]);
  const client = new RawClient(pool.port);
  client.write(request());
  while (held.length === 0) await new Promise(setImmediate);
  const drains: number[] = [];
  const closing = pool.close(30_000);
  const reading = (async () => {
    for await (const { open } of pool.draining(t.signal)) {
      drains.push(open);
      if (open === 1) held[0]?.write(ok);
      if (open === 0) return;
    }
  })();
  await change([], [routeTo(1).id]);
  await reading;
  assert.match(await client.until("ok"), /^HTTP\/1.1 200/);
  await closing;
  assert.deepEqual(drains, [1, 0]);
});
