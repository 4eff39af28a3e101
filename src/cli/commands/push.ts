import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Session, Verb } from "../command.ts";
import { deploy } from "../deploy.ts";
import { type DocumentFile, readDocuments, readVariables } from "../documents.ts";
import { nameFrom } from "../source/app-name.ts";
import { withSource } from "../source/with-source.ts";

interface Options {
  readonly app?: string;
  readonly sha256?: string;
  readonly envFile?: string;
  readonly force?: boolean;
}

const manifestNames = ["drover.yaml", "drover.yml"] as const;

export default {
  configure: (command) =>
    command
      .argument("[source]", "a folder (default: this one), or the URL of a tar or tar.gz")
      .option("--app <name>", "the app's name (default: the manifest's, else the folder's)")
      .option("--sha256 <digest>", "what the archive's SHA-256 has to be; needed with a URL")
      .option("--env-file <file>", "values of ${NAME} in the manifest, as lines NAME=value")
      .option("--force", "make a new release even if nothing changed"),
  async run(session, { args, options }) {
    const source = args[0] ?? ".";
    if (/^https?:\/\//.test(source)) return pushArchive(session, source, options);
    await requireFolder(source);
    const documents = await manifestOf(session, source, options.app);
    const variables = await readVariables(options.envFile);
    return deploy(session, { documents, variables, prune: false, force: options.force === true, cause: "push" });
  },
} satisfies Verb<Options>;

/** The folder's own manifest, else the smallest one: a name, and itself as the source. */
async function manifestOf(session: Session, folder: string, app: string | undefined): Promise<readonly DocumentFile[]> {
  for (const name of manifestNames) {
    const file = join(folder, name);
    if (!(await isThere(file))) continue;
    const [document] = await readDocuments(session, [file]);
    if (document === undefined) continue;
    return [await withSource(document, app ?? null)];
  }
  return [madeUp(session, join(folder, "drover.yaml"), app ?? nameFrom(basename(resolve(folder)), "the folder"))];
}

async function pushArchive(session: Session, url: string, options: Options): Promise<number> {
  if (options.sha256 === undefined) {
    throw new DroverError("USAGE", "an archive from a URL needs --sha256", {
      hint: "Say what its SHA-256 is, so that nothing else can run in its place.",
    });
  }
  const { downloadArchive, readDigest } = await import("../source/download.ts");
  const digest = readDigest(options.sha256);
  const app = options.app ?? nameFrom(basename(new URL(url).pathname).replace(/\.(tar\.gz|tgz|tar)$/, ""), "the archive");
  await using downloads = new AsyncDisposableStack();
  const file = async () => downloads.use(await downloadArchive(session, url, digest)).file;
  return await deploy(session, {
    documents: [madeUp(session, "drover.yaml", app)],
    variables: await readVariables(options.envFile),
    prune: false,
    force: options.force === true,
    cause: "push",
    builds: ({ space, changes }) => [
      { space, app, source: { kind: "archive", digest, file }, build: changes.find((change) => change.name === app)?.build ?? null },
    ],
  });
}

function madeUp(session: Session, file: string, app: string): DocumentFile {
  const text = `app: ${app}\nsource: .\n`;
  session.sources.set(file, text);
  return { file, text };
}

async function requireFolder(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) return;
  } catch (error) {
    if (!hasCode(error, "ENOENT") && !hasCode(error, "ENOTDIR")) throw error;
  }
  throw new DroverError("USAGE", `"${path}" is no folder`, { hint: "Name a folder with an app in it, or the URL of an archive." });
}

async function isThere(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
