import { createHash, type Hash, randomUUID } from "node:crypto";
import { chown, copyFile, lchown, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { FairQueue } from "#host/fair-queue.ts";
import { writeFileAtomic } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import { type BuildOptions, type BuildProgress, type BuildResult, buildLimits } from "#model/build.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError, toErrorBody } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Digest } from "#model/names.ts";
import { extractArchive, translateDiskErrors } from "../artifacts/extract.ts";
import { removeFolder } from "../artifacts/folders.ts";
import { launchFile } from "../artifacts/launch.ts";
import type { ArtifactStore } from "../artifacts/store.ts";
import { readTree, type Tree, treeDigest } from "../artifacts/tree.ts";
import { type ArchiveEntry, type BuildCache, openArchives, openResults, type ResultEntry } from "./cache.ts";
import { Channel } from "./channel.ts";
import { type Confine, killMarked } from "./confinement.ts";
import { type FoundRecipe, findRecipe } from "./find-recipe.ts";
import { staticServerPath } from "./find-static.ts";
import type { Tool } from "./recipe.ts";
import { runStep, type StepSurroundings } from "./run-step.ts";
import { Source } from "./source.ts";
import { Toolbox } from "./tools.ts";

/** Builds at a time. Each may take all of a core, and apps run beside them. */
const slots = 2;
/** Builds of one space that may wait. More would only wait for longer than anyone does. */
const mostWaiting = 20;
/** Progress that waits for its reader. */
const waitingProgress = 256;
/** What a build may fill while it runs: its result, and as much again for caches and what its tools leave. */
const usualSpace = { diskBytes: 2 * buildLimits.artifactBytes, files: 2 * buildLimits.files };
/** Raised whenever the same source would be built differently. */
const recipeVersion = 1;
/** Folders that stay from run to run. */
const kept: ReadonlySet<string> = new Set(["cache", "archives"]);
const staticServer = fileURLToPath(new URL("static-server.mjs", import.meta.url));

export interface BuilderOptions {
  /** `home.agent/builds`. Made if it is not there; what an earlier run left in it is ended and removed. */
  readonly folder: string;
  /** Has to be on the same file system as `folder`. */
  readonly artifacts: ArtifactStore;
  /** `PATH`, proxies and registries: all that a build may know of the agent's own environment. See `buildEnvironment`. */
  readonly environment: Readonly<Record<string, string>>;
  /** First of the user ids that builds run as, one for each that runs at once. Null: not root, so they run as the agent's user. */
  readonly firstUid: number | null;
  readonly confine: Confine;
  /** What each build may fill while it runs. Default: twice what an artifact may have. */
  readonly space?: { readonly diskBytes: number; readonly files: number };
  readonly clock: Clock;
  readonly log: Log;
}

export interface Builder {
  /**
   * Builds a source, given as a tar or tar.gz stream, into a stored artifact. Never throws for what is wrong with the source: the last progress
   * is `done` or `failed`. Leaving the loop or aborting ends the build; nothing of it stays. Leaves `source` open.
   */
  build(options: BuildOptions, source: Readable, signal: AbortSignal): AsyncIterable<BuildProgress>;
  /** What an archive with this digest became when it was built so before; null if it was not, or would become something else by now. */
  known(options: BuildOptions, archive: Digest, signal: AbortSignal): Promise<BuildResult | null>;
}

export async function openBuilder(options: BuilderOptions): Promise<Builder> {
  await killMarked(`${options.folder}/`);
  await mkdir(options.folder, { recursive: true, mode: 0o711 });
  for (const name of await readdir(options.folder)) if (!kept.has(name)) await removeFolder(join(options.folder, name));
  return new FolderBuilder(options);
}

type Say = (progress: BuildProgress) => Promise<void>;

class FolderBuilder implements Builder {
  readonly #options: BuilderOptions;
  readonly #results: BuildCache<ResultEntry>;
  readonly #archives: BuildCache<ArchiveEntry>;
  readonly #queue = new FairQueue({
    slots,
    mostWaiting,
    refuse: (space) =>
      new DroverError("OVERLOADED", `${mostWaiting} builds of the space ${JSON.stringify(space)} wait already`, {
        hint: "Try again when some of them are done.",
      }),
  });
  readonly #tools: Toolbox;

  constructor(options: BuilderOptions) {
    this.#options = options;
    this.#results = openResults(join(options.folder, "cache"), options.clock);
    this.#archives = openArchives(join(options.folder, "archives"), options.clock);
    this.#tools = new Toolbox(options.environment);
  }

  async *build(options: BuildOptions, source: Readable, signal: AbortSignal): AsyncGenerator<BuildProgress, void, void> {
    const progress = new Channel<BuildProgress>(waitingProgress);
    const left = new AbortController();
    const say: Say = (one) => progress.push(one);
    const work = this.#queued(options, source, say, AbortSignal.any([signal, left.signal]))
      .then(
        (result) => say({ kind: "done", result }),
        (error: unknown) => this.#fail(error, options, say),
      )
      .finally(() => progress.close());
    try {
      yield* progress;
    } finally {
      left.abort(new Error("nobody waits for this build any more"));
      progress.close();
      await work;
    }
  }

  async known(options: BuildOptions, archive: Digest, signal: AbortSignal): Promise<BuildResult | null> {
    const entry = await this.#archives.find(await archiveKey(archive, options));
    if (entry === null) return null;
    for (const { tool, version } of entry.tools) if ((await this.#versionIfThere(tool, signal)) !== version) return null;
    return this.#fromCache(entry.key);
  }

  async #versionIfThere(tool: Tool, signal: AbortSignal): Promise<string | null> {
    try {
      return await this.#tools.version(tool, signal);
    } catch (error) {
      // It was there when the archive was built; without it the archive has to come again, to be refused in words.
      if (error instanceof DroverError && error.code === "BUILD_FAILED") return null;
      throw error;
    }
  }

  async #fail(error: unknown, { space, app }: BuildOptions, say: Say): Promise<void> {
    const shown = translateDiskErrors(error);
    if (!(shown instanceof DroverError))
      this.#options.log.error("build failed for a reason of ours", { space, app, ...errorFields(error) });
    await say({ kind: "failed", error: toErrorBody(shown) });
  }

  async #queued(options: BuildOptions, source: Readable, say: Say, signal: AbortSignal): Promise<BuildResult> {
    if (this.#queue.waiting > 0) await say({ kind: "step", message: `waiting for ${this.#queue.waiting} other builds` });
    const slot = await this.#queue.acquire(options.space, signal);
    const folder = join(this.#options.folder, randomUUID());
    try {
      return await this.#timed(options, signal, (bounded) => this.#build({ options, slot, folder, say, signal: bounded }, source));
    } finally {
      await removeFolder(folder);
      this.#queue.release(slot);
    }
  }

  /** The time limit covers everything from the first byte of the source on. */
  async #timed<Result>(options: BuildOptions, signal: AbortSignal, build: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const expired = new AbortController();
    const done = new AbortController();
    const timer = this.#options.clock.sleep(options.timeoutMs, done.signal).then(
      () =>
        expired.abort(
          new DroverError("BUILD_TIMED_OUT", `the build was ended because it took longer than ${options.timeoutMs} ms`, {
            hint: "Give it more time with build.timeout, or find out what it waits for in its output.",
          }),
        ),
      () => {
        // The build was done first.
      },
    );
    try {
      return await build(AbortSignal.any([signal, expired.signal]));
    } finally {
      done.abort();
      await timer;
    }
  }

  async #build(run: Run, archive: Readable): Promise<BuildResult> {
    const { options, folder, say, signal } = run;
    await say({ kind: "step", message: "unpacking the source" });
    const hash = createHash("sha256");
    const { source, tree, recipe } = await findRecipeOrInside(await unpackHashed(folder, archive, hash, signal), options);
    const tools: { tool: Tool; version: string }[] = [];
    for (const tool of recipe.tools) tools.push({ tool, version: await this.#tools.version(tool, signal) });
    const key = await cacheKey(tree, options, tools);
    const digest = `sha256:${hash.digest("hex")}` as Digest;
    const result = (await this.#fromCache(key, say)) ?? (await this.#make(run, { source, tree, recipe, key }));
    await this.#archives.remember(await archiveKey(digest, options), { key, tools });
    return result;
  }

  async #make(run: Run, { source, tree, recipe, key }: Found): Promise<BuildResult> {
    const { say, signal } = run;
    if (recipe.steps.length > 0) await this.#runSteps(recipe, run, source, tree);
    const outcome = await recipe.outcome();
    await addOurFiles(source.folder, recipe, outcome.needsStaticServer);
    await say({ kind: "step", message: "storing the artifact" });
    const built = await readTree(source.folder, { contentBytes: buildLimits.artifactBytes, files: buildLimits.files }, signal);
    const { digest, sizeBytes, files } = await this.#options.artifacts.adopt(source.folder, built);
    const { kind, processes } = outcome;
    await this.#results.remember(key, { artifact: digest, kind, processes });
    return { artifact: digest, sizeBytes, files, kind, processes, cached: false };
  }

  async #fromCache(key: string, say?: Say): Promise<BuildResult | null> {
    const known = await this.#results.find(key);
    if (known === null) return null;
    const stored = this.#options.artifacts.list().find(({ digest }) => digest === known.artifact);
    if (stored === undefined) {
      await this.#results.forget(key);
      return null;
    }
    this.#options.artifacts.use(known.artifact);
    await say?.({ kind: "step", message: "the same source was built before; its artifact is used again" });
    return { ...known, sizeBytes: stored.sizeBytes, files: stored.files, cached: true };
  }

  async #runSteps(recipe: FoundRecipe, { options, slot, folder, say, signal }: Run, source: Source, tree: Tree): Promise<void> {
    const { environment, firstUid, confine, clock } = this.#options;
    const user = firstUid === null ? null : { uid: firstUid + slot, gid: firstUid + slot };
    const home = join(folder, "home");
    const temporary = join(folder, "tmp");
    await mkdir(home, { mode: 0o700 });
    await mkdir(temporary, { mode: 0o700 });
    if (user !== null) {
      for (const own of [folder, home, temporary, source.folder]) await chown(own, user.uid, user.gid);
      for (const { path } of tree) await lchown(join(source.folder, path), user.uid, user.gid);
    }
    const surroundings: StepSurroundings = {
      folder: source.folder,
      ownFolder: folder,
      environment: { ...environment, ...quietTools, HOME: home, TMPDIR: temporary, DROVER_BUILD: folder },
      user,
      memoryBytes: options.memoryBytes,
      ...(this.#options.space ?? usualSpace),
      confine,
      clock,
    };
    for (const step of recipe.steps) {
      await say({ kind: "step", message: step.message });
      await runStep(step, surroundings, (line) => say({ kind: "output", line }), signal);
    }
  }
}

