import { z } from "zod";
import { DroverError } from "#model/errors.ts";
import { findStatic } from "./find-static.ts";
import type { Recipe, Step, Tool } from "./recipe.ts";
import type { Source } from "./source.ts";

/** What of a package.json matters here. Other keys are the app's own business. */
const packageJson = z.object({
  main: z.string().optional(),
  scripts: z.record(z.string(), z.string()).default({}),
  dependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
});
type PackageJson = z.infer<typeof packageJson>;

interface PackageManager {
  readonly tool: Tool;
  readonly lockFile: string;
  readonly installAll: readonly string[];
  readonly installForRunning: readonly string[];
  readonly dropDevelopment: readonly string[];
  readonly build: readonly string[];
}

const tool = (name: string, lockFile: string): Tool => ({ name, versionArguments: ["--version"], why: `the source has a ${lockFile}` });
const npm = (lockFile: string): PackageManager => ({
  tool: tool("npm", lockFile),
  lockFile,
  installAll: ["npm", "ci", "--no-audit", "--no-fund"],
  installForRunning: ["npm", "ci", "--omit=dev", "--no-audit", "--no-fund"],
  dropDevelopment: ["npm", "prune", "--omit=dev", "--no-audit", "--no-fund"],
  build: ["npm", "run", "build"],
});
// Copies, because links into a store outside of the source would not move along with it.
const pnpmInstall = ["pnpm", "install", "--frozen-lockfile", "--config.package-import-method=copy"];
const pnpm: PackageManager = {
  tool: tool("pnpm", "pnpm-lock.yaml"),
  lockFile: "pnpm-lock.yaml",
  installAll: pnpmInstall,
  installForRunning: [...pnpmInstall, "--prod"],
  dropDevelopment: ["pnpm", "prune", "--prod"],
  build: ["pnpm", "run", "build"],
};
const yarn: PackageManager = {
  tool: tool("yarn", "yarn.lock"),
  lockFile: "yarn.lock",
  installAll: ["yarn", "install", "--frozen-lockfile", "--non-interactive"],
  installForRunning: ["yarn", "install", "--frozen-lockfile", "--non-interactive", "--production"],
  dropDevelopment: ["yarn", "install", "--frozen-lockfile", "--non-interactive", "--production", "--ignore-scripts"],
  build: ["yarn", "run", "build"],
};
const managers = [npm("package-lock.json"), npm("npm-shrinkwrap.json"), pnpm, yarn];

/**
 * A Node app. Its lock file decides what is installed. A `build` script may use the development dependencies, which are dropped after it;
 * without one they are never installed.
 * @throws {DroverError} BUILD_FAILED for a package.json that is none, and for dependencies without a lock file
 */
export async function findNode(source: Source): Promise<Recipe | null> {
  const text = await source.text("package.json");
  if (text === null) {
    const file = await source.firstFile(["server.js", "server.mjs", "index.js", "index.mjs"]);
    if (file === null) return null;
    return { kind: "node", tools: [], steps: [], launch: {}, processes: async () => ({ web: `node ${file}` }) };
  }
  const app = parse(text);
  const hasBuild = app.scripts["build"] !== undefined;
  const dependencies = { ...app.dependencies, ...app.optionalDependencies, ...(hasBuild ? app.devDependencies : {}) };
  const needsInstall = Object.keys(dependencies).length > 0;
  const manager = await findManager(source);
  if (needsInstall && manager === null)
    throw new DroverError("BUILD_FAILED", "package.json has dependencies but there is no lock file beside it", {
      hint: 'Run "npm install" once and keep the package-lock.json that it writes: without it no two builds are the same.',
    });
  return {
    kind: "node",
    tools: needsInstall || hasBuild ? [(manager ?? npm("package.json")).tool] : [],
    steps: steps(manager ?? npm("package.json"), needsInstall, hasBuild),
    launch: needsInstall ? { PATH: ["node_modules/.bin"] } : {},
    processes: () => processes(app, source),
  };
}

function parse(text: string): PackageJson {
  try {
    return packageJson.parse(JSON.parse(text));
  } catch (error) {
    throw new DroverError("BUILD_FAILED", "package.json is not what npm would accept", {
      cause: error,
      hint: 'Run "npm pkg fix", or correct the file by hand.',
    });
  }
}

async function findManager(source: Source): Promise<PackageManager | null> {
  for (const manager of managers) if (await source.hasFile(manager.lockFile)) return manager;
  return null;
}

function steps(manager: PackageManager, needsInstall: boolean, hasBuild: boolean): Step[] {
  const install = hasBuild ? manager.installAll : manager.installForRunning;
  return [
    ...(needsInstall ? [{ message: `installing what ${manager.lockFile} names`, argv: install }] : []),
    ...(hasBuild ? [{ message: "running the build script of package.json", argv: manager.build }] : []),
    ...(needsInstall && hasBuild ? [{ message: "dropping what only the build needed", argv: manager.dropDevelopment }] : []),
  ];
}

async function processes(app: PackageJson, source: Source): Promise<Record<string, string>> {
  const start = app.scripts["start"];
  if (start !== undefined) {
    // The script itself rather than npm around it, which would cost memory and keep signals from the app.
    const isWrapped = app.scripts["prestart"] !== undefined || app.scripts["poststart"] !== undefined;
    return { web: isWrapped ? "npm start" : start };
  }
  const main = await source.firstFile([...(app.main === undefined ? [] : [app.main]), "server.js", "index.js"]);
  if (main !== null && /^[\w./-]+$/.test(main)) return { web: `node ${main}` };
  return (await findStatic(source))?.processes() ?? {};
}
