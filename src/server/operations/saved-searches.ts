import type { SavedSearchView } from "#model/api-logs.ts";
import { DroverError } from "#model/errors.ts";
import { parseLogQuery } from "#model/log-query.ts";
import type { AppName, SpaceName } from "#model/names.ts";
import { keys, parse, put, read, remove, type Stored, unchanged } from "../objects/objects.ts";
import { requireApp } from "./app-operations.ts";
import type { OperationContext } from "./context.ts";
import type { Receipt } from "./receipt.ts";
import { requireSpace } from "./space-operations.ts";
import { transact } from "./transact.ts";

/** What people look through; more are a mistake of a script. */
const mostSearches = 200;

export function listSearches(context: OperationContext, space: SpaceName): readonly SavedSearchView[] {
  requireSpace(context, space);
  return context.store.list(keys.searches(space)).map((entry) => parse<SavedSearchView>(entry).value);
}

export interface SearchToSave {
  readonly space: SpaceName;
  readonly name: string;
  readonly query: string;
  readonly app: AppName | null;
  /** Who saves it. */
  readonly by: string;
  readonly receipt: Receipt | null;
}

/** @throws {DroverError} SPACE_NOT_FOUND, APP_NOT_FOUND, LOG_QUERY_INVALID; CONFLICT where there are too many */
export async function saveSearch(context: OperationContext, { space, name, query, app, by, receipt }: SearchToSave) {
  const { store, events, clock } = context;
  parseLogQuery(query);
  const key = keys.search(space, name);
  const saved = await transact(store, receipt, () => {
    const inSpace = requireSpace(context, space);
    if (app !== null) requireApp(context, space, app);
    const known = read<SavedSearchView>(store, key);
    if (known === null && store.list(keys.searches(space)).length >= mostSearches)
      throw new DroverError("CONFLICT", `space "${space}" has ${mostSearches} saved searches already`, { hint: "Remove some of them." });
    const answer: SavedSearchView = { name, query, app, savedBy: by, savedAtMs: clock.nowMs() };
    return { answer, conditions: [unchanged(keys.space(space), inSpace), unchanged(key, known)], changes: [put(key, answer)] };
  });
  events.append({ kind: "search.saved", by, space, subject: name, message: `${by} saved the search "${name}"` });
  return saved;
}

/** @throws {DroverError} SPACE_NOT_FOUND, SEARCH_NOT_FOUND */
export async function removeSearch(
  context: OperationContext,
  { space, name, by, receipt }: Pick<SearchToSave, "space" | "name" | "by" | "receipt">,
): Promise<{ readonly space: string; readonly name: string; readonly revision: number }> {
  const { store, events } = context;
  const key = keys.search(space, name);
  const removed = await transact(store, receipt, () => {
    requireSpace(context, space);
    const known: Stored<SavedSearchView> | null = read(store, key);
    if (known === null)
      throw new DroverError("SEARCH_NOT_FOUND", `space "${space}" has no saved search "${name}"`, {
        hint: '"drover search ls" lists those that there are.',
      });
    return { answer: { space: space as string, name }, conditions: [unchanged(key, known)], changes: [remove(key)] };
  });
  events.append({ kind: "search.removed", by, space, subject: name, message: `${by} removed the search "${name}"` });
  return removed;
}
