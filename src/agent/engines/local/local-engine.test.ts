import assert from "node:assert/strict";
import { test } from "node:test";
import { localWorld, workload } from "./testing/local-world.ts";

const server = `exec node -e 'require("http").createServer((q,s)=>s.end("hi "+process.pid)).listen(process.env.PORT)'`;

test("a service with a port becomes ready and answers there", async (t) => {
  const world = await localWorld(t);
  const engine = await world.open();
  await engine.apply(workload(server, { port: "auto" }), t.signal);
  const [instance] = await world.until(engine, ([one]) => one?.ready === true);
  assert.equal(await (await fetch(`http://127.0.0.1:${instance?.port}/`)).text(), `hi ${instance?.pid}`);
});
