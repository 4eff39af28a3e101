import type { AddedHost } from "#model/api-additions.ts";
import type { Clock } from "#model/clock.ts";
import { pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { formatTarget, type Target } from "#model/ssh-target.ts";
import type { Fault } from "#ssh/preflight.ts";
import { type Api, apiPath } from "../api/client.ts";
import type { HostOutcome } from "./add-machines.ts";

/** Changes come by the dozen a second; nobody looks that often. */
const leastEveryMs = 500;
/** So that whoever looks on knows that it goes on. */
const mostEveryMs = 5_000;
/** The last word is worth so long a wait, also after an interruption. */
const lastWordMs = 3_000;
/** As much as the API takes of each. */
const longest = { word: 300, sentence: 2_000, list: 20 } as const;

/** Tells the server how far each host is, for those who look on in the web UI. */
export interface Onlookers extends AsyncDisposable {
  stage(target: Target, text: string, share: string): void;
  note(target: Target, text: string): void;
  ended(outcome: HostOutcome): void;
}

interface Options {
  readonly api: Pick<Api, "call">;
  readonly clock: Clock;
  /** Of this call of the command. */
  readonly id: string;
}

/** @returns what is to be disposed of when all hosts have ended, or none will. */
export function openOnlookers({ api, clock, id }: Options, targets: readonly Target[]): Onlookers {
  const hosts = new Map<Target, AddedHost>(
    targets.map((target) => [
      target,
      { host: formatTarget({ ...target, name: null }), machine: target.name, state: "waiting", stage: null, notes: [], failure: null },
    ]),
  );
  const over = new AbortController();
  let isChanged = true;
  const change = (target: Target, changes: Partial<AddedHost>) => {
    const host = hosts.get(target);
    if (host === undefined) return;
    hosts.set(target, { ...host, ...changes });
    isChanged = true;
  };
  /** Adding goes on without anybody who looks on, and a server of an older version has no place for them. */
  const tell = async (isOver: boolean, signal: AbortSignal): Promise<void> => {
    isChanged = false;
    try {
      await api.call("PUT", apiPath(["machine-additions", id]), signal, { body: { hosts: [...hosts.values()], isOver } });
    } catch (error) {
      if (!(error instanceof DroverError) && !signal.aborted) throw error;
    }
  };
  const follow = async () => {
    for (let toldMs = -mostEveryMs; !over.signal.aborted; await pause(clock, leastEveryMs, over.signal)) {
      if (!isChanged && clock.monotonicMs() - toldMs < mostEveryMs) continue;
      toldMs = clock.monotonicMs();
      await tell(false, over.signal);
    }
  };
  const following = follow();
  return {
    stage: (target, text, share) => change(target, { state: "under-way", stage: cut(share === "" ? text : `${text}, ${share}`, "word") }),
    note: (target, text) => {
      const notes = [...(hosts.get(target)?.notes ?? []), cut(text, "sentence")];
      change(target, { notes: notes.slice(-longest.list) });
    },
    ended: ({ target, machine, already, failure }) => {
      if (failure === null) change(target, { machine, state: already ? "already" : "joined", stage: null });
      else {
        const { code, message, hint, details } = failure;
        const told = { code, message: cut(message, "sentence"), hint: cut(hint, "sentence"), faults: faultsOf(details) };
        change(target, { state: "failed", stage: null, failure: told });
      }
    },
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await following;
      await tell(true, AbortSignal.timeout(lastWordMs));
    },
  };
}

/** What is in the way of a host that does not fit, as `addMachine` throws it. */
function faultsOf(details: unknown): NonNullable<AddedHost["failure"]>["faults"] {
  if (typeof details !== "object" || details === null || !("faults" in details) || !Array.isArray(details.faults)) return [];
  return (details.faults as readonly Fault[])
    .slice(0, longest.list)
    .map(({ check, what, remedy }) => ({ check, what: cut(what, "sentence"), remedy: cut(remedy, "sentence") }));
}

function cut(text: string, to: "word" | "sentence"): string {
  return text.slice(0, longest[to]);
}
