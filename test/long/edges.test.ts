import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { freePorts } from "#host/testing/free-ports.ts";
import { TestDrover } from "../harness/drover.ts";
import { startMachine } from "../harness/fleet.ts";

const [linkPort = 0, ownPort = 0] = await freePorts(2);
const link = `127.0.0.1:${linkPort}`;

const serve =
  "require('http').createServer((q, s) => { s.write(process.env.DROVER_INSTANCE); if (q.url !== '/slow') s.end(); else setTimeout(() => s.end(' done'), 1500); }).listen(process.env.PORT)";
const manifest = `app: shop
processes:
  web:
    run: >-
      exec node -e "${serve}"
    instances: 2
routes: [{ host: shop.default.localhost }, { port: ${ownPort}, protocol: tcp, to: web }]
`;

/** Whether anybody listens there. */
async function isOpen(port: number): Promise<boolean> {
  const socket = net.connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function get(port: number, path: string, agent: http.Agent | false = false): Promise<Answer> {
  const request = http.get({ host: "127.0.0.1", port, path, agent, headers: { host: "shop.default.localhost" } });
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  let text = "";
  for await (const part of answer) text += String(part);
  return { status: answer.statusCode ?? 0, text };
}

/** Asks again and again, over connections that are kept, until it is told to stop or nobody listens any more. */
async function keepAsking(port: number, signal: AbortSignal): Promise<{ readonly asked: number; readonly failed: readonly string[] }> {
  using agent = disposable(new http.Agent({ keepAlive: true, maxSockets: 4 }));
  let asked = 0;
  const failed: string[] = [];
  const ask = async () => {
    while (!signal.aborted) {
      asked++;
      try {
        const { status } = await get(port, "/", agent.value);
        if (status !== 200) failed.push(String(status));
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? String(error);
        if (code === "ECONNREFUSED") return;
        failed.push(code);
      }
    }
  };
  await Promise.all([ask(), ask(), ask()]);
  return { asked, failed };
}

function disposable(agent: http.Agent): Disposable & { readonly value: http.Agent } {
  return { value: agent, [Symbol.dispose]: () => agent.destroy() };
}

test("where edges are on chosen machines, these alone take what comes from outside, and a label moves that without a failed request", async (t) => {
  const first = await TestDrover.start({ args: ["--link", link, "--edges", "edge=yes"] });
  t.after(() => first[Symbol.asyncDispose]());
  const second = await startMachine(t, first, link, "m2");
  const own = JSON.parse(await first.run("machine", "ls", "--json")).machines.find(({ joined }: { joined: boolean }) => !joined)
    .id as string;
  const closed = async () => !(await isOpen(first.edgePort)) && !(await isOpen(second.edgePort));
  await first.until("no machine is chosen, so none is open", closed);
  assert.match(
    (await first.cli(["status"])).stdout,
    /no machine is labelled edge=yes, so none takes what comes from outside.*\[EDGE_NOWHERE\]/,
  );

  await first.run("machine", "label", "m2", "edge=yes");
  await first.until("m2 is open", () => isOpen(second.edgePort));
  await first.apply(manifest);
  const seen = new Set<string>();
  await first.until("m2 leads to the instances of both machines", async () => {
    const { status, text } = await get(second.edgePort, "/");
    if (status === 200) seen.add(text);
    return seen.size === 2;
  });
  assert.equal(await isOpen(first.edgePort), false);
  assert.match(await first.run("machine", "ls"), /m2 .* open +edge=yes/);
  assert.match((await first.cli(["status"])).stdout, /edge +http\S+ {2}on m2\n/);

  const stop = new AbortController();
  const clients = keepAsking(second.edgePort, stop.signal);
  const slow = get(second.edgePort, "/slow");
  await first.run("machine", "label", own, "edge=yes");
  await first.until("both are open", () => isOpen(first.edgePort));
  await first.run("machine", "label", "m2", "edge-");
  await first.until("m2 is closed", async () => !(await isOpen(second.edgePort)));
  const { asked, failed } = await clients;
  assert.deepEqual(failed, [], `of ${asked} requests`);
  assert.match((await slow).text, / done$/);
  assert.equal((await get(first.edgePort, "/")).status, 200);
  await first.until("the port of a route is where the edge is", () => isOpen(ownPort));

  process.kill(second.agentPid, "SIGTERM");
  await first.until("m2 is stopped", async () => !second.agentRuns);
  const blocker = net.createServer().listen(second.edgePort, "127.0.0.1");
  t.after(() => blocker.close());
  second.launch([]);
  await first.until("a machine that is closed starts although somebody else has the port", async () => {
    const { edges } = JSON.parse((await first.cli(["status", "--json"])).stdout);
    return edges.some(({ machine, linked, public: isPublic }: Record<string, unknown>) => machine === "m2" && linked && isPublic === false);
  });
  await first.run("machine", "label", "m2", "edge=yes");
  await first.until("it is told that the port is taken", async () =>
    /the edge on m2 cannot listen on port \d+ for HTTP/.test((await first.cli(["status"])).stdout),
  );
  await new Promise((resolve) => blocker.close(resolve));
  await first.until("m2 is open once the port is free", () => isOpen(second.edgePort));
  assert.equal((await get(second.edgePort, "/")).status, 200);

  const events = await first.run("events", "--json");
  assert.match(events, /the edge of m2 takes nothing new from outside/);
});

test("what a lost machine ran leaves the answers of DNS on the machines that are left", async (t) => {
  const [port = 0, dnsPort = 0] = await freePorts(2);
  const first = await TestDrover.start({ args: ["--link", `127.0.0.1:${port}`, "--dns", `127.0.0.1:${dnsPort}`] });
  t.after(() => first[Symbol.asyncDispose]());
  const second = await startMachine(t, first, `127.0.0.1:${port}`, "m2");
  await first.apply(
    "app: web\nrun: exec node -e \"require('http').createServer((q, s) => s.end()).listen(process.env.PORT)\"\ninstances: 2\n",
  );
  const resolver = new Resolver();
  resolver.setServers([`127.0.0.1:${dnsPort}`]);
  const answered = async () => (await resolver.resolveSrv("web.default.drover")).map((one) => one.port).sort();
  const portsOf = async (on: (machine: string) => boolean) => {
    const { instances } = JSON.parse(await first.run("ps", "web", "--json"));
    return (instances as readonly { readonly machine: string; readonly port: number; readonly ready: boolean }[])
      .filter(({ machine, ready }) => ready && on(machine))
      .map((one) => one.port)
      .sort();
  };
  await first.until("both machines' instances are named", async () => {
    const ports = await answered();
    return ports.length === 2 && isDeepStrictEqual(ports, await portsOf(() => true)) && (await portsOf((one) => one === "m2")).length === 1;
  });
  const [gone] = await portsOf((one) => one === "m2");
  await second.kill("agent");
  await first.until("the answers name other instances alone, and as many", async () => {
    const ports = await answered();
    return ports.length === 2 && !ports.includes(gone ?? 0);
  });
});
