import { signal } from "@preact/signals";
import { ApiError, open } from "./client.ts";

/** Pauses between attempts to reach the server again; it is back within two seconds as a rule. */
const retryMs = [200, 500, 1_000, 2_000, 5_000] as const;
/** Longest line: a list of ten thousand apps as one event. */
const longestLine = 32 * 2 ** 20;

export interface StreamEvent {
  readonly event: string;
  readonly data: string;
}

/** How many streams wait for the server to come back. */
export const brokenStreams = signal(0);

/**
 * Follows a stream for as long as `until` says and the page can be seen: hidden pages hold no connection, since browsers have six for one host and
 * all of its pages together. `begin` is called before each connection, with what the reader is to be told from there on.
 */
export async function follow(begin: (signal: AbortSignal) => Promise<void>, until: AbortSignal): Promise<void> {
  let failures = 0;
  while (!until.aborted) {
    await visible(until);
    const hidden = new AbortController();
    const onHide = () => document.hidden && hidden.abort();
    document.addEventListener("visibilitychange", onHide);
    const startedAt = performance.now();
    try {
      await begin(AbortSignal.any([until, hidden.signal]));
    } catch (error) {
      if (until.aborted) return;
      if (!hidden.signal.aborted && !(error instanceof ApiError)) throw error;
      // What is not there, or not for this page, does not come back by asking again.
      if (error instanceof ApiError && error.code !== "UNREACHABLE" && error.code !== "OVERLOADED") throw error;
    } finally {
      document.removeEventListener("visibilitychange", onHide);
    }
    if (hidden.signal.aborted) continue;
    failures = performance.now() - startedAt > 5_000 ? 0 : failures + 1;
    const waitMs = retryMs[Math.min(failures, retryMs.length) - 1] ?? retryMs[0];
    brokenStreams.value++;
    // Half of it by chance, so that many pages do not come back at once.
    await sleep(waitMs * (0.5 + Math.random() / 2), until);
    brokenStreams.value--;
  }
}

/** Server-sent events of `path`, until the server ends them. */
export async function* readEvents(
  path: string,
  until: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
): AsyncGenerator<StreamEvent> {
  let event = "message";
  let data: string[] = [];
  for await (const line of readLines(await open(path, until, headers))) {
    if (line === "") {
      if (data.length > 0) yield { event, data: data.join("\n") };
      event = "message";
      data = [];
    } else if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
}

/** Lines of JSON of `path`, until the server ends them. @throws {ApiError} when the last one is an error */
export async function* readJsonLines<T>(path: string, until: AbortSignal): AsyncGenerator<T> {
  for await (const line of readLines(await open(path, until))) {
    if (line === "") continue;
    const value: unknown = JSON.parse(line);
    if (isFailure(value)) throw new ApiError(value.error.code, value.error.message, value.error.hint);
    yield value as Awaited<T>;
  }
}

function isFailure(
  value: unknown,
): value is { readonly error: { readonly code: string; readonly message: string; readonly hint?: string } } {
  return typeof value === "object" && value !== null && "error" in value;
}

async function* readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  // Pieces of a line that has not ended: joined once, since a list of ten thousand comes in hundreds of them.
  let rest: string[] = [];
  let restLength = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw error instanceof DOMException && error.name === "AbortError" ? error : new ApiError("UNREACHABLE", "the connection broke");
      });
      if (done) return;
      const [end = "", ...others] = value.split("\n");
      rest.push(end);
      restLength += end.length;
      if (restLength > longestLine) throw new ApiError("UNREACHABLE", "the server sent a line without an end");
      if (others.length === 0) continue;
      yield rest.join("");
      const last = others.pop() ?? "";
      yield* others;
      rest = [last];
      restLength = last.length;
    }
  } finally {
    // One that broke rejects with what `read` has thrown above; of one that did not, nothing more is wanted.
    await reader.cancel().catch(() => {});
  }
}

function visible(until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !until.aborted) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    until.addEventListener("abort", look, { once: true });
    look();
  });
}

export function sleep(ms: number, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      until.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    until.addEventListener("abort", end, { once: true });
    if (until.aborted) end();
  });
}
