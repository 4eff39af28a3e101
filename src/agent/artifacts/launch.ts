import { join } from "node:path";
import { z } from "zod";
import { readTextIfThere } from "#host/files.ts";

/** In an artifact: which of its folders its processes look for programs and modules in. */
export const launchFile = ".drover/launch.json";

const inside = z
  .string()
  .max(1_024)
  .regex(/^[^/:][^:]*$/)
  .refine((path) => !path.split("/").includes(".."));
const launchSchema = z.strictObject({ PATH: z.array(inside).max(20).optional(), PYTHONPATH: z.array(inside).max(20).optional() });

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
  const added: Record<string, string> = {};
  for (const [name, folders = []] of Object.entries(launchSchema.parse(JSON.parse(text))))
    added[name] = [...folders.map((folder) => join(artifactFolder, folder)), ...(environment[name] ? [environment[name]] : [])].join(":");
  return added;
}
