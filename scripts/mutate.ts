// Breaks the ladder's planner on purpose, one small change at a time, and counts how many of them the tests notice.
//   npm run mutate                    every mutant of src/plan/ladder
//   npm run mutate -- climb.ts 2      of the files whose path holds a text, every second mutant
// Own, because it needs only what is here: the TypeScript parser, and Node that runs what comes out.
import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";

const root = join(import.meta.dirname, "..");
const folder = "src/plan/ladder";
/** Fast ones first: most mutants die there, and only what survives meets the simulation. */
const suites: readonly (readonly string[])[] = [
  ["--test", "--test-isolation=none", "--test-reporter=dot", `${folder}/*.test.ts`],
  ["test/simulation/ladder/run.ts", "150", "500"],
];
/** A mutant that runs longer than this never ends: as good as a failed test. */
const longestMs = 60_000;
/** Share of mutants that have to be caught. */
const goal = 0.95;

interface Mutant {
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly line: number;
}

const operators: Readonly<Record<string, string>> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "===": "!==",
  "!==": "===",
  "&&": "||",
  "||": "&&",
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
};
const methods: Readonly<Record<string, string>> = { some: "every", every: "some", min: "max", max: "min" };

function mutantsOf(file: string, text: string): readonly Mutant[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Mutant[] = [];
  const add = (node: ts.Node, replacement: string) => {
    const start = node.getStart();
    found.push({ file, start, end: node.getEnd(), text: replacement, line: source.getLineAndCharacterOfPosition(start).line + 1 });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    if (ts.isBinaryExpression(node)) {
      const other = operators[node.operatorToken.getText()];
      if (other !== undefined) add(node.operatorToken, other);
    }
    if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) add(node, node.operand.getText());
    if (ts.isIfStatement(node)) for (const value of ["true", "false"]) add(node.expression, value);
    if (ts.isConditionalExpression(node)) for (const value of ["true", "false"]) add(node.condition, value);
    if (ts.isNumericLiteral(node)) add(node, String(Number(node.getText().replaceAll("_", "")) + 1));
    if (node.kind === ts.SyntaxKind.TrueKeyword && !ts.isLiteralTypeNode(node.parent)) add(node, "false");
    if (node.kind === ts.SyntaxKind.FalseKeyword && !ts.isLiteralTypeNode(node.parent)) add(node, "true");
    if (ts.isPropertyAccessExpression(node) && Object.hasOwn(methods, node.name.text)) add(node.name, methods[node.name.text] ?? "");
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === "filter")
      add(node, node.expression.expression.getText());
    if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) add(node, ";");
    if (ts.isContinueStatement(node)) add(node, ";");
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function passes(cwd: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd, stdio: "ignore", timeout: longestMs, killSignal: "SIGKILL" });
    child.once("close", (code) => resolve(code === 0));
  });
}

async function survives(cwd: string, mutant: Mutant, original: string): Promise<boolean> {
  const path = join(cwd, mutant.file);
  await writeFile(path, original.slice(0, mutant.start) + mutant.text + original.slice(mutant.end));
  try {
    for (const suite of suites) if (!(await passes(cwd, suite))) return false;
    return true;
  } finally {
    await writeFile(path, original);
  }
}

async function copyOfProject(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "drover-mutants-"));
  for (const part of ["src/model", "src/plan", "test/simulation", "package.json"])
    await cp(join(root, part), join(copy, part), { recursive: true });
  await symlink(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}

const [only = "", everyText = "1"] = process.argv.slice(2);
const files = (await readdir(join(root, folder)))
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && name.includes(only))
  .sort();
const texts = new Map<string, string>();
for (const name of files) texts.set(join(folder, name), await readFile(join(root, folder, name), "utf8"));
const all = [...texts].flatMap(([file, text]) => mutantsOf(file, text)).filter((_, i) => i % Number(everyText) === 0);
const queue = [...all];
const survivors: Mutant[] = [];
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    const copy = await copyOfProject();
    try {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        const original = texts.get(mutant.file) ?? "";
        if (!(await survives(copy, mutant, original))) continue;
        survivors.push(mutant);
        console.log(
          `survived: ${mutant.file}:${mutant.line}: ${original.slice(mutant.start, mutant.end).replaceAll(/\s+/g, " ").slice(0, 90)}  →  ${mutant.text}`,
        );
      }
    } finally {
      await rm(copy, { recursive: true });
    }
  }),
);
const score = 1 - survivors.length / all.length;
console.log(`${all.length} mutants, ${all.length - survivors.length} caught: ${(100 * score).toFixed(1)} %`);
process.exitCode = score >= goal ? 0 : 1;
