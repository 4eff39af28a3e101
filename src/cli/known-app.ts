import { apiPath } from "./api/client.ts";
import type { Session } from "./command.ts";

/**
 * For an answer that is empty: whether that is so because there is no such app, or no such space. History outlives both, so it is not asked before.
 * @throws {DroverError} APP_NOT_FOUND with the name that was probably meant, SPACE_NOT_FOUND
 */
export async function requireKnownApp({ api, signal }: Session, space: string | undefined, app: string | undefined): Promise<void> {
  if (space !== undefined) await api.call("GET", apiPath(["spaces", space, ...(app === undefined ? [] : ["apps", app])]), signal);
}
