// Bundles the pages of src/web into the folder that is given: run by the server the first time that somebody opens them, as a process of its own.
// Usage: node build.ts FOLDER
import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import type { BundleIndex } from "./bundle.ts";

const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: build.ts FOLDER");
const web = fileURLToPath(new URL("../../web", import.meta.url));
const { metafile } = await build({
  entryPoints: { main: join(web, "main.tsx"), style: join(web, "style", "index.css"), icon: join(web, "icon.svg") },
  outdir: folder,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2024",
  minify: true,
  // Names say the content, so that browsers keep the files for ever.
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  loader: { ".svg": "copy" },
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  metafile: true,
  logLevel: "error",
});

const names = await readdir(folder);
const outputOf = (source: string) => {
  const found = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint?.endsWith(source));
  if (found === undefined) throw new Error(`nothing was made of ${source}`);
  return basename(found[0]);
};
for (const name of names) await writeFile(join(folder, `${name}.gz`), gzipSync(await readFile(join(folder, name)), { level: 9 }));
const index: BundleIndex = {
  script: outputOf("src/web/main.tsx"),
  style: outputOf("src/web/style/index.css"),
  icon: outputOf("src/web/icon.svg"),
  files: Object.fromEntries(names.map((name) => [name, { type: types[extname(name)] ?? "application/octet-stream" }])),
};
await writeFile(join(folder, "index.json"), JSON.stringify(index));
