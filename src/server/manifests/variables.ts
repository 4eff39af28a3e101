import { type ManifestDocument, pathKey } from "./documents.ts";
import { type FoundProblem, show } from "./problems.ts";

/**
 * `${NAME}` in values becomes the variable of that name; one that is not given is a problem, never silently empty. `$${` stands for `${`.
 *
 * Command lines (`run`, `before`, `provider.command`, `provider.ssh.converge` and `.power`) are left as they are: there, `$PORT` and `${PORT}` belong to the shell, which sees the app's environment.
 * Keys are left as they are too. An unquoted value that is nothing but `${NAME}` is read as if the variable's text stood there, so that
 * `instances: ${COUNT}` is a number; that happens only where the number or truth value is written exactly as it would be printed.
 */
export function fillVariables(
  document: ManifestDocument,
  variables: Readonly<Record<string, string>>,
): { readonly value: unknown; readonly problems: readonly FoundProblem[] } {
  const problems: FoundProblem[] = [];
  const fill = (value: unknown, path: readonly string[]): unknown => {
    if (typeof value === "string") return isCommandLine(path) ? value : fillText(value, path);
    if (Array.isArray(value)) return value.map((item, i) => fill(item, [...path, String(i)]));
    if (typeof value !== "object" || value === null) return value;
    const filled: Record<string, unknown> = Object.create(null);
    for (const [key, inner] of Object.entries(value)) filled[key] = fill(inner, [...path, key]);
    return filled;
  };
  const fillText = (text: string, path: readonly string[]): unknown => {
    if (!text.includes("${")) return text;
    const filled = text.replaceAll(/(\$?)\$\{([^}]*)\}/g, (whole, escaped: string, name: string) => {
      if (escaped !== "") return whole.slice(1);
      if (Object.hasOwn(variables, name)) return variables[name] as string;
      const isName = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name);
      problems.push({
        kind: "variable",
        file: document.file,
        ...document.place(path),
        path: path.join("."),
        found: show(`\${${name}}`),
        wanted: isName ? `a value for ${name} in the environment file` : "the name of a variable between the braces",
        nearest: null,
      });
      return whole;
    });
    const isAlone = /^\$\{[^}]*\}$/.test(text) && document.plain.has(pathKey(path));
    return isAlone ? readScalar(filled) : filled;
  };
  return { value: fill(document.value, []), problems };
}

/** All that is wrong with a document: where a variable has no value, only that, and not what the schema has against the text that stands for it. */
export function problemsOfFilled(filled: ReturnType<typeof fillVariables>, ofSchema: readonly FoundProblem[]): readonly FoundProblem[] {
  const without = new Set(filled.problems.map(({ line, column }) => `${line}:${column}`));
  return [...filled.problems, ...ofSchema.filter(({ line, column }) => !without.has(`${line}:${column}`))];
}

function isCommandLine(path: readonly string[]): boolean {
  const key = path.at(-1);
  const isVariable = path.at(-2) === "env";
  // A pool's provider names its command lines by what they do.
  const isProviders = path[0] === "provider" && (path[1] === "command" || (path[1] === "ssh" && (key === "converge" || key === "power")));
  return ((key === "run" || key === "before") && !isVariable) || isProviders;
}

function readScalar(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  const number = Number(text);
  return text !== "" && String(number) === text && Number.isFinite(number) ? number : text;
}
