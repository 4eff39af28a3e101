import { dirname, resolve } from "node:path";
import { Readable } from "node:stream";
import type { PlannedChange } from "#model/api.ts";
import type { BuildProgress, BuildResult } from "#model/build.ts";
import { DroverError, fromErrorBody } from "#model/errors.ts";
import { apiPath } from "./api/client.ts";
import type { Session } from "./command.ts";
import { styled } from "./output/style.ts";
import { count } from "./output/time.ts";

/** Two at a time: builds take whole cores, and the machine has apps to run. */
const buildsAtOnce = 2;
/** A source of up to this size is kept in memory from the question whether it was built before to the upload, and so is read once. */
const mostKeptBytes = 32 * 2 ** 20;
/** As in `#model/build.ts`, which loads the schema library. */
const sourceLimits = { sourceBytes: 512 * 2 ** 20, files: 200_000 } as const;

/** What a build takes its input from. */
export type Source =
  | { readonly kind: "folder"; readonly path: string; readonly leaveOut: readonly string[] }
  /** Of an archive elsewhere the digest is known before it is fetched, which may not be needed. */
  | { readonly kind: "archive"; readonly digest: string; readonly file: () => Promise<string> };

export interface BuildTask {
  readonly space: string;
  readonly app: string;
  readonly source: Source;
  readonly build: PlannedChange["build"];
}

/** Artifacts by app, from the sources of what was planned. */
export async function buildAll(session: Session, tasks: readonly BuildTask[]): Promise<Readonly<Record<string, BuildResult>>> {
  const results: Record<string, BuildResult> = {};
  const board = new Map<string, string>();
  const failed = new AbortController();
  const signal = AbortSignal.any([session.signal, failed.signal]);
  const queue = [...tasks];
  const worker = async () => {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
      results[task.app] = await buildOne(session, task, board, signal);
      board.delete(task.app);
    }
  };
  const workers = Array.from({ length: buildsAtOnce }, () => worker().catch((error: unknown) => failed.abort(error)));
  await Promise.all(workers);
  session.progress.clear();
  signal.throwIfAborted();
  return results;
}

async function buildOne(session: Session, task: BuildTask, board: Map<string, string>, signal: AbortSignal): Promise<BuildResult> {
  const { api, progress } = session;
  const name = `${task.space}/${task.app}`;
  const say = (text: string) => {
    board.set(task.app, `${name}  ${text}`);
    progress.show([...board.values()]);
  };
  say("packing");
  const { run, timeoutMs, memoryBytes, hasRun } = task.build ?? {};
  const query = { space: task.space, app: task.app, run: run ?? undefined, timeoutMs, memoryBytes, hasRun };
  const { digest, kept } = await readSource(task.source, signal);
  const known = await knownBuild(session, query, digest, signal);
  if (known !== null) {
    progress.note(`${name}  unchanged`);
    return known;
  }
  const upload = kept === null ? await openSource(task.source, signal) : Readable.from(kept, { objectMode: false });
  const path = apiPath(["builds"], query);
  let step = "uploading";
  say(step);
  for await (const event of api.stream<BuildProgress>("POST", path, signal, { upload, headers: { "content-type": "application/x-tar" } })) {
    switch (event.kind) {
      case "step":
        step = event.message;
        say(step);
        break;
      case "output":
        say(`${step}  ${styled("dim", event.line)}`);
        break;
      case "failed":
        throw notBuilt(name, fromErrorBody(event.error));
      case "done":
        progress.note(
          `${name}  ${event.result.cached ? "unchanged" : `built (${event.result.kind}, ${count(event.result.files, "file")})`}`,
        );
        return event.result;
      default:
        event satisfies never;
    }
  }
  throw new DroverError("SERVER_UNREACHABLE", `the server ended the build of "${name}" without a result`, {
    hint: "Run the command again.",
  });
}

function notBuilt(name: string, cause: DroverError): DroverError {
  return new DroverError(cause.code, `cannot build "${name}"`, { cause, hint: cause.hint, details: cause.details });
}

type BuildQuery = Readonly<Record<string, string | number | boolean | undefined>>;

/** Asked before anything is sent; a server that is too old to be asked knows nothing. */
async function knownBuild({ api }: Session, query: BuildQuery, archive: string, signal: AbortSignal): Promise<BuildResult | null> {
  try {
    const path = apiPath(["builds", "known"], { ...query, archive });
    return (await api.call<{ result: BuildResult | null }>("POST", path, signal)).result;
  } catch (error) {
    if (error instanceof DroverError && error.code === "ROUTE_UNKNOWN") return null;
    throw error;
  }
}

interface ReadSource {
  /** Of the bytes that would be sent: the same folder gives the same. */
  readonly digest: string;
  /** Those bytes; null where they are too many, or not here. */
  readonly kept: readonly Buffer[] | null;
}

async function readSource(source: Source, signal: AbortSignal): Promise<ReadSource> {
  if (source.kind === "archive") return { digest: source.digest, kept: null };
  const { createHash } = process.getBuiltinModule("node:crypto");
  const hash = createHash("sha256");
  let kept: Buffer[] | null = [];
  let bytes = 0;
  for await (const chunk of (await openSource(source, signal)) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes > mostKeptBytes) kept = null;
    kept?.push(chunk);
  }
  return { digest: `sha256:${hash.digest("hex")}`, kept };
}

async function openSource(source: Source, signal: AbortSignal): Promise<Readable> {
  if (source.kind === "archive") return process.getBuiltinModule("node:fs").createReadStream(await source.file());
  const [{ listFiles }, { packTar }] = await Promise.all([import("./source/list-files.ts"), import("#host/pack-tar.ts")]);
  const entries = await listFiles(source.path, { ...sourceLimits, leaveOut: source.leaveOut }, signal);
  return Readable.from(packTar(source.path, entries, signal), { objectMode: false });
}

/**
 * The builds that a plan asks for. A document's source is relative to its file. The manifests themselves are no part of a source: what they say is
 * applied, and a change of it alone must not make another artifact.
 */
export function buildsOf(changes: readonly PlannedChange[]): readonly BuildTask[] {
  const manifests = [...new Set(changes.map(({ file }) => file))]
    .filter((file) => file !== "" && file !== "-")
    .map((file) => resolve(file));
  return changes.flatMap((change) =>
    change.kind !== "app" || change.source === null
      ? []
      : [
          {
            space: change.space,
            app: change.name,
            source: {
              kind: "folder" as const,
              path: resolve(change.file === "-" ? "." : dirname(change.file), change.source),
              leaveOut: manifests,
            },
            build: change.build,
          },
        ],
  );
}
