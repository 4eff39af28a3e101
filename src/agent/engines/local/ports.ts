import net from "node:net";
import type { Address } from "#host/address.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { InstanceId } from "#model/names.ts";

/** Below the range from which the kernel takes ports for outgoing connections (32768 on), so that none of those takes one in between. */
export const portRange = { first: 20_000, last: 29_999 } as const;

/** Ports of instances on this machine. An instance keeps its port for as long as it exists, so that routes to it stay right. */
export interface Ports {
  /** A free port for `instance`, not assigned to any other. @throws {DroverError} PORT_IN_USE when the range is used up. */
  assign(instance: InstanceId): Promise<number>;
  /** Remembers a port from before this process. */
  restore(instance: InstanceId, port: number): void;
  release(instance: InstanceId): void;
}

/** @param random where the search begins, so that a port is not reused right after it was given up. */
export function createPorts(random: () => number): Ports {
  const owners = new Map<number, InstanceId>();
  const assigned = new Map<InstanceId, number>();
  const size = portRange.last - portRange.first + 1;
  let next = Math.floor(random() * size);
  const release = (instance: InstanceId) => {
    const port = assigned.get(instance);
    if (port !== undefined && owners.get(port) === instance) owners.delete(port);
    assigned.delete(instance);
  };
  const restore = (instance: InstanceId, port: number) => {
    release(instance);
    owners.set(port, instance);
    assigned.set(instance, port);
  };
  return {
    assign: async (instance) => {
      for (let tried = 0; tried < size; tried++) {
        const port = portRange.first + (next++ % size);
        if (owners.has(port)) continue;
        restore(instance, port);
        if (await isPortFree(port)) return port;
        release(instance);
      }
      throw new DroverError("PORT_IN_USE", `all ports from ${portRange.first} to ${portRange.last} are taken on this machine`, {
        hint: "Stop apps that are no longer needed.",
      });
    },
    restore,
    release,
  };
}

/** Whether nothing listens on `port` on any address of this machine. */
export async function isPortFree(port: number): Promise<boolean> {
  const both = await tryListen(port, "::");
  return both === "no such address" ? (await tryListen(port, "0.0.0.0")) === "free" : both === "free";
}

/** Whether something listens where `address` is, on it alone or on all addresses. */
export async function isTaken({ host, port }: Address): Promise<boolean> {
  return (await tryListen(port, host)) === "taken";
}

const noSuchAddress = ["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL", "ENOTFOUND", "EAI_AGAIN"] as const;

/** "no such address": this machine has none, as `::` where there is no IPv6. */
function tryListen(port: number, host: string): Promise<"free" | "taken" | "no such address"> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", (error) => {
      if (hasCode(error, "EADDRINUSE") || hasCode(error, "EACCES")) resolve("taken");
      else if (noSuchAddress.some((code) => hasCode(error, code))) resolve("no such address");
      else reject(error);
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve("free")));
  });
}
