import { ladderManifest } from "#model/ladder-schemas.ts";
import { appManifest, spaceManifest } from "#model/manifest.ts";
import { poolManifest } from "#model/pool-schemas.ts";
import { type JsonSchema, jsonSchema } from "./json-schema.ts";

/** What editors complete and check manifests with: a document is an app, a space, a ladder or a pool. */
export function manifestSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Drover manifest",
    anyOf: [
      { title: "App", ...jsonSchema(appManifest, "input") },
      { title: "Space", ...jsonSchema(spaceManifest, "input") },
      { title: "Ladder", ...jsonSchema(ladderManifest, "input") },
      { title: "Pool", ...jsonSchema(poolManifest, "input") },
    ],
  };
}
