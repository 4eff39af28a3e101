import type { z } from "zod";
import { type AppManifest, appManifest, type DocumentKind, documentKinds, type SpaceManifest, spaceManifest } from "#model/manifest.ts";
import { reservedSpace, type SpaceName } from "#model/names.ts";
import { type ManifestDocument, type ManifestText, type Place, readDocuments } from "./documents.ts";
import { type DeclaredLadder, readLadder } from "./ladder-documents.ts";
import { mergePatch } from "./merge-patch.ts";
import { type DeclaredPool, readPools } from "./pool-documents.ts";
import { type FoundProblem, nearest, show, throwProblems } from "./problems.ts";
import { schemaProblems } from "./schema-problems.ts";
import { fillVariables, problemsOfFilled } from "./variables.ts";

/** One app as declared for one space. */
export interface DeclaredApp {
  readonly file: string;
  /** Where the key at `path` stands, for problems that only show against everything else. */
  place(path: readonly PropertyKey[], atKey?: boolean): Place;
  /** As written, overlay applied, variables filled in; what the store keeps. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly manifest: AppManifest;
}

export interface DeclaredSpace {
  readonly file: string;
  place(path: readonly PropertyKey[], atKey?: boolean): Place;
  readonly manifest: SpaceManifest;
}

export interface Declared {
  readonly space: SpaceName;
  readonly spaceManifest: DeclaredSpace | null;
  readonly apps: readonly DeclaredApp[];
  /** Null when no document declares one. */
  readonly ladder: DeclaredLadder | null;
  readonly pools: readonly DeclaredPool[];
  readonly warnings: readonly string[];
}

/** The space of apps when nothing names one. */
export const defaultSpace = "default" as SpaceName;

/**
 * Manifests as text → what they declare. Everything that is wrong is reported at once.
 * @throws {DroverError} MANIFEST_INVALID, NOT_YET_SUPPORTED or VARIABLE_MISSING with every problem; BODY_TOO_LARGE.
 */
export function readManifests(input: {
  readonly documents: readonly ManifestText[];
  /** Space of the apps when no document declares one. */
  readonly space?: SpaceName | undefined;
  readonly variables: Readonly<Record<string, string>>;
}): Declared {
  const { documents, problems: unreadable } = readDocuments(input.documents);
  const problems: FoundProblem[] = [...unreadable];
  const kinds = documents.map((document) => ({ document, kind: kindOf(document, problems) }));
  const spaceDocuments = kinds.filter(({ kind }) => kind === "space").map(({ document }) => document);
  const declaredSpaces = spaceDocuments.flatMap((document) => readSpace(document, input.variables, problems));
  reportTwice(
    declaredSpaces.map((space) => ({ ...space, name: "one space" })),
    "space",
    problems,
  );
  const [declaredSpace] = declaredSpaces;
  const space = (declaredSpace?.manifest.space ?? input.space ?? defaultSpace) as SpaceName;
  const apps = kinds.filter(({ kind }) => kind === "app").flatMap(({ document }) => readApp(document, space, input.variables, problems));
  const ladderDocuments = kinds.filter(({ kind }) => kind === "ladder").map(({ document }) => document);
  const ladder = readLadder(ladderDocuments, input.variables, problems);
  const pools = readPools(
    kinds.filter(({ kind }) => kind === "pool").map(({ document }) => document),
    input.variables,
    problems,
  );
  reportTwice(
    apps.map((app) => ({ ...app, name: app.manifest.app })),
    "app",
    problems,
  );
  reportTwice(
    pools.map((pool) => ({ ...pool, name: pool.manifest.pool })),
    "pool",
    problems,
  );
  if (documents.length === 0 && problems.length === 0) {
    const file = input.documents[0]?.file ?? "-";
    problems.push({
      kind: "invalid",
      file,
      line: 1,
      column: 1,
      path: "",
      found: "nothing",
      wanted: "at least one document, such as `app: hello`",
      nearest: null,
    });
  }
  throwProblems(inOrder(problems, input.documents));
  const warnings =
    declaredSpace !== undefined && input.space !== undefined && input.space !== space
      ? [`the manifests say space "${space}", so "${input.space}" was not used`]
      : [];
  return { space, spaceManifest: declaredSpace ?? null, apps, ladder, pools, warnings };
}

/** In the order in which a person reads the files. */
function inOrder(problems: readonly FoundProblem[], files: readonly ManifestText[]): readonly FoundProblem[] {
  const rank = new Map(files.map(({ file }, i) => [file, i]));
  return problems.toSorted((a, b) => (rank.get(a.file) ?? 0) - (rank.get(b.file) ?? 0) || a.line - b.line || a.column - b.column);
}

