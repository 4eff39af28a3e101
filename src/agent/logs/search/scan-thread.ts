import { parentPort } from "node:worker_threads";
import type { ScanJob, ScanReply } from "./jobs.ts";
import { contextInSegments, countInSegments, searchSegments } from "./scan.ts";

/*
 * The thread that searches, so that the agent's own goes on supervising meanwhile. It keeps nothing from one question to the next. Queries were
 * understood before they come here; what is thrown is a defect, or what the disk said.
 */

function answer({ machine, segments, ask }: ScanJob): ScanReply {
  const options = { machine, segments, monotonicMs: () => performance.now() };
  switch (ask.kind) {
    case "search":
      return { answer: searchSegments(ask.search, options) };
    case "count":
      return { answer: countInSegments(ask.count, options) };
    case "context":
      return { answer: contextInSegments(ask.context, options) };
    default:
      return ask satisfies never;
  }
}

parentPort?.on("message", (job: ScanJob) => {
  try {
    parentPort?.postMessage(answer(job));
  } catch (error) {
    parentPort?.postMessage({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) } satisfies ScanReply);
  }
});
