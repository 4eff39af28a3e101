import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { InstanceId } from "#model/names.ts";
import type { OutputStore } from "./output.ts";

/** Reads the pipes of instances into the output store. */
export interface PipeFollower {
  /** Reads `pipe` from now on, over any number of runs of the instance. Idempotent. @throws {Error} if it is not a pipe */
  follow(instance: InstanceId, pipe: string): void;
  /** Its processes are gone and write no more: resolves when what they wrote is taken. */
  finish(instance: InstanceId): Promise<void>;
  /** Lets go of all pipes; what is in them stays there. */
  close(): Promise<void>;
}

/** What is left in a pipe that nobody writes to is read at once; only an app that printed too fast is made to wait. */
const finishWithinMs = 2_000;

interface Followed {
  readonly pipe: string;
  source: Socket;
  attachment: ReturnType<OutputStore["attach"]>;
  wanted: boolean;
}

export function createPipeFollower(store: OutputStore, clock: Clock, log: Log): PipeFollower {
  const followed = new Map<InstanceId, Followed>();
  const attach = (instance: InstanceId, pipe: string): void => {
    const source = openPipe(pipe);
    const entry: Followed = { pipe, source, attachment: store.attach(instance, source), wanted: true };
    followed.set(instance, entry);
    void entry.attachment.ended.then(() => {
      source.destroy();
      if (followed.get(instance) !== entry) return;
      followed.delete(instance);
      // The end of one run's writers that arrives when the next run has begun.
      if (entry.wanted && !closed) reattach(instance, pipe);
    });
  };
  const reattach = (instance: InstanceId, pipe: string) => {
    try {
      attach(instance, pipe);
    } catch (error) {
      log.error("output not readable", { instance, ...errorFields(error) });
    }
  };
  let closed = false;
  return {
    follow: (instance, pipe) => {
      const entry = followed.get(instance);
      if (entry === undefined) attach(instance, pipe);
      else entry.wanted = true;
    },
    finish: async (instance) => {
      const entry = followed.get(instance);
      if (entry === undefined) return;
      entry.wanted = false;
      const stop = new AbortController();
      const bound = pause(clock, finishWithinMs, stop.signal);
      await Promise.race([entry.attachment.ended, bound]);
      stop.abort();
      if (followed.get(instance) === entry && !entry.wanted) {
        followed.delete(instance);
        await entry.attachment.detach();
        entry.source.destroy();
      }
    },
    close: async () => {
      closed = true;
      const entries = [...followed.values()];
      followed.clear();
      for (const entry of entries) {
        await entry.attachment.detach();
        entry.source.destroy();
      }
    },
  };
}

/**
 * The folder belongs to the instance, so what is at this place may be anything: no link is followed, and nothing but a pipe is read. Opening a pipe
 * in this mode never waits.
 */
export function openPipe(file: string): Socket {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  if (fstatSync(fd).isFIFO()) return new Socket({ fd, readable: true, writable: false });
  closeSync(fd);
  throw new Error(`${file} is not a pipe`);
}
