import type { BuildResult } from "#model/build.ts";
import type { Digest } from "#model/names.ts";
import { objects, put, remove } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import type { ArtifactRecord } from "./release-spec.ts";

const prefix = "/artifacts/";
/** How long a build that no release uses is remembered: long enough for any push to end. */
const unusedMs = 24 * 3_600_000;
/** Most deletions in one commit of the sweep. */
const sweepBatch = 500;

const keyOf = (digest: Digest) => `${prefix}${digest}`;

/** What the build of this artifact found; null when it was never built here, or is forgotten. */
export function artifactRecord(store: Store, digest: Digest): ArtifactRecord | null {
  const entry = store.get(keyOf(digest));
  return entry === null ? null : (JSON.parse(Buffer.from(entry.value).toString("utf8")) as ArtifactRecord);
}

/** Remembers what a build found. The same source built again finds the same, and is written once. */
export async function recordArtifact(store: Store, result: BuildResult, nowMs: number): Promise<void> {
  const { artifact: digest, processes, kind, sizeBytes } = result;
  const known = artifactRecord(store, digest);
  const isFresh =
    known !== null && nowMs - known.createdAtMs < unusedMs / 2 && JSON.stringify(known.processes) === JSON.stringify(processes);
  if (isFresh) return;
  const record: ArtifactRecord = { digest, processes, kind, sizeBytes, createdAtMs: nowMs };
  await store.commit({ changes: [put(keyOf(digest), record)] });
}

/** Forgets records that no kept release uses and that are a day old. */
export async function sweepArtifacts(store: Store, nowMs: number): Promise<void> {
  const used = new Set(
    objects
      .apps(store)
      .flatMap(({ value }) => objects.releases(store, value.space, value.name).map((release) => release.value.spec.artifact)),
  );
  const gone = store.list(prefix).filter((entry) => {
    const record = JSON.parse(Buffer.from(entry.value).toString("utf8")) as ArtifactRecord;
    return !used.has(record.digest) && nowMs - record.createdAtMs > unusedMs;
  });
  for (let from = 0; from < gone.length; from += sweepBatch) {
    const batch = gone.slice(from, from + sweepBatch);
    // Built again meanwhile: then it is wanted, and the whole sweep waits for its next turn.
    await store.commit({
      conditions: batch.map(({ key, modRevision }) => ({ key, modRevision })),
      changes: batch.map(({ key }) => remove(key)),
    });
  }
}
