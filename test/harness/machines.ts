import { systemClock } from "#host/clock.ts";
import { homeAt } from "#host/home.ts";
import { createLog } from "#host/log.ts";
import { dial } from "#link/dial.ts";
import { serveLink } from "#link/serve.ts";
import type { MachineId } from "#model/names.ts";
import type { EngineChange, Machine } from "#model/workload.ts";
import type { TestDrover } from "./drover.ts";

/**
 * Machines that are linked to a real server and run nothing: their agents are made here, each with a link of its own. For what depends on how many
 * machines there are, where one that really runs costs a process.
 */
export class TestMachines implements AsyncDisposable {
  readonly names: readonly string[];
  readonly #stop = new AbortController();
  readonly #socket: string;
  readonly #links: Promise<void>[] = [];

  constructor(drover: TestDrover, count: number) {
    this.#socket = homeAt(drover.home).linkSocket;
    this.names = Array.from({ length: count }, (_, i) => `node-${String(i + 1).padStart(2, "0")}`);
    for (const name of this.names) this.link(name);
  }

  /** One more. */
  link(name: string): void {
    this.#links.push(link(this.#socket, name as MachineId, this.#stop.signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the test is over"));
    await Promise.all(this.#links);
  }
}

function link(socket: string, machine: MachineId, signal: AbortSignal): Promise<void> {
  const absent = { holds: false, how: "nothing runs here" };
  const isolation = { uid: absent, privileges: absent, cpu: absent, memory: absent, pids: absent, "group-kill": absent };
  const nothing: EngineChange = { kind: "snapshot", workloads: [], instances: [] };
  return serveLink(
    {
      connect: (until) => dial(socket, until),
      hello: () => ({ role: "agent", machine, installation: null }),
      admit: async () => {},
      routes: {
        "GET /machine": async (): Promise<Machine> => ({ id: machine, hostName: machine, cores: 1, memoryBytes: 2 ** 30, isolation }),
        "GET /watch": async (call) => {
          await call.lines(untilGone(call.signal, [nothing]));
          return undefined;
        },
        "PUT /checks": async () => null,
        "GET /check-results": async (call) => {
          await call.lines(untilGone(call.signal, []));
          return undefined;
        },
      },
      clock: systemClock,
      random: Math.random,
      log: createLog({ print: () => {}, nowMs: systemClock.nowMs }),
    },
    signal,
  );
}

/** These values, and then nothing more until whoever asks is gone. */
async function* untilGone<T>(gone: AbortSignal, values: readonly T[]): AsyncGenerator<T> {
  yield* values;
  await new Promise<void>((resolve) => gone.addEventListener("abort", () => resolve(), { once: true }));
}