interface Run {
  readonly options: BuildOptions;
  readonly slot: number;
  readonly folder: string;
  readonly say: Say;
  readonly signal: AbortSignal;
}

/** A source of which everything is known but what it becomes. */
interface Found {
  readonly source: Source;
  readonly tree: Tree;
  readonly recipe: FoundRecipe;
  readonly key: string;
}

async function cacheKey(tree: Tree, options: BuildOptions, tools: ArchiveEntry["tools"]): Promise<string> {
  const versions = tools.map(({ tool, version }) => `${tool.name} ${version}`);
  return digestOf([treeDigest(tree), versions, await surroundings(options)]);
}

async function archiveKey(archive: Digest, options: BuildOptions): Promise<string> {
  return digestOf([archive, await surroundings(options)]);
}

/** What decides what a source becomes, besides itself and the tools that it needs. */
async function surroundings({ run, hasRun }: BuildOptions): Promise<unknown> {
  const server = createHash("sha256")
    .update(await readFile(staticServer))
    .digest("hex");
  return [recipeVersion, run, hasRun ?? false, server, process.platform, process.arch];
}

function digestOf(all: unknown): string {
  return createHash("sha256").update(JSON.stringify(all)).digest("hex");
}

/** Unpacks, and everything that is read goes into the hash, too. Leaves `archive` open: who gave it still answers on its stream. */
async function unpackHashed(folder: string, archive: Readable, hash: Hash, signal: AbortSignal) {
  async function* read(): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of archive.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const hashed = Readable.from(read(), { objectMode: false });
  try {
    return await unpack(folder, hashed, signal);
  } finally {
    hashed.destroy();
  }
}

