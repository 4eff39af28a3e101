import { type Document, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, type Node, parseAllDocuments, Scalar } from "yaml";
import { DroverError } from "#model/errors.ts";
import { type FoundProblem, show } from "./problems.ts";

/** Bounds of one set of manifests. A thousand apps of a dozen lines each are half a megabyte. */
export const manifestLimits = {
  bytes: 2 ** 20,
  documents: 2_000,
  /** Nesting. The deepest place that the schema knows is six deep. */
  depth: 40,
  /** Columns of indentation: bounds nesting by indentation before anything recursive sees the text. */
  indentation: 400,
  /** Values, after aliases were followed: an alias bomb is counted, not built. */
  nodes: 200_000,
} as const;

/** One document as plain JSON-like values, and where each of them stands. */
export interface ManifestDocument {
  readonly file: string;
  readonly value: unknown;
  /** Where the value at `path` is (or its key, with `atKey`); the nearest thing around it when it is not written. */
  place(path: readonly PropertyKey[], atKey?: boolean): Place;
  /** Paths (as `pathKey` gives them) of the scalars that are written without quotes. */
  readonly plain: ReadonlySet<string>;
}

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface ManifestText {
  readonly file: string;
  readonly text: string;
}

/** Joins a path so that it can be looked up: keys may contain dots, never NUL (control characters are refused by YAML). */
export function pathKey(path: readonly PropertyKey[]): string {
  return path.map(String).join("\0");
}

/**
 * The documents of a set of files: YAML 1.2 with the core schema, or JSON, which is YAML. What cannot be read becomes a problem with its
 * place. Tags, merge keys, duplicate keys, non-text keys and `__proto__` are refused; empty documents are passed over.
 * @throws {DroverError} BODY_TOO_LARGE for more text than the limit.
 */
export function readDocuments(files: readonly ManifestText[]): {
  readonly documents: readonly ManifestDocument[];
  readonly problems: readonly FoundProblem[];
} {
  const bytes = files.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  if (bytes > manifestLimits.bytes) {
    throw new DroverError("BODY_TOO_LARGE", `the manifests are ${bytes} bytes, over the limit of ${manifestLimits.bytes}`, {
      hint: "Apply fewer at once.",
    });
  }
  const documents: ManifestDocument[] = [];
  const problems: FoundProblem[] = [];
  for (const { file, text } of files) {
    const lines = new LineCounter();
    const report = (offset: number, found: string, wanted: string) => {
      const { line, col } = lines.linePos(offset);
      problems.push({ kind: "invalid", file, line: Math.max(1, line), column: Math.max(1, col), path: "", found, wanted, nearest: null });
    };
    const tooDeep = findTooDeep(text);
    if (tooDeep !== null) {
      addLines(lines, text);
      report(tooDeep, "nesting deeper than any manifest", `at most ${manifestLimits.depth} levels`);
      continue;
    }
    const parsed = parseAllDocuments(text, {
      version: "1.2",
      schema: "core",
      uniqueKeys: true,
      merge: false,
      strict: true,
      stringKeys: true,
      prettyErrors: false,
      logLevel: "silent",
      lineCounter: lines,
    });
    for (const document of parsed) {
      if (documents.length >= manifestLimits.documents) {
        report(document.range[0], `more than ${manifestLimits.documents} documents`, "fewer at once");
        break;
      }
      const faults = [...document.errors, ...document.warnings];
      for (const { pos, message } of faults.slice(0, 20))
        report(pos[0], `what is no YAML (${oneLine(message)})`, "a manifest in YAML or JSON");
      if (faults.length > 0 || document.contents === null) continue;
      const converted = convert(document, report);
      if (converted === null || converted.value === null) continue;
      documents.push({
        file,
        value: converted.value,
        plain: converted.plain,
        place: (path, atKey = false) => {
          const { line, col } = lines.linePos(offsetOf(document.contents as Node, path, atKey));
          return { line: Math.max(1, line), column: Math.max(1, col) };
        },
      });
    }
  }
  return { documents, problems };
}

/**
 * The offset at which the text nests deeper than allowed, or null. Runs on the flat stream of tokens, because composing a document is
 * recursive: `[[[[…` must be refused before it can overflow the stack.
 */
