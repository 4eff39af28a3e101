// Draws docs/tour.svg, the picture in the README: a Drover is started with the example shop, the commands below run against it, and what
// they really print becomes a terminal in SVG. Run it again when the words of the commands change: npx node scripts/recording.ts
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root, TestDrover } from "../test/harness/drover.ts";

const files: Readonly<Record<string, string>> = {
  "server.js": `const { PORT } = process.env;
require("node:http").createServer((_, response) => response.end("hello from version one\\n")).listen(PORT);
`,
  "drover.yaml": `app: hello
source: .
run: node server.js
instances: 2
ready: { http: / }
`,
};

interface Shown {
  readonly command: string;
  /** What leads to the command and is not shown, as an editor would not be. */
  readonly silently?: string;
}

const steps: readonly Shown[] = [
  { command: "drover apps -s shop" },
  { command: "cat drover.yaml" },
  { command: "drover push" },
  { command: "curl -s http://hello.default.localhost:8080/" },
  { command: `echo 'console.error("no database"); process.exit(1);' >> server.js` },
  { command: "drover push" },
  { command: "curl -s http://hello.default.localhost:8080/" },
  { command: "drover scale hello 4" },
  { command: "kill -9 $(drover ps hello | awk 'NR == 2 { print $5 }')" },
  { command: "drover ps hello", silently: "sleep 2" },
];

const columns = 104;
const lineHeight = 19;
const characterWidth = 8.43;
const margin = 18;

interface Line {
  readonly kind: "command" | "output" | "error" | "hint" | "good" | "quote";
  readonly text: string;
}

async function record(): Promise<readonly Line[]> {
  await using drover = await TestDrover.start();
  await drover.until("the shop is up", async () => (await drover.cli(["apply", join(root, "examples", "shop")])).code === 0);
  const folder = join(drover.home, "hello");
  await mkdir(folder);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const env = { ...drover.environment, PATH: `${join(root, "bin")}:${process.env["PATH"]}` };
  const lines: Line[] = [];
  for (const { command, silently = "true" } of steps) {
    const real = command.replaceAll("localhost:8080", `localhost:${drover.edgePort}`);
    const printed = await run(`${silently}; ${real}`, folder, env);
    if (lines.length > 0) lines.push({ kind: "output", text: "" });
    lines.push({ kind: "command", text: command });
    const shown = printed.replaceAll(`localhost:${drover.edgePort}`, "localhost:8080").trimEnd();
    if (shown !== "") lines.push(...shown.split("\n").map((text) => ({ kind: kindOf(text), text })));
  }
  return lines;
}

async function run(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const shell = spawn("bash", ["-c", `{ ${command}\n} < /dev/null 2>&1`], { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  shell.stdout.on("data", (chunk) => (printed += chunk));
  await once(shell, "close");
  return printed;
}

function kindOf(line: string): Line["kind"] {
  if (line.startsWith("error:")) return "error";
  if (line.startsWith("hint:")) return "hint";
  if (/^(\+ |ready in|scaled )/.test(line)) return "good";
  return line.startsWith("  | ") ? "quote" : "output";
}

/** Long lines are folded as a terminal folds them. */
function fold(line: Line): readonly Line[] {
  const room = line.kind === "command" ? columns - 2 : columns;
  const folded: Line[] = [];
  for (let at = 0; at === 0 || at < line.text.length; at += room) folded.push({ ...line, text: line.text.slice(at, at + room) });
  return folded;
}

function draw(lines: readonly Line[]): string {
  const all = lines.flatMap(fold);
  const width = Math.ceil(columns * characterWidth + 2 * margin);
  const height = all.length * lineHeight + 2 * margin;
  const rows = all.map(({ kind, text }, row) => {
    const prompt = kind === "command" ? '<tspan class="prompt">$ </tspan>' : "";
    return `<text x="${margin}" y="${margin + 14 + row * lineHeight}" class="${kind}">${prompt}${escapeXml(text)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>Drover in a terminal</title>
<style>
rect { fill: #f6f8fa; stroke: #d0d7de }
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; fill: #424a53 }
.command { fill: #1f2328; font-weight: 600 }
.prompt, .hint { fill: #0969da }
.error { fill: #cf222e }
.good { fill: #1a7f37 }
.quote { fill: #9a6700 }
@media (prefers-color-scheme: dark) {
  rect { fill: #0d1117; stroke: #30363d }
  text { fill: #b1bac4 }
  .command { fill: #f0f6fc }
  .prompt, .hint { fill: #58a6ff }
  .error { fill: #ff7b72 }
  .good { fill: #3fb950 }
  .quote { fill: #d29922 }
}
</style>
<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${rows.join("\n")}
</svg>
`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

await writeFile(join(root, "docs", "tour.svg"), draw(await record()));
