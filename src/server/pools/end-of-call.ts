import { errorFields } from "#host/log.ts";
import { DroverError } from "#model/errors.ts";
import type { ProviderCall, ProviderEnd } from "./provider.ts";

/** Says something of a call, for people. */
export type Say = (line: string) => void;

/** Runs within the time of the call. Failures that people can act on are how it ends; defects and the signal's reason are thrown. */
export async function endOf(
  { timeoutMs }: ProviderCall,
  signal: AbortSignal,
  work: (say: Say, signal: AbortSignal) => Promise<boolean>,
): Promise<ProviderEnd> {
  signal.throwIfAborted();
  const limit = AbortSignal.timeout(timeoutMs);
  const lines: string[] = [];
  const end = (result: ProviderEnd["result"]): ProviderEnd => ({ result, exitCode: null, output: lines.join("\n") });
  try {
    return end((await work((line) => lines.push(line), AbortSignal.any([signal, limit]))) ? "ok" : "failed");
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) return end("timed-out");
    if (!(error instanceof DroverError)) throw error;
    lines.push(wordsOf(error));
    return end("failed");
  }
}

/** The error with its causes, and what to do next. */
export function wordsOf(error: DroverError): string {
  const text = String(errorFields(error)["error"]);
  return error.hint === "" ? text : `${text}. ${error.hint}`;
}
