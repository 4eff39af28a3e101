import type { App } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import type { ProcessName } from "#model/names.ts";

/** Where stable loopback ports come from: below the kernel's range for outgoing connections, above what services commonly take. */
export const servicePortRange = { first: 10_000, last: 19_999 } as const;

/** Ports that are given out already; new ones are added as they are chosen. */
export function takenPorts(apps: Iterable<Pick<App, "servicePorts">>, fixed: Iterable<number>): Set<number> {
  const taken = new Set<number>(fixed);
  for (const app of apps) for (const port of Object.values(app.servicePorts)) taken.add(port);
  return taken;
}

/**
 * The stable ports of an app's processes: what it has it keeps; new ones start their search at a number that follows from their name, so that
 * an app that is destroyed and made again most likely gets its old port, and a port is not handed to another app right away.
 * @param id the app, and the installation too: two Drovers on one machine with apps of the same names then want different ports.
 * @throws {DroverError} CANNOT_PLACE when all are taken.
 */
export function servicePorts(
  id: string,
  processes: readonly ProcessName[],
  current: Readonly<Record<ProcessName, number>>,
  taken: Set<number>,
): Readonly<Record<ProcessName, number>> {
  const ports: Record<ProcessName, number> = {};
  for (const process of processes) {
    const port = Object.hasOwn(current, process) ? (current[process] as number) : freePort(`${id}/${process}`, taken);
    taken.add(port);
    ports[process] = port;
  }
  return ports;
}

function freePort(name: string, taken: ReadonlySet<number>): number {
  const { first, last } = servicePortRange;
  const size = last - first + 1;
  const start = hash(name) % size;
  for (let i = 0; i < size; i++) {
    const port = first + ((start + i) % size);
    if (!taken.has(port)) return port;
  }
  throw new DroverError("CANNOT_PLACE", `all ports from ${first} to ${last} are given out`, {
    hint: "Destroy apps that are no longer needed.",
  });
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}
