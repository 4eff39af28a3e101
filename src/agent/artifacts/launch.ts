import { join } from "node:path";
import { readTextIfThere } from "#host/files.ts";
import { isListOf, isRecord, isText } from "#model/shape.ts";

/** In an artifact: which of its folders its processes look for programs and modules in. */
export const launchFile = ".drover/launch.json";

/** A folder inside the artifact: relative, without a way up or a colon, which would be two. */
function isInside(path: unknown): path is string {
  return isText(path, 1_024) && /^[^/:][^:]*$/.test(path) && !path.split("/").includes("..");
}

/**
 * The environment that an artifact's processes need to find what was installed for them, to be laid over `environment`: its own folders in front
 * of what PATH and PYTHONPATH hold there. Empty for most artifacts.
 */
export async function launchEnvironment(
  artifactFolder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Record<string, string>> {
  const text = await readTextIfThere(join(artifactFolder, launchFile));
  if (text === null) return {};
  const launch: unknown = JSON.parse(text);
  if (!isRecord(launch)) throw new Error(`${launchFile} of the artifact is not an object`);
  const added: Record<string, string> = {};
  for (const name of ["PATH", "PYTHONPATH"]) {
    const folders = launch[name] ?? [];
    if (!isListOf(folders, isInside)) throw new Error(`${launchFile} of the artifact names folders outside it in ${name}`);
    if (folders.length === 0) continue;
    added[name] = [...folders.map((folder) => join(artifactFolder, folder)), ...(environment[name] ? [environment[name]] : [])].join(":");
  }
  return added;
}