/** For tools that would ask, draw progress bars, phone home or leave traces of the moment in what they make. */
const quietTools = {
  CI: "1",
  LANG: "C.UTF-8",
  NO_COLOR: "1",
  PYTHONDONTWRITEBYTECODE: "1",
  PIP_NO_CACHE_DIR: "1",
  GOFLAGS: "-modcacherw",
  GOTOOLCHAIN: "local",
  npm_config_update_notifier: "false",
  npm_config_fund: "false",
} as const;

async function unpack(folder: string, archive: Readable, signal: AbortSignal): Promise<{ source: Source; tree: Tree }> {
  const unpacked = join(folder, "source");
  await mkdir(unpacked, { recursive: true, mode: 0o755 });
  const limits = { archiveBytes: buildLimits.sourceBytes, contentBytes: buildLimits.sourceBytes, files: buildLimits.files };
  const tree = await extractArchive(archive, unpacked, limits, signal);
  // Ours alone: what a source says there would be taken for what a build found.
  await removeFolder(join(unpacked, ".drover"));
  return { source: new Source(unpacked), tree: tree.filter(({ path }) => !/^\.drover(\/|$)/.test(path)) };
}

/** Archives of repositories have everything in one folder. Where nothing else tells what a source is, that folder is the source. */
async function findRecipeOrInside(
  { source, tree }: { readonly source: Source; readonly tree: Tree },
  options: BuildOptions,
): Promise<{ source: Source; tree: Tree; recipe: FoundRecipe }> {
  const hasRun = options.hasRun ?? false;
  const recipe = await findRecipe(source, options.run, hasRun);
  const top = tree.filter(({ path }) => !path.includes("/"));
  const [only] = top;
  if (recipe.isKnown || hasRun || options.run !== null || top.length !== 1 || only?.kind !== "folder") return { source, tree, recipe };
  const inner = new Source(join(source.folder, only.path));
  const own = tree.filter(({ path }) => path !== only.path).map((entry) => ({ ...entry, path: entry.path.slice(only.path.length + 1) }));
  return { source: inner, tree: own, recipe: await findRecipe(inner, null, false) };
}

async function addOurFiles(folder: string, recipe: FoundRecipe, needsStaticServer: boolean): Promise<void> {
  const needsLaunchFile = Object.keys(recipe.launch).length > 0;
  if (!needsStaticServer && !needsLaunchFile) return;
  await mkdir(join(folder, ".drover"), { recursive: true });
  if (needsStaticServer) await copyFile(staticServer, join(folder, staticServerPath));
  if (needsLaunchFile) await writeFileAtomic(join(folder, launchFile), JSON.stringify(recipe.launch), { durable: false });
}
