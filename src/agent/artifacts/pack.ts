import { createReadStream } from "node:fs";
import { join } from "node:path";
import { blockBytes, encodeEntry, padding } from "#host/tar-entry.ts";
import type { Tree } from "./tree.ts";

/** The tree in `folder` as a tar stream, the same bytes every time: sorted, without times, owners and exact modes. */
export async function* packTree(folder: string, tree: Tree, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  for (const entry of tree) {
    signal.throwIfAborted();
    switch (entry.kind) {
      case "folder":
        yield encodeEntry({ name: `${entry.path}/`, type: "5", mode: 0o755, sizeBytes: 0, linkTarget: "" });
        break;
      case "link":
        yield encodeEntry({ name: entry.path, type: "2", mode: 0o777, sizeBytes: 0, linkTarget: entry.target });
        break;
      case "file": {
        const mode = entry.isExecutable ? 0o755 : 0o644;
        yield encodeEntry({ name: entry.path, type: "0", mode, sizeBytes: entry.sizeBytes, linkTarget: "" });
        let missing = entry.sizeBytes;
        for await (const chunk of createReadStream(join(folder, entry.path), { signal, highWaterMark: 2 ** 18 })) {
          missing -= (chunk as Buffer).length;
          yield chunk as Buffer;
        }
        // The header is sent: another length than it states would make every entry after it unreadable.
        if (missing !== 0) throw new Error(`${JSON.stringify(entry.path)} changed while it was being packed`);
        yield padding(entry.sizeBytes);
        break;
      }
      default:
        entry satisfies never;
    }
  }
  yield Buffer.alloc(2 * blockBytes);
}
