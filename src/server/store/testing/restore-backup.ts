import type { Log } from "#model/log.ts";
import { openRestore } from "../restore.ts";

/** A restore that nobody looks at first. */
export async function restoreBackup(options: { readonly folder: string; readonly from: string; readonly log: Log }): Promise<void> {
  await using restore = await openRestore(options);
  await restore.perform();
}
