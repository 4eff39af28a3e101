import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "./files.ts";

/*
 * Whether the edge of this machine takes what comes from outside: as its server said last, kept on disk, so that neither an edge that starts without its
 * server nor an agent opens ports that were closed. Nothing there means that it does.
 */

const fileName = "door.json";

/** @param folder of the edge */
export async function readDoor(folder: string): Promise<boolean> {
  const text = await readTextIfThere(join(folder, fileName));
  if (text === null) return true;
  const { isPublic } = JSON.parse(text) as { readonly isPublic?: unknown };
  if (typeof isPublic !== "boolean") throw new Error(`"${join(folder, fileName)}" is not what an edge has written`);
  return isPublic;
}

export async function writeDoor(folder: string, isPublic: boolean): Promise<void> {
  await writeFileAtomic(join(folder, fileName), `${JSON.stringify({ isPublic })}\n`);
}
