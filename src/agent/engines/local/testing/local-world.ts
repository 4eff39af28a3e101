import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { sinceBootMs, systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import type { InstanceId, MachineId } from "#model/names.ts";
import type { Instance } from "#model/workload.ts";
import { LocalEngine } from "../local-engine.ts";
import type { OutputStore } from "../output.ts";
import { findStrays } from "../process-group.ts";

/** What instances printed, by instance; notices of ours in angle brackets. */
export interface CapturedOutput extends OutputStore {
  text(instance: InstanceId): string;
}

export function captureOutput(): CapturedOutput {
  const texts = new Map<InstanceId, string>();
  const add = (instance: InstanceId, text: string) => texts.set(instance, (texts.get(instance) ?? "") + text);
  return {
    text: (instance) => texts.get(instance) ?? "",
    attach: (instance, source: Readable) => {
      const ended = new Promise<void>((resolve) => source.on("data", (chunk) => add(instance, String(chunk))).once("close", resolve));
      return { ended, detach: async () => void source.destroy() };
    },
    attachSpill: async (instance, file, droppedBytes) => {
      add(instance, `<spill ${file} ${droppedBytes}>`);
    },
    notice: async (instance, text, level) => {
      add(instance, `<${level}: ${text}>\n`);
    },
    query: async function* () {},
  };
}

export interface LocalWorld {
  readonly folder: string;
  readonly output: CapturedOutput;
  /** A new engine on the same folder: what an agent that starts again is. */
  open(): Promise<LocalEngine>;
  /** Waits for a state of affairs that the engine reports. */
  until(engine: LocalEngine, what: (instances: readonly Instance[]) => boolean): Promise<readonly Instance[]>;
}

/** A folder and engines on it, with everything that runs there ended after the test. */
export async function localWorld(
  context: TestContext,
  options: { readonly isRoot?: boolean; readonly isLeased?: boolean; readonly listenHost?: string } = {},
): Promise<LocalWorld> {
  const folder = await mkdtemp(join(tmpdir(), "drover-engine-"));
  await chmod(folder, 0o711);
  await mkdir(join(folder, "agent"), { mode: 0o711 });
  const root = join(folder, "agent");
  const output = captureOutput();
  const log = createLog({
    print: process.env["DROVER_TEST_LOG"] ? (line) => process.stderr.write(line) : () => {},
    nowMs: Date.now,
    least: "debug",
  });
  const engines: LocalEngine[] = [];
  const open = async () => {
    const engine = await LocalEngine.open(
      {
        folder: root,
        key: folder.slice(-6),
        machine: "m1" as MachineId,
        own: [],
        output,
        artifactFolder: async () => null,
        openExec: async () => {
          throw new Error("no commands here");
        },
        path: process.env["PATH"] ?? "",
        listenHost: () => options.listenHost ?? null,
        isRoot: options.isRoot ?? false,
        clock: systemClock,
        sinceBootMs: options.isLeased === true ? sinceBootMs : null,
        random: Math.random,
        log,
      },
      context.signal,
    );
    engines.push(engine);
    return engine;
  };
  context.after(async () => {
    const last = engines.at(-1);
    for (const engine of engines) if (engine !== last) await engine.close();
    if (last !== undefined) {
      await last.stopAll(() => true, 0, AbortSignal.abort());
      await last.close();
    }
    for (const pid of (await findStrays(root)).keys()) process.kill(pid, "SIGKILL");
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    folder: root,
    output,
    open,
    until: async (engine, what) => {
      const seen = new Map<InstanceId, Instance>();
      for await (const change of engine.watch(AbortSignal.any([context.signal, AbortSignal.timeout(20_000)]))) {
        if (change.kind === "snapshot") for (const instance of change.instances) seen.set(instance.id, instance);
        if (change.kind === "instance") seen.set(change.instance.id, change.instance);
        if (change.kind === "instance-gone") seen.delete(change.id);
        if (what([...seen.values()])) return [...seen.values()];
      }
      throw new Error(`this did not come about: ${JSON.stringify([...seen.values()], null, 1)}`);
    },
  };
}

export async function filesBelow(folder: string): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}
