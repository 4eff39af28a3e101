import { pipeline } from "node:stream/promises";
import type { LinkCall, LinkRoutes } from "#link/serve.ts";
import { DroverError } from "#model/errors.ts";
import { type Digest, isDigest } from "#model/names.ts";
import type { ArtifactStore } from "./store.ts";

/** What the agent serves about artifacts; the table is in `model/link.ts`. */
export function artifactRoutes(store: ArtifactStore): LinkRoutes {
  return {
    "GET /artifacts": async () => ({
      artifacts: store.list().map(({ digest, sizeBytes, usedAtMs }) => ({ digest, sizeBytes, usedAtMs })),
    }),
    "HEAD /artifacts/:digest": async (call) => {
      store.folder(digestOf(call));
      return null;
    },
    "GET /artifacts/:digest": async (call) => {
      const tar = await store.pack(digestOf(call), call.signal);
      call.accept();
      await pipeline(tar, call.stream, { signal: call.signal });
      return undefined;
    },
    "PUT /artifacts/:digest": async (call) => {
      try {
        await store.put(digestOf(call), call.stream, call.signal);
      } finally {
        // What was not read still has to arrive somewhere, or the sender never hears the answer.
        call.stream.resume();
      }
      return null;
    },
    "DELETE /artifacts/:digest": async (call) => {
      await store.remove(digestOf(call));
      return null;
    },
  };
}

function digestOf(call: LinkCall): Digest {
  const { digest = "" } = call.params;
  if (!isDigest(digest)) throw new DroverError("REQUEST_INVALID", `${JSON.stringify(digest)} is no digest`);
  return digest;
}
