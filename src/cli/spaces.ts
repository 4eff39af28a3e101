import type { SpaceView } from "#model/api.ts";
import { apiPath } from "./api/client.ts";
import type { Session } from "./command.ts";

/** The spaces that a listing covers: the one that was named, else all. */
export async function listedSpaces(session: Session): Promise<readonly string[]> {
  if (session.common.space !== null) return [session.common.space];
  const { spaces } = await session.api.call<{ spaces: SpaceView[] }>("GET", apiPath(["spaces"]), session.signal);
  return spaces.map((space) => space.name);
}
