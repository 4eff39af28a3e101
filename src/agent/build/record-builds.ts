import type { BuildProgress } from "#model/build.ts";
import type { LogRecord } from "../logs/log-store.ts";
import type { Builder } from "./builder.ts";

/** Keeps in the log what builds print, as whoever pushes sees it: it is looked for later, and by others. */
export function recordBuilds(
  builder: Builder,
  record: (build: { readonly space: string; readonly app: string }) => Promise<LogRecord>,
): Builder {
  return {
    known: (options, archive, signal) => builder.known(options, archive, signal),
    async *build(options, source, signal) {
      const kept = await record(options);
      let isOver = false;
      try {
        for await (const progress of builder.build(options, source, signal)) {
          isOver = progress.kind === "done" || progress.kind === "failed";
          await keep(kept, progress);
          yield progress;
        }
      } finally {
        if (!isOver) kept.notice("the build was given up: nobody waits for it any more");
        await kept.end();
      }
    },
  };
}

async function keep(record: LogRecord, progress: BuildProgress): Promise<void> {
  switch (progress.kind) {
    case "output":
      await record.write(Buffer.from(`${progress.line}\n`));
      return;
    case "step":
      record.notice(progress.message, "info");
      return;
    case "done":
      record.notice(`built ${progress.result.artifact}`, "info");
      return;
    case "failed":
      record.notice(`the build failed: ${progress.error.message}   [${progress.error.code}]`);
      return;
    default:
      progress satisfies never;
  }
}
