import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ListeningSocket } from "#host/listening-socket.ts";
import type { Network } from "#host/network.ts";
import type { CertificateChange } from "#model/certificates.ts";
import type { RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import type { TableChange } from "../router/router.ts";
import type { Address, FromWorker, ToWorker } from "./messages.ts";

const program = join(import.meta.dirname, "main.ts");
/** Routes in one message: a worker reads it in well under a millisecond. */
const routesAtOnce = 50;

/**
 * Collecting the youngest garbage stops the worker: a small space for it, collected by the worker's own thread, keeps each stop under some
 * milliseconds while a large change of the table makes much that stays. With 16 MiB, V8's own, it was up to 18 ms of work, and up to 100 ms of
 * waiting for helping threads on cores that other workers use. `bench/routes.ts` measures it.
 */
const shortPauses = ["--max-semi-space-size=2", "--no-parallel-scavenge"];

export interface WorkerProcessOptions {
  readonly number: number;
  /** How many share the traffic. */
  readonly workers: number;
  /** Where it gives its sockets to the workers of another edge; null: nowhere. */
  readonly socketsFolder: string | null;
  readonly trustedProxies: readonly Network[];
  /** Of one address, to all workers together; null: a share of all there may be. */
  readonly connectionsPerClient: number | null;
}

/** One worker as the edge sees it. Changes reach it in their order, whole or not at all. */
export class WorkerProcess {
  readonly number: number;
  readonly pid: number | undefined;
  /** Resolves when the process is gone: how it ended. */
  readonly ended: Promise<string>;
  /** Whether it was told to serve: from then on no change is in force without it. */
  isCounted = false;
  isServing = false;

  readonly #child: ChildProcess;
  readonly #answers = new Map<number, () => void>();
  #calls = 0;
  #sending: Promise<void> = Promise.resolve();
  #isGone = false;

  constructor(
    { number, workers, socketsFolder, trustedProxies, connectionsPerClient }: WorkerProcessOptions,
    onMessage: (message: FromWorker) => void,
  ) {
    this.number = number;
    const proxies = trustedProxies.map(({ address, prefix }) => `${address}/${prefix}`);
    this.#child = fork(program, [String(number), String(workers), socketsFolder ?? "", String(connectionsPerClient ?? ""), ...proxies], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: [...process.execArgv, ...shortPauses],
    });
    this.pid = this.#child.pid;
    this.#child.on("message", (message) => this.#take(message as FromWorker, onMessage));
    this.ended = this.#end();
  }

  send(message: ToWorker, socket?: ListeningSocket): void {
    if (this.#isGone || !this.#child.connected) return;
    // A worker that is going away takes nothing more; `ended` tells.
    this.#child.send(message, socket as never, () => {});
  }

  /** Resolves once the change is in force there, or the worker is gone. */
  apply(change: TableChange): Promise<void> {
    return this.#call((number) => {
      this.#sending = this.#sending.then(() => this.#sendChange(number, change));
    });
  }

  /** Resolves once new connections get what changed, or the worker is gone. */
  certify(certificates: CertificateChange): Promise<void> {
    return this.#call((change) => {
      this.#sending = this.#sending.then(() => this.send({ kind: "certificates", change, certificates }));
    });
  }

  /** Tells it to take connections at the address for TLS, after every change before this. */
  serveTls(https: Address): void {
    this.#sending = this.#sending.then(() => this.send({ kind: "serveTls", https }));
  }

  /** Resolves once it takes no new connections from outside, or is gone. */
  closePublic(withinMs: number): Promise<void> {
    return this.#call((change) => {
      this.#sending = this.#sending.then(() => this.send({ kind: "closePublic", change, withinMs }));
    });
  }

  /** Tells it to serve, at the public address where there is one, once every change before this is in force there. Resolves when it does, or is gone. */
  serve(http: Address | null): Promise<void> {
    this.isCounted = true;
    return this.#call((change) => {
      this.#sending = this.#sending.then(() => this.send({ kind: "serve", change, http }));
    });
  }

  /** Resolves once it has told everything that it counted, or is gone. */
  report(): Promise<void> {
    return this.#call((call) => this.send({ kind: "report", call }));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #call(start: (call: number) => void): Promise<void> {
    if (this.#isGone) return Promise.resolve();
    const call = ++this.#calls;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answers.set(call, resolve);
    start(call);
    return promise;
  }

  async #sendChange(change: number, { set, remove }: TableChange): Promise<void> {
    const parts = Math.max(1, Math.ceil(Math.max(set.length, remove.length) / routesAtOnce));
    for (let part = 0; part < parts && !this.#isGone; part++) {
      if (part > 0) await nextTurn();
      const slice = <T extends Route | RouteId>(all: readonly T[]) => all.slice(part * routesAtOnce, (part + 1) * routesAtOnce);
      this.send({ kind: "routes", change, set: slice(set), remove: slice(remove), isLast: part === parts - 1 });
    }
  }

  #take(message: FromWorker, onMessage: (message: FromWorker) => void): void {
    if (message.kind === "serving") this.isServing = true;
    onMessage(message);
    if (message.kind !== "applied" && message.kind !== "serving" && message.kind !== "reported") return;
    const call = message.kind === "reported" ? message.call : message.change;
    this.#answers.get(call)?.();
    this.#answers.delete(call);
  }

  async #end(): Promise<string> {
    // A process that could not be made has no "exit".
    const [first, second] = (await Promise.race([once(this.#child, "exit"), once(this.#child, "error")]).catch((error: unknown) => [
      error,
    ])) as readonly unknown[];
    this.#isGone = true;
    this.isCounted = false;
    this.isServing = false;
    for (const answer of this.#answers.values()) answer();
    this.#answers.clear();
    if (first instanceof Error) return first.message;
    return typeof second === "string" ? second : `exit ${String(first)}`;
  }
}
