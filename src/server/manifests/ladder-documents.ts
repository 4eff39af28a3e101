import type { CheckManifest } from "#model/check-schemas.ts";
import { checksManifest } from "#model/check-schemas.ts";
import { type EscalateManifest, escalateManifest, type LadderManifest, ladderManifest } from "#model/ladder-schemas.ts";
import type { AppName } from "#model/names.ts";
import type { AppDeclares } from "#plan/ladder-manifest/compile.ts";
import { findLadderProblems } from "#plan/ladder-manifest/problems.ts";
import type { ManifestDocument, Place } from "./documents.ts";
import type { FoundProblem } from "./problems.ts";
import type { Declared } from "./read-manifests.ts";
import { schemaProblems } from "./schema-problems.ts";
import { fillVariables, problemsOfFilled } from "./variables.ts";

/** The ladder as declared for one space. */
export interface DeclaredLadder {
  readonly file: string;
  place(path: readonly PropertyKey[], atKey?: boolean): Place;
  /** As written, variables filled in; what the store keeps. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly manifest: LadderManifest;
}

/** The one ladder of a set of documents; null if there is none, or something is wrong with it. */
export function readLadder(
  documents: readonly ManifestDocument[],
  variables: Readonly<Record<string, string>>,
  problems: FoundProblem[],
): DeclaredLadder | null {
  const ladders: { readonly document: ManifestDocument; readonly declared: DeclaredLadder }[] = [];
  for (const document of documents) {
    const filled = fillVariables(document, variables);
    const found = problemsOfFilled(filled, schemaProblems(ladderManifest, filled.value, document));
    problems.push(...found);
    if (found.length > 0) continue;
    const { file, place } = document;
    const written = JSON.parse(JSON.stringify(filled.value)) as Record<string, unknown>;
    ladders.push({ document, declared: { file, place, written, manifest: ladderManifest.parse(filled.value) } });
  }
  const [first, ...others] = ladders;
  for (const { document, declared } of others) {
    const shared = Object.keys(declared.manifest.checks).find(
      (name) => first !== undefined && Object.hasOwn(first.declared.manifest.checks, name),
    );
    const { line, column } = first?.document.place(["ladder"]) ?? { line: 1, column: 1 };
    const name = first?.declared.manifest.ladder ?? "";
    const wanted = `one ladder for a space; "${name}" is declared at ${first?.document.file}:${line}:${column} already`;
    problems.push(invalid(document, ["ladder"], `ladder "${declared.manifest.ladder}"`, wanted));
    if (shared !== undefined)
      problems.push(invalid(document, ["checks", shared], `check "${shared}", which "${name}" claims too`, "one ladder for each check"));
  }
  return first?.declared ?? null;
}

/**
 * What is wrong between a space's ladder and the checks of its apps, of those that are declared and those that are there already.
 * @param stored the ladder that is there, when none is declared
 */
export function ladderProblems(
  { apps, ladder }: Pick<Declared, "apps" | "ladder">,
  stored: LadderManifest | null,
  others: readonly AppDeclares[],
): readonly FoundProblem[] {
  const declared = apps.map(({ manifest: { app }, written }) => declaresOf(app, written)).filter(declaresAnything);
  const found = findLadderProblems(ladder?.manifest ?? stored, [...declared, ...others.filter(declaresAnything)]);
  return found.map(({ app, path, found: what, wanted }) => {
    const at = app === null ? ladder : apps.find(({ manifest }) => manifest.app === app);
    if (at !== null && at !== undefined) return invalid(at, path, what, wanted);
    // It stands in something that was applied before, and what is applied now makes it wrong.
    const nearby = ladder ?? apps[0];
    const owner = app === null ? "the space's ladder" : `app "${app}"`;
    const place = nearby === undefined ? { file: "-", line: 1, column: 1 } : { file: nearby.file, ...nearby.place([]) };
    return { kind: "invalid", ...place, path: path.join("."), found: `${owner} has ${what}`, wanted, nearest: null };
  });
}

/** What an app's manifest says for the Escalator. */
export function declaresOf(app: AppName, manifest: Readonly<Record<string, unknown>>): AppDeclares {
  const { checks, escalate } = manifest;
  return {
    app,
    checks: checks === undefined ? {} : (checksManifest.parse(checks) as Readonly<Record<string, CheckManifest>>),
    escalate: escalate === undefined ? null : (escalateManifest.parse(escalate) as EscalateManifest),
  };
}

function declaresAnything({ checks, escalate }: AppDeclares): boolean {
  return escalate !== null || Object.keys(checks).length > 0;
}

function invalid(
  at: { readonly file: string; place(path: readonly PropertyKey[], atKey?: boolean): Place },
  path: readonly (string | number)[],
  found: string,
  wanted: string,
): FoundProblem {
  return { kind: "invalid", file: at.file, ...at.place(path), path: path.join("."), found, wanted, nearest: null };
}
