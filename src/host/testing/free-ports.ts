import { once } from "node:events";
import net from "node:net";
import { hasCode } from "#model/errors.ts";

/**
 * Below what the system gives to connections and to listeners on port 0, and above what Drover gives to services and instances: a port from
 * here is still free when the program that it was looked up for opens it.
 */
const range = { first: 30_000, end: 32_768 } as const;
const size = range.end - range.first;
/** Processes begin far apart and go on in order, so that tests that run side by side do not look at the same port. */
let next = (process.pid * 101) % size;

/** Different TCP ports on which nothing listens at 127.0.0.1, for a program that has to be told its port. */
export async function freePorts(count: number): Promise<number[]> {
  const held: net.Server[] = [];
  for (let tries = 0; held.length < count && tries < size; tries++) {
    const server = net.createServer().listen(range.first + (next++ % size), "127.0.0.1");
    try {
      await once(server, "listening");
      held.push(server);
    } catch (error) {
      if (!hasCode(error, "EADDRINUSE")) throw error;
    }
  }
  const ports = held.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  if (ports.length < count) throw new Error(`found ${ports.length} of ${count} free ports from ${range.first} on`);
  return ports;
}

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0] as number;
}
