import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfThere } from "#host/files.ts";
import { hasCode } from "#model/errors.ts";
import type { InstanceId } from "#model/names.ts";
import type { OutputStore } from "./output.ts";

/** Where the keeper puts what an instance printed while no agent was there, and how many bytes more there were. */
export function spillNames(folder: string): { readonly output: string; readonly dropped: string } {
  return { output: join(folder, "spill"), dropped: join(folder, "spill-dropped") };
}

/** Hands over what the keeper took, and removes it. */
export async function takeSpill(folder: string, instance: InstanceId, output: OutputStore, signal: AbortSignal): Promise<void> {
  const names = spillNames(folder);
  const dropped = Number((await readTextIfThere(names.dropped)) ?? 0);
  if (!(await isThere(names.output))) return;
  await output.attachSpill(instance, names.output, Number.isSafeInteger(dropped) ? dropped : 0, signal);
  await rm(names.output, { force: true });
  await rm(names.dropped, { force: true });
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, "ENOENT")) return false;
      throw error;
    },
  );
}
