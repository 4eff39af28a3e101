import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Verb } from "../command.ts";
import { nameFrom } from "../source/app-name.ts";

export default {
  configure: (command) =>
    command.argument("[folder]", "the folder (default: this one)").option("--app <name>", "the app's name (default: the folder's)"),
  async run(session, { args, options }) {
    const folder = args[0] ?? ".";
    const name = options.app ?? nameFrom(basename(resolve(folder)), "the folder");
    const found = await lookAt(folder);
    const file = join(folder, "drover.yaml");
    try {
      // Never over what is there: a manifest is somebody's work.
      await writeFile(file, manifest(name, found), { flag: "wx" });
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
      throw new DroverError("CONFLICT", `"${file}" exists already`, {
        cause: error,
        hint: 'Change it with an editor; "drover plan" shows what would come of it.',
      });
    }
    if (session.out.json) session.out.value({ file, app: name, kind: found.kind });
    else session.out.line(`wrote ${file}: ${found.says}. Run it with "drover push${folder === "." ? "" : ` ${folder}`}".`);
    return 0;
  },
} satisfies Verb<{ app?: string }>;

interface Found {
  readonly kind: "procfile" | "node" | "python" | "go" | "static" | "unknown";
  readonly says: string;
}

/** What the builder will find, so that the manifest can leave it alone. */
async function lookAt(folder: string): Promise<Found> {
  let names: ReadonlySet<string>;
  try {
    names = new Set(await readdir(folder));
  } catch (error) {
    if (!hasCode(error, "ENOENT") && !hasCode(error, "ENOTDIR")) throw error;
    throw new DroverError("USAGE", `"${folder}" is no folder`, { cause: error, hint: "Name a folder that exists." });
  }
  if (names.has("Procfile"))
    return { kind: "procfile", says: `its processes come from the Procfile (${(await processesOf(folder)).join(", ")})` };
  // In the builder's own order and by its own names.
  const hasAny = (...known: readonly string[]) => known.some((name) => names.has(name));
  if (hasAny("package.json", "server.js", "server.mjs", "index.js", "index.mjs")) return { kind: "node", says: "a Node app" };
  if (hasAny("requirements.txt", "pyproject.toml", "app.py", "main.py", "server.py", "manage.py"))
    return { kind: "python", says: "a Python app" };
  if (names.has("go.mod")) return { kind: "go", says: "a Go program" };
  for (const name of siteFolders) {
    if (await isThere(join(folder, name, "index.html")))
      return { kind: "static", says: name === "." ? "a static site" : `a static site in ${name}/` };
  }
  return { kind: "unknown", says: "nothing known was found, so say in it what to run" };
}

/** Where the builder looks for a site, in its order. */
const siteFolders = ["dist", "build", "out", "_site", "public", "."];

async function isThere(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return false;
    throw error;
  }
}

async function processesOf(folder: string): Promise<readonly string[]> {
  const text = await readFile(join(folder, "Procfile"), "utf8");
  return [...text.matchAll(/^([A-Za-z0-9_-]+):/gm)].map((match) => match[1] ?? "");
}

function manifest(name: string, { kind }: Found): string {
  const run =
    kind === "unknown"
      ? "run: ./start.sh                # the command line; it has to listen on $PORT\n"
      : "# run: …                       # found from the source; say it here to run something else\n";
  return `# What this app is. "drover plan ." shows what would change, "drover push" makes it true.
app: ${name}
source: .                      # this folder, built into an artifact
${run}
# instances: 2                 # left out: what "drover scale" set, 1 at first
# ready: { http: / }           # no traffic until this answers 200 to 399; left out: until the port is open
# alive: { http: /healthz }    # restarted when this fails
# resources: { cpu: 0.5, memory: 256MiB }
# env: { LOG_LEVEL: info }
# secrets: [API_KEY]           # set with "drover secret set API_KEY"
# needs: [database]            # another app: gives $DATABASE_URL
# volumes: { uploads: {} }     # a folder that outlives releases, in $UPLOADS_DIR
# routes:
#   - { host: ${name}.example.com }
# deploy: { strategy: rolling }  # or blue-green, canary
# before: npm run migrate      # once per release, before any instance of it
`;
}
