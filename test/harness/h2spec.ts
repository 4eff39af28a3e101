import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { root } from "./drover.ts";

const version = "v2.2.1+incompatible";
const folder = join(root, "node_modules", ".cache", `h2spec-${version}`);
/** Downloads and builds it once. */
const installMs = 120_000;

/** The conformance test of HTTP/2, built with Go where there is Go; null where it cannot be had. */
export function h2spec(): string | null {
  const program = join(folder, "h2spec");
  if (existsSync(program)) return program;
  if (programOnPath("go") === null) return null;
  mkdirSync(folder, { recursive: true });
  const env = { ...process.env, GOBIN: folder };
  spawnSync("go", ["install", `github.com/summerwind/h2spec/cmd/h2spec@${version}`], { env, stdio: "ignore", timeout: installMs });
  return existsSync(program) ? program : null;
}
