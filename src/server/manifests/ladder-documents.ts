import { checksManifest } from "#model/check-schemas.ts";
import { escalateManifest, type LadderManifest, ladderManifest } from "#model/ladder-schemas.ts";
import { appName } from "#model/name-schemas.ts";
import type { AppDeclares } from "#plan/ladder-manifest/compile.ts";
import { findLadderProblems } from "#plan/ladder-manifest/problems.ts";
import type { ManifestDocument, Place } from "./documents.ts";
import type { FoundProblem } from "./problems.ts";
import { schemaProblems } from "./schema-problems.ts";
import { fillVariables } from "./variables.ts";

/** An app's document as it is after overlay and variables, whether or not all of it can be honoured. */
export interface WrittenApp {
  readonly value: unknown;
  readonly file: string;
  place(path: readonly PropertyKey[], atKey?: boolean): Place;
}

/**
 * Finds what is wrong with the ladders of a set of documents, and between them and the apps' checks. A ladder in which nothing is wrong is still
 * refused, as not yet supported, because no server carries it out yet.
 */
export function ladderDocumentProblems(
  documents: readonly ManifestDocument[],
  apps: readonly WrittenApp[],
  variables: Readonly<Record<string, string>>,
): readonly FoundProblem[] {
  const problems: FoundProblem[] = [];
  const ladders: { readonly document: ManifestDocument; readonly manifest: LadderManifest }[] = [];
  for (const document of documents) {
    const filled = fillVariables(document, variables);
    const found = [...filled.problems, ...schemaProblems(ladderManifest, filled.value, document)];
    problems.push(...found);
    if (found.length === 0) ladders.push({ document, manifest: ladderManifest.parse(filled.value) });
  }
  const [first, ...others] = ladders;
  for (const { document, manifest } of others) {
    const shared = Object.keys(manifest.checks).find((name) => first !== undefined && Object.hasOwn(first.manifest.checks, name));
    const { line, column } = first?.document.place(["ladder"]) ?? { line: 1, column: 1 };
    const wanted = `one ladder for a space; "${first?.manifest.ladder}" is declared at ${first?.document.file}:${line}:${column} already`;
    problems.push(invalid(document, ["ladder"], `ladder "${manifest.ladder}"`, wanted));
    if (shared !== undefined)
      problems.push(
        invalid(
          document,
          ["checks", shared],
          `check "${shared}", which "${first?.manifest.ladder}" claims too`,
          "one ladder for each check",
        ),
      );
  }
  if (problems.length > 0) return problems;
  const declared = apps.flatMap((written) => {
    const declares = declaresOf(written.value);
    return declares === null ? [] : [{ written, declares }];
  });
  for (const { app, path, found, wanted } of findLadderProblems(
    first?.manifest ?? null,
    declared.map(({ declares }) => declares),
  )) {
    const at = app === null ? first?.document : declared.find(({ declares }) => declares.app === app)?.written;
    if (at !== undefined) problems.push(invalid(at, path, found, wanted));
  }
  if (problems.length > 0 || first === undefined) return problems;
  const { document } = first;
  const wanted = 'nothing there: documents of kind "ladder" are not yet supported';
  return [
    { kind: "not-yet", file: document.file, ...document.place(["ladder"], true), path: "ladder", found: "a ladder", wanted, nearest: null },
  ];
}

/** What an app declares for the Escalator; null when it declares nothing, or nothing that fits the schema, which is told elsewhere. */
function declaresOf(value: unknown): AppDeclares | null {
  const { app, checks, escalate } = value as { readonly app?: unknown; readonly checks?: unknown; readonly escalate?: unknown };
  if (checks === undefined && escalate === undefined) return null;
  const name = appName.safeParse(app);
  const parsed = checksManifest.optional().safeParse(checks);
  const short = escalateManifest.optional().safeParse(escalate);
  return name.success && parsed.success && short.success
    ? { app: name.data, checks: parsed.data ?? {}, escalate: short.data ?? null }
    : null;
}

function invalid(at: Pick<WrittenApp, "file" | "place">, path: readonly (string | number)[], found: string, wanted: string): FoundProblem {
  return { kind: "invalid", file: at.file, ...at.place(path), path: path.join("."), found, wanted, nearest: null };
}
