import ts from "typescript";

/** One small change of one file. */
export interface Mutant {
  /** Relative to the repository. */
  readonly file: string;
  readonly start: number;
  readonly end: number;
  /** What stands there instead. */
  readonly text: string;
  readonly line: number;
  /** The line as it is, what is replaced in it and by what: names the mutant for as long as the line stays the same. */
  readonly name: string;
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

/** Every mutant of a file: operators, conditions, numbers and truth values are turned around, filters, calls and `continue` are left out. */
export function findMutants(file: string, text: string): readonly Mutant[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lines = text.split("\n");
  const found: Mutant[] = [];
  const add = (node: ts.Node, replacement: string) => {
    const [start, end] = [node.getStart(), node.getEnd()];
    const { line, character } = source.getLineAndCharacterOfPosition(start);
    const name = `${lines[line]?.trim()} @${character}: ${short(text.slice(start, end))} → ${short(replacement)}`;
    if (replacement !== text.slice(start, end)) found.push({ file, start, end, text: replacement, line: line + 1, name });
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
    if (node.kind === ts.SyntaxKind.TrueKeyword) add(node, "false");
    if (node.kind === ts.SyntaxKind.FalseKeyword) add(node, "true");
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

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
}
