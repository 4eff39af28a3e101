import type { Recipe } from "./recipe.ts";
import type { Source } from "./source.ts";

/** Where the server of static sites lies in the artifact of one, so that it runs for as long as the artifact exists. */
export const staticServerPath = ".drover/static-server.mjs";

/** Folders that build tools write sites to, most specific first. */
const siteFolders = ["dist", "build", "out", "_site", "public", "."];

/** A folder of files for browsers: the first with an index.html. */
export async function findStatic(source: Source): Promise<Recipe | null> {
  for (const folder of siteFolders) {
    if (!(await source.hasFile(`${folder}/index.html`))) continue;
    const processes = { web: `exec node ${staticServerPath} ${folder}` };
    return { kind: "static", tools: [], steps: [], launch: {}, processes: async () => processes };
  }
  return null;
}
