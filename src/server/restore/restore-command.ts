import { createInterface } from "node:readline/promises";
import type { Home } from "#host/home.ts";
import { lastOrders } from "#host/last-orders.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { openRestore } from "../store/restore.ts";
import { storeFiles } from "../store/store-files.ts";
import { readRemembered } from "./remembered.ts";
import { isLossy, planRestore } from "./restore-plan.ts";
import { describeAccess, describeRestore } from "./restore-words.ts";

export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
  readonly error: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/**
 * `drover server --restore FILE`: says what would change, and does it once that is agreed to. Where nothing that is declared now would be lost,
 * as in a new home, nobody is asked.
 * @throws {DroverError} CONFIRMATION_NEEDED if the answer is no, or if there is no terminal to ask at and `isConfirmed` is not given; what
 * `openRestore` throws. Then nothing was changed.
 */
export async function restoreFromBackup(
  options: { readonly home: Home; readonly from: string; readonly isConfirmed: boolean; readonly terminal: Terminal; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  const { home, from, isConfirmed, terminal, log } = options;
  const say = (line: string) => terminal.output.write(`${line}\n`);
  await using restore = await openRestore({ folder: home.server, from, log });
  const { present, backup } = restore;
  const plan = planRestore(present === "damaged" ? await lastOrders(home.agent) : present, backup);
  say(
    `the backup ${from}, written ${new Date(restore.writtenAtMs).toISOString().slice(0, 19).replace("T", " ")} UTC, holds revision ${backup.revision}`,
  );
  if (present === "damaged") say("what is declared now cannot be read, so it is compared with what this machine was last told to run");
  else if (present !== null) say(`the store it would replace is at revision ${present.revision}`);
  for (const line of describeRestore(plan)) say(line);
  if (present !== null && !isConfirmed && (present === "damaged" || isLossy(plan))) await confirm(terminal, signal);
  const { revision, epoch } = await restore.perform();
  say(`restored ${from}: epoch ${epoch}, revision ${revision}`);
  for (const line of describeAccess(backup, await readRemembered(storeFiles(home.server).remembered))) say(line);
  if (present === null || present === "damaged")
    say('What agents run that the backup does not know goes on until you decide about it: "drover restore ls" lists it.');
  say("A Drover that runs starts its server again within a minute; else run `drover up`.");
}

async function confirm({ input, error }: Terminal, signal: AbortSignal): Promise<void> {
  if (input.isTTY !== true || error.isTTY !== true) {
    throw new DroverError("CONFIRMATION_NEEDED", "restoring replaces what is declared now, and there is no terminal to ask at", {
      hint: "Nothing was changed. If what is shown above is what you want, give --yes.",
    });
  }
  const reader = createInterface({ input, output: error });
  try {
    const closed = new Promise<string>((resolve) => reader.once("close", () => resolve("")));
    signal.addEventListener("abort", () => reader.close(), { once: true });
    const answer = await Promise.race([reader.question("Replace what is declared now by the backup? [y/N] "), closed]);
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    reader.close();
  }
  throw new DroverError("CONFIRMATION_NEEDED", "restoring was not confirmed", { hint: "Nothing was changed. Answer y, or give --yes." });
}
