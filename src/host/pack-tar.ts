import { createReadStream } from "node:fs";
import { join } from "node:path";
import { DroverError } from "#model/errors.ts";
import { blockBytes, encodeEntry, padding } from "./tar-entry.ts";

export type PackedEntry =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly sizeBytes: number; readonly isExecutable: boolean }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/**
 * The entries below `folder` as a tar stream, in the order in which they are given: no times, owners or exact modes, so that the same content gives
 * the same bytes wherever it lies.
 * @throws {DroverError} CONFLICT if a file has another size than its entry says.
 */
export async function* packTar(folder: string, entries: Iterable<PackedEntry>, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  for (const entry of entries) {
    signal.throwIfAborted();
    switch (entry.kind) {
      case "folder":
        yield encodeEntry({ name: `${entry.path}/`, type: "5", mode: 0o755, sizeBytes: 0, linkTarget: "" });
        break;
      case "link":
        yield encodeEntry({ name: entry.path, type: "2", mode: 0o777, sizeBytes: 0, linkTarget: entry.target });
        break;
      case "file": {
        const { path, sizeBytes, isExecutable } = entry;
        yield encodeEntry({ name: path, type: "0", mode: isExecutable ? 0o755 : 0o644, sizeBytes, linkTarget: "" });
        yield* fileContent(folder, path, sizeBytes, signal);
        yield padding(sizeBytes);
        break;
      }
      default:
        entry satisfies never;
    }
  }
  yield Buffer.alloc(2 * blockBytes);
}

/** The header before it states a length, so a file that changed meanwhile would make every entry after it unreadable. */
async function* fileContent(folder: string, path: string, sizeBytes: number, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  let missing = sizeBytes;
  for await (const chunk of createReadStream(join(folder, path), { signal, highWaterMark: 2 ** 18 }) as AsyncIterable<Buffer>) {
    missing -= chunk.length;
    if (missing < 0) break;
    yield chunk;
  }
  if (missing === 0) return;
  throw new DroverError("CONFLICT", `"${path}" changed while it was being packed`, {
    hint: "Try again when nothing writes there.",
  });
}
