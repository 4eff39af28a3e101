import { type PoolManifest, poolManifest } from "#model/pool-schemas.ts";
import type { ManifestDocument, Place } from "./documents.ts";
import type { FoundProblem } from "./problems.ts";
import { schemaProblems } from "./schema-problems.ts";
import { fillVariables, problemsOfFilled } from "./variables.ts";

/** A pool of machines as declared for one space. */
export interface DeclaredPool {
  readonly file: string;
  place(path: readonly PropertyKey[], atKey?: boolean): Place;
  /** As written, variables filled in; what the store keeps. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly manifest: PoolManifest;
}

/** The pools of a set of documents, without those that something is wrong with. */
export function readPools(
  documents: readonly ManifestDocument[],
  variables: Readonly<Record<string, string>>,
  problems: FoundProblem[],
): readonly DeclaredPool[] {
  return documents.flatMap((document) => {
    const filled = fillVariables(document, variables);
    const found = problemsOfFilled(filled, schemaProblems(poolManifest, filled.value, document));
    problems.push(...found);
    if (found.length > 0) return [];
    const written = JSON.parse(JSON.stringify(filled.value)) as Record<string, unknown>;
    return [{ file: document.file, place: document.place, written, manifest: poolManifest.parse(filled.value) }];
  });
}
