import { chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { appId, type Digest, parseWorkloadId } from "#model/names.ts";
import type { Workload } from "#model/workload.ts";
import { launchEnvironment } from "../../artifacts/launch.ts";
import { instanceEnvironment } from "./environment.ts";
import type { HeldInstance } from "./held-instance.ts";
import type { InstanceFolders } from "./records.ts";
import type { Users } from "./users.ts";

/** Where and as whom a process of an instance runs. */
export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Null: the user that runs Drover. */
  readonly uid: number | null;
}

export interface SurroundingsOptions {
  readonly users: Users;
  /** Holds the volumes of all apps. */
  readonly volumesFolder: string;
  readonly path: string;
  /** As `LocalEngineOptions.listenHost`. */
  readonly listenHost: () => string | null;
  /** The unpacked artifact, or null if it is not here. */
  readonly artifactFolder: (digest: Digest) => Promise<string | null>;
}

/** Drover's own programs are of this space, which no user can name. */
export const droverSpace = "drover";

/** Makes the folders of an instance and says what its processes get. Idempotent. @throws {MissingArtifactError} */
export async function makeSurroundings(
  { users, volumesFolder, path, listenHost, artifactFolder }: SurroundingsOptions,
  workload: Workload,
  { id: instance, port, statsdPort }: Pick<HeldInstance, "id" | "port" | "statsdPort">,
  folders: InstanceFolders,
): Promise<Surroundings> {
  const { space, app } = parseWorkloadId(workload.id);
  const uid = space === droverSpace ? null : await users.uidOf(appId(space, app));
  await mkdir(folders.root, { recursive: true, mode: 0o711 });
  await Promise.all([folders.io, folders.temporary].map((folder) => makeFolder(folder, uid)));
  const volumes: Record<string, string> = {};
  for (const name of workload.volumes) {
    const parent = join(volumesFolder, space, app);
    await mkdir(parent, { recursive: true, mode: 0o711 });
    volumes[name] = join(parent, name);
    await makeFolder(join(parent, name), uid);
  }
  const artifact = workload.artifact === null ? null : await artifactFolder(workload.artifact);
  if (workload.artifact !== null && artifact === null) throw new MissingArtifactError(workload.artifact);
  const host = workload.isPrivate === true ? "127.0.0.1" : space === droverSpace ? null : listenHost();
  const env = instanceEnvironment({ workload, instance, host, port, statsdPort, path, temporaryFolder: folders.temporary, volumes });
  // What a build installed, such as node_modules/.bin, comes first in the paths.
  const launch = artifact === null ? {} : await launchEnvironment(artifact, env);
  return { cwd: artifact ?? folders.temporary, env: { ...env, ...launch }, uid };
}

export class MissingArtifactError extends Error {
  override readonly name = "MissingArtifactError";
  constructor(digest: Digest) {
    super(`the artifact ${digest} is not on this machine yet`);
  }
}

/** A folder that only its user may enter. It is given away before anything of the user's has run in it. */
async function makeFolder(folder: string, uid: number | null): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined && uid !== null) await chown(folder, uid, uid);
}