/** The key that names a document says its kind: the first of the known ones. */
function kindOf(document: ManifestDocument, problems: FoundProblem[]): DocumentKind | null {
  const kinds = Object.keys(documentKinds);
  const problem = (
    found: string,
    wanted: string,
    close: string | null,
    path: readonly string[] = [],
    kind: FoundProblem["kind"] = "invalid",
  ) => problems.push({ kind, file: document.file, ...document.place(path, true), path: path.join("."), found, wanted, nearest: close });
  const { value } = document;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    problem(show(value), "a map of keys, such as `app: hello`", null);
    return null;
  }
  const keys = Object.keys(value);
  const kind = keys.find((key): key is DocumentKind => Object.hasOwn(documentKinds, key));
  if (kind === undefined) {
    const close = keys.map((key) => nearest(key, kinds)).find((near) => near !== null) ?? null;
    problem(
      keys.length === 0 ? "no keys" : `the keys ${keys.slice(0, 5).map(show).join(", ")}`,
      "a key that names the document: app, space, ladder or pool",
      close,
    );
    return null;
  }
  if (documentKinds[kind] === null) {
    problem(
      `a ${kind}`,
      "documents of a space, its apps, its ladder and its pools are all that this version knows",
      null,
      [kind],
      "not-yet",
    );
    return null;
  }
  return kind;
}

function readSpace(
  document: ManifestDocument,
  variables: Readonly<Record<string, string>>,
  problems: FoundProblem[],
): readonly DeclaredSpace[] {
  const filled = fillVariables(document, variables);
  const found = problemsOfFilled(filled, schemaProblems(spaceManifest, filled.value, document));
  problems.push(...found);
  if (found.length > 0) return [];
  const manifest = spaceManifest.parse(filled.value);
  if (manifest.space === reservedSpace) {
    problems.push(reserved(document, ["space"]));
    return [];
  }
  return [{ file: document.file, place: document.place, manifest }];
}

/** What people write into an app's document, and is a space's. */
const ofSpaces = {
  keys: Object.keys(spaceManifest.shape).filter((key) => !Object.hasOwn(appManifest.shape, key)),
  document: "the document of its space, which begins with `space: NAME`",
};

function readApp(
  document: ManifestDocument,
  space: SpaceName,
  variables: Readonly<Record<string, string>>,
  problems: FoundProblem[],
): readonly DeclaredApp[] {
  const { overlays, ...base } = document.value as { readonly overlays?: unknown } & Record<string, unknown>;
  // The overlays' own form first: below, only the one of this space is looked into.
  const shape = schemaProblems(appManifest.shape.overlays as z.ZodType, overlays, within(document, "overlays"));
  const overlay =
    shape.length === 0 && overlays !== undefined && Object.hasOwn(overlays as object, space)
      ? (overlays as Record<string, unknown>)[space]
      : undefined;
  const locator = {
    ...document,
    value: overlay === undefined ? base : mergePatch(base, overlay),
    // What an overlay set stands there; what it left alone stands above.
    place: (path: readonly PropertyKey[], atKey?: boolean) =>
      overlay !== undefined && has(overlay, path) ? document.place(["overlays", space, ...path], atKey) : document.place(path, atKey),
    plain: overlay === undefined ? document.plain : new Set([...document.plain, ...plainBelow(document.plain, space)]),
  } satisfies ManifestDocument;
  const filled = fillVariables(locator, variables);
  const found = [...shape, ...problemsOfFilled(filled, schemaProblems(appManifest, filled.value, locator, ofSpaces))];
  problems.push(...found);
  if (found.length > 0) return [];
  if (space === reservedSpace) {
    problems.push(reserved(document, ["app"]));
    return [];
  }
  return [
    {
      file: document.file,
      place: locator.place,
      written: JSON.parse(JSON.stringify(filled.value)) as Record<string, unknown>,
      manifest: appManifest.parse(filled.value),
    },
  ];
}

function within(document: ManifestDocument, key: string) {
  return { file: document.file, place: (path: readonly PropertyKey[], atKey?: boolean) => document.place([key, ...path], atKey) };
}

function plainBelow(plain: ReadonlySet<string>, space: string): readonly string[] {
  const prefix = `overlays\0${space}\0`;
  return [...plain].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
}

function has(value: unknown, path: readonly PropertyKey[]): boolean {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return false;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return true;
}

function reserved(document: ManifestDocument, path: readonly string[]): FoundProblem {
  return {
    kind: "invalid",
    file: document.file,
    ...document.place(path),
    path: path.join("."),
    found: `the space "${reservedSpace}"`,
    wanted: "another space; this one holds Drover's own programs",
    nearest: null,
  };
}

interface Named {
  readonly name: string;
  readonly file: string;
  place(path: readonly PropertyKey[], atKey?: boolean): Place;
}

function reportTwice(things: readonly Named[], key: "app" | "space" | "pool", problems: FoundProblem[]): void {
  const first = new Map<string, Named>();
  for (const thing of things) {
    const earlier = first.get(thing.name);
    if (earlier === undefined) {
      first.set(thing.name, thing);
      continue;
    }
    const { line, column } = earlier.place([key]);
    problems.push({
      kind: "invalid",
      file: thing.file,
      ...thing.place([key]),
      path: key,
      found: key === "space" ? "another space" : `${key} "${thing.name}" again`,
      wanted: `it once; it is declared at ${earlier.file}:${line}:${column} already`,
      nearest: null,
    });
  }
}