function findTooDeep(text: string): number | null {
  let offset = 0;
  let flow = 0;
  let inLine = 0;
  let isText = false;
  for (const token of new Lexer().lex(text)) {
    const type = token[0];
    // The lexer's own marks are not in the text; after the last of these comes the text of a scalar, whose first letter means nothing.
    if (type === "\u0002" || type === "\u0018" || type === "\u001f") {
      isText = type === "\u001f";
      continue;
    }
    const at = offset;
    offset += token.length;
    if (isText) {
      isText = false;
      continue;
    }
    if (type === "[" || type === "{") flow++;
    else if (type === "]" || type === "}") flow = Math.max(0, flow - 1);
    else if (type === "\n" || type === "\r") inLine = 0;
    else if ((type === "-" || type === "?" || type === ":") && token.length === 1) inLine++;
    if (flow > manifestLimits.depth || inLine > manifestLimits.depth) return at;
    if (type === " " && inLine === 0 && token.length > manifestLimits.indentation) return at;
  }
  return null;
}

function addLines(lines: LineCounter, text: string): void {
  lines.addNewLine(0);
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines.addNewLine(at + 1);
}

type Report = (offset: number, found: string, wanted: string) => void;

function convert(document: Document.Parsed, report: Report): { readonly value: unknown; readonly plain: ReadonlySet<string> } | null {
  const plain = new Set<string>();
  let nodes = 0;
  let isSound = true;
  const refuse = (node: Node, found: string, wanted: string): null => {
    if (isSound) report(node.range?.[0] ?? 0, found, wanted);
    isSound = false;
    return null;
  };
  const visit = (node: Node, path: readonly string[]): unknown => {
    if (!isSound) return null;
    if (++nodes > manifestLimits.nodes) return refuse(node, "aliases that multiply", `at most ${manifestLimits.nodes} values`);
    if (path.length > manifestLimits.depth)
      return refuse(node, "nesting deeper than any manifest", `at most ${manifestLimits.depth} levels`);
    if (isAlias(node)) {
      const target = node.resolve(document);
      return target === undefined ? refuse(node, `an alias to "${node.source}"`, "an anchor before it") : visit(target, path);
    }
    if (node.tag !== undefined && !node.tag.startsWith("tag:yaml.org,2002:"))
      return refuse(node, `the tag ${show(node.tag)}`, "a value without a tag");
    if (isScalar(node)) {
      if (node.type === Scalar.PLAIN) plain.add(pathKey(path));
      if (typeof node.value === "bigint" || (typeof node.value === "number" && !Number.isFinite(node.value)))
        return refuse(node, node.source ?? show(node.value), "a finite number");
      if (typeof node.value === "string" && !node.value.isWellFormed()) return refuse(node, "half a character", "text in Unicode");
      return node.value;
    }
    if (isSeq(node)) return node.items.map((item, i) => visit(item as Node, [...path, String(i)]));
    if (!isMap(node)) return refuse(node, "an unknown kind of value", "a map, a list or a scalar");
    // No prototype: a key such as "constructor" is nothing but a key.
    const map: Record<string, unknown> = Object.create(null);
    for (const { key, value } of node.items) {
      if (!isScalar(key) || typeof key.value !== "string") return refuse(key as Node, "a key that is not text", "text as key");
      if (key.value === "__proto__") return refuse(key as Node, '"__proto__"', "another key");
      map[key.value] = value === null ? null : visit(value as Node, [...path, key.value]);
    }
    return map;
  };
  const value = visit(document.contents as Node, []);
  return isSound ? { value, plain } : null;
}

/** Offset of the node at `path`, or of its key; of the nearest one around it when it is not there. */
function offsetOf(root: Node, path: readonly PropertyKey[], atKey: boolean): number {
  let offset = root.range?.[0] ?? 0;
  let node: unknown = root;
  for (const [i, part] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === String(part));
      if (pair === undefined) return offset;
      const { key, value } = pair as { key: Node; value: Node | null };
      offset = (atKey && i === path.length - 1 ? key.range?.[0] : (value?.range?.[0] ?? key.range?.[0])) ?? offset;
      node = value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}

function oneLine(message: string): string {
  return message.replaceAll(/\s+/g, " ").slice(0, 200);
}
